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
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// L4, L13, L14, and misuse, between processes.
func TestMutexInProcesses(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	a, b := start(t, r), start(t, r)
	ask(t, a, "lock", "ok")
	if try(t, m) {
		t.Error("TryLock of what a child holds succeeds")
	}
	p, ok := m.Owner() // L13
	if !ok || p.PID != a.PID() || p.State != shm.Alive {
		t.Errorf("Owner = %+v, %v; want pid %d", p, ok, a.PID())
	}
	ask(t, b, "owner", fmt.Sprint(a.PID(), true), "ok")
	ask(t, b, "trylock", "false", "ok")
	ask(t, b, "unlock", "not owner")
	ask(t, b, "mark", "not owner")
	if err := m.Unlock(); !errors.Is(err, sync.ErrNotOwner) {
		t.Errorf("Unlock of what a child holds = %v", err)
	}
	b.Say("lock")
	ask(t, a, "unlock", "ok")
	b.Expect("ok")
	ask(t, b, "unlock", "ok")
	ask(t, b, "unlock", "not locked")
	handle, err := m.MarshalBinary() // L14
	must(t, err)
	ask(t, b, fmt.Sprintf("arrive %x", handle), "ok")
	ask(t, b, "lock", "ok")
	if err := m.Unlock(); !errors.Is(err, sync.ErrNotOwner) {
		t.Errorf("Unlock of what a child holds by a handle that travelled = %v", err)
	}
	ask(t, b, "unlock", "ok")
}

// L9 between processes: 2 here, 3 there; all pass, each once.
func TestMutexWaitersInProcesses(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	must(t, m.Lock(background))
	var cs []*testproc.Child
	for range 3 {
		c := start(t, r)
		c.Say("lock")
		asleep(t, c.PID())
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
			i := slices.IndexFunc(left, func(c *testproc.Child) bool { return ok && c.PID() == p.PID })
			if i < 0 {
				time.Sleep(time.Millisecond)
				continue
			}
			ask(t, left[i], "unlock", "ok", "ok")
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
	c := start(t, r)
	c.Say("lock")
	asleep(t, c.PID())
	idle(t, c.PID())
	must(t, m.Unlock())
	c.Expect("ok")
}

// A stopped holder is not dead; one that is killed while stopped is.
func TestMutexHolderStopped(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	c := start(t, r)
	ask(t, c, "lock", "ok")
	stop(t, c)
	short, cancel := context.WithTimeout(background, 300*time.Millisecond)
	defer cancel()
	if err := m.Lock(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock of what a stopped process holds = %v", err)
	}
	c.Signal(syscall.SIGCONT)
	ask(t, c, "unlock", "ok")
	must(t, m.Lock(patience(t)))
	must(t, m.Unlock())
}

// A sleeper that is stopped, or dies, does not take a wake-up with it.
func TestMutexWaiterStoppedOrKilled(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	ctx := patience(t)
	for _, end := range []func(*testproc.Child){
		func(c *testproc.Child) { stop(t, c) },
		func(c *testproc.Child) { c.Signal(syscall.SIGKILL) },
	} {
		must(t, m.Lock(ctx))
		c := start(t, r)
		c.Say("lock")
		asleep(t, c.PID())
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
	c := start(t, r)
	ask(t, c, "lock", "ok")
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
	ask(t, c, "unlock", "ok")
	must(t, <-done)
	must(t, m.Unlock())
	close(quit)
	<-stopped
}
