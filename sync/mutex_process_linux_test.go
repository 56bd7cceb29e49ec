package sync_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	gosync "sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// L4, L13, L14, and misuse, between processes.
func TestMutexInProcesses(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	a, b := actor.Start(t, r), actor.Start(t, r)
	a.Expect("ok", "mutex.lock", "m")
	if try(t, m) {
		t.Error("TryLock of what a child holds succeeds")
	}
	p, ok := m.Owner() // L13
	if !ok || p.PID != a.PID || p.State != shm.Alive {
		t.Errorf("Owner = %+v, %v; want pid %d", p, ok, a.PID)
	}
	b.Expect(fmt.Sprint(a.PID), "mutex.owner", "m")
	b.Expect("false", "mutex.try", "m")
	b.Expect("not owner", "mutex.unlock", "m")
	b.Expect("not owner", "mutex.mark", "m")
	if err := m.Unlock(); !errors.Is(err, sync.ErrNotOwner) {
		t.Errorf("Unlock of what a child holds = %v", err)
	}
	locks := b.Begin("mutex.lock", "m")
	a.Expect("ok", "mutex.unlock", "m")
	locks.Expect("ok")
	b.Expect("ok", "mutex.unlock", "m")
	b.Expect("not locked", "mutex.unlock", "m")
	handle, err := m.MarshalBinary() // L14
	must(t, err)
	b.Expect("ok", "mutex.unmarshal", "arrived", fmt.Sprintf("%x", handle))
	b.Expect("ok", "mutex.lock", "arrived")
	if err := m.Unlock(); !errors.Is(err, sync.ErrNotOwner) {
		t.Errorf("Unlock of what a child holds by a handle that travelled = %v", err)
	}
	b.Expect("ok", "mutex.unlock", "arrived")
}

// L9 between processes: 2 here, 3 there; all pass, each once.
func TestMutexWaitersInProcesses(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	must(t, m.Lock(background))
	var cs []*actor.Call
	for range 3 {
		c := actor.Start(t, r).Begin("mutex.lock", "m")
		c.Blocked()
		cs = append(cs, c)
	}
	ctx := patience(t)
	var wg gosync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if err := sync.With(ctx, m, func() error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	waiters(t, 2)
	must(t, m.Unlock())
	wg.Go(func() {
		for left := cs; len(left) > 0; { // one of them holds it now
			p, ok := m.Owner()
			i := slices.IndexFunc(left, func(c *actor.Call) bool { return ok && c.Actor.PID == p.PID })
			if i < 0 {
				time.Sleep(time.Millisecond)
				continue
			}
			left[i].Expect("ok")
			left[i].Actor.Expect("ok", "mutex.unlock", "m")
			left = slices.Delete(slices.Clone(left), i, i+1)
		}
	})
	wg.Wait()
}

// A blocked waiter uses no processor.
func TestMutexWaiterSleeps(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	must(t, m.Lock(background))
	c := actor.Start(t, r).Begin("mutex.lock", "m")
	asleep(t, c.Actor.PID)
	idle(t, c.Actor.PID)
	must(t, m.Unlock())
	c.Expect("ok")
}

// A stopped holder is not dead; one that is killed while stopped is.
func TestMutexHolderStopped(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	c := actor.Start(t, r)
	c.Expect("ok", "mutex.lock", "m")
	c.Stop()
	short, cancel := context.WithTimeout(background, 300*time.Millisecond)
	defer cancel()
	if err := m.Lock(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock of what a stopped process holds = %v", err)
	}
	c.Resume()
	c.Expect("ok", "mutex.unlock", "m")
	must(t, m.Lock(patience(t)))
	must(t, m.Unlock())
}

// A sleeper that is stopped, or dies, does not take a wake-up with it.
func TestMutexWaiterStoppedOrKilled(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	ctx := patience(t)
	for _, end := range []func(*actor.Actor){
		func(c *actor.Actor) { c.Stop() },
		func(c *actor.Actor) { c.Signal(syscall.SIGKILL) },
	} {
		must(t, m.Lock(ctx))
		c := actor.Start(t, r)
		c.Begin("mutex.lock", "m").Blocked()
		done := make(chan error)
		go func() { done <- m.Lock(ctx) }()
		waiters(t, 1)
		end(c)
		must(t, m.Unlock())
		err := <-done
		if errors.Is(err, sync.ErrOwnerDied) { // it took it before it was dead
			_, err = m.Recover(ctx)
			must(t, m.MarkConsistent())
		}
		must(t, err)
		must(t, m.Unlock())
		c.Kill()
		if suspect, err := m.Recover(ctx); err != nil {
			t.Fatal(err)
		} else if suspect {
			must(t, m.MarkConsistent())
		}
		must(t, m.Unlock())
	}
}

// L12: signals neither end a wait nor shift its deadline.
func TestMutexSignals(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	c := actor.Start(t, r)
	c.Expect("ok", "mutex.lock", "m")
	quit, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-quit:
				return
			case <-time.After(500 * time.Microsecond):
				syscall.Kill(os.Getpid(), syscall.SIGURG)
			}
		}
	}()
	const d = 200 * time.Millisecond
	begin := time.Now()
	short, cancel := context.WithTimeout(background, d)
	defer cancel()
	err := m.Lock(short)
	if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took < d || took > d+testproc.Patience {
		t.Errorf("Lock among signals = %v after %v, want the deadline of %v", err, took, d)
	}
	done := make(chan error)
	go func() { done <- m.Lock(patience(t)) }()
	waiters(t, 1)
	c.Expect("ok", "mutex.unlock", "m")
	must(t, <-done)
	must(t, m.Unlock())
	close(quit)
	<-stopped
}
