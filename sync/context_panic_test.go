package sync_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
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

// A shot is a context that does not return when it is told that nobody listens to its
// end any more.
type shot struct {
	context.Context
	done chan struct{}
	act  func()
}

func (s shot) Done() <-chan struct{} { return s.done }

func (s shot) AfterFunc(func()) (stop func() bool) { return func() bool { s.act(); return true } }

// shooter takes what another process gives up, with a context that does not return
// then.
var shooter = testproc.Role("shooter", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	act := map[string]func(){"panic": func() { panic("boom") }, "exit": runtime.Goexit}[args[2]]
	ctx := shot{background, make(chan struct{}), act}
	defer func() {
		recover() // as servers do
		select {}
	}()
	switch args[1] {
	case "m":
		m, err := sync.OpenMutex(r, "m")
		testproc.Must(err)
		m.Lock(ctx)
	case "s":
		s, err := sync.OpenSemaphore(r, "s", -1)
		testproc.Must(err)
		s.Acquire(ctx)
	case "o":
		o, err := sync.OpenOnce(r, "o")
		testproc.Must(err)
		o.Do(ctx, func(context.Context) error { return nil })
	}
})

// Such a context ends its process, which may have taken by then what nobody would give
// back; so the others get it.
func TestStopDoesNotReturn(t *testing.T) {
	for _, act := range []string{"panic", "exit"} {
		t.Run(act, func(t *testing.T) {
			r, ctx := shmtest.Region(t), patience(t)
			m, o := mutex(t, r, "m"), once(t, r, "o")
			s := testproc.Get(sync.OpenSemaphore(r, "s", 1))(t)

			must(t, m.Lock(ctx))
			child := shooter.Start(t, r.Name(), "m", act)
			shmtest.AwaitWaiting(t, r, "m", 1)
			must(t, m.Unlock())
			if child.Wait() == nil {
				t.Error("it goes on")
			}
			if err := m.Lock(ctx); !errors.Is(err, sync.ErrOwnerDied) {
				t.Errorf("Lock after its death: %v", err)
			}

			must(t, s.Acquire(ctx))
			child = shooter.Start(t, r.Name(), "s", act)
			shmtest.AwaitWaiting(t, r, "s", 1)
			must(t, s.Release(1))
			if child.Wait() == nil {
				t.Error("it goes on")
			}
			must(t, s.Acquire(ctx))

			started, leave, done := make(chan bool), make(chan bool), make(chan error)
			go func() {
				done <- o.Do(ctx, func(context.Context) error { close(started); <-leave; return errBad })
			}()
			<-started
			child = shooter.Start(t, r.Name(), "o", act)
			shmtest.AwaitWaiting(t, r, "o", 1)
			close(leave)
			if err := <-done; !errors.Is(err, errBad) {
				t.Error(err)
			}
			if child.Wait() == nil {
				t.Error("it goes on")
			}
			if err := o.Do(ctx, func(context.Context) error { return nil }); err != nil && !errors.Is(err, sync.ErrOwnerDied) {
				t.Error(err)
			}
		})
	}
}
