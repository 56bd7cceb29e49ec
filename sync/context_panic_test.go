package sync_test

import (
	"context"
	"testing"

	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// A bomb is a context whose Done panics.
type bomb struct{ context.Context }

func (bomb) Done() <-chan struct{} { panic("boom") }

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func panics(f func()) (with any) {
	defer func() { with = recover() }()
	f()
	return nil
}

// A context whose methods panic ends a wait as its end would, and the panic goes
// on: nobody waits any more, and who waits on a Cond has the lock.
func TestContextPanics(t *testing.T) {
	r, ctx := shmtest.Region(t), t.Context()
	c, err := sync.OpenCond(r, "c", nil)
	noError(t, err)
	h := c.Holder()
	noError(t, h.Lock(ctx))
	if with := panics(func() { c.Wait(bomb{ctx}) }); with != "boom" {
		t.Fatalf("Wait panicked with %v", with)
	}
	noError(t, h.Unlock()) // it was held
	told := make(chan error, 1)
	other := c.Holder()
	go func() {
		if err := other.Lock(ctx); err != nil {
			told <- err
			return
		}
		told <- c.Wait(ctx)
	}()
	shmtest.AwaitWaiting(t, r, "c", 1)
	noError(t, h.Lock(ctx))
	noError(t, c.Notify(1)) // of whom there is one
	noError(t, h.Unlock())
	noError(t, <-told)
	noError(t, other.Unlock())

	b, err := sync.OpenBarrier(r, "b", 2, nil)
	noError(t, err)
	if with := panics(func() { b.Wait(bomb{ctx}) }); with != "boom" {
		t.Errorf("a barrier's Wait panicked with %v", with)
	}
	if !b.Broken() {
		t.Error("the barrier has an arrival of nobody")
	}
	s, err := sync.OpenSemaphore(r, "s", 0)
	noError(t, err)
	if with := panics(func() { s.Acquire(bomb{ctx}) }); with != "boom" {
		t.Errorf("Acquire panicked with %v", with)
	}
}
