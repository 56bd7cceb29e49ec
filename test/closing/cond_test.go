package closing

import (
	"context"
	"errors"
	"sync"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	tsync "example.com/tandem/sync"
)

// A waiter closes the region while some of its goroutines wait on a Cond.
var waiter = testproc.Role("waiter", func(args []string) {
	ctx := context.Background()
	for {
		if _, ok := testproc.Hear(); !ok {
			return
		}
		r, err := shm.Open(args[0], nil)
		testproc.Must(err)
		m, err := tsync.OpenMutex(r, "m")
		testproc.Must(err)
		c, err := tsync.OpenCond(r, "c", m)
		testproc.Must(err)
		wait := func() error { return c.Wait(ctx) }
		if args[1] == "WaitFor" {
			wait = func() error { return c.WaitFor(ctx, func() bool { return false }) }
		}
		n := 0 // who is in Wait, or has the lock
		var wg sync.WaitGroup
		errs := make(chan error, hands)
		for range hands {
			wg.Go(func() {
				if err := m.Lock(ctx); err != nil {
					errs <- err
					return
				}
				n++
				errs <- wait()
			})
		}
		for all := false; !all; {
			testproc.Must(m.Lock(ctx))
			all = n == hands // and each has given the lock up
			testproc.Must(m.Unlock())
		}
		testproc.Say("waiting")
		testproc.Hear()
		testproc.Must(r.Close())
		wg.Wait()
		for range hands {
			if err := <-errs; !errors.Is(err, shm.ErrClosed) {
				testproc.Say("Wait returned", err)
			}
		}
		testproc.Say("closed")
	}
})

// Who merely waits does not have the lock, so nobody abandons it.
func TestCondWaitersAreNotInside(t *testing.T) {
	for _, verb := range []string{"Wait", "WaitFor"} {
		t.Run(verb, func(t *testing.T) {
			r := shmtest.Region(t)
			m := testproc.Get(tsync.OpenMutex(r, "m"))(t)
			testproc.Get(tsync.OpenCond(r, "c", m))(t)
			c := waiter.Start(t, r.Name(), verb)
			for range rounds() {
				c.Say("wait")
				c.Expect("waiting")
				c.Say("close")
				c.Expect("closed")
				if ok, err := m.TryLock(); !ok || err != nil {
					t.Fatalf("TryLock after the waiters have closed = %v, %v", ok, err)
				}
				if err := m.Unlock(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A notification that went to a process which closes the region, before it
// could have the lock and return, goes to another.
func TestNotificationOfALeaver(t *testing.T) {
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	m := testproc.Get(tsync.OpenMutex(r, "m"))(t)
	cond := testproc.Get(tsync.OpenCond(r, "c", m))(t)
	c := waiter.Start(t, r.Name(), "Wait")
	for range rounds() {
		woken := make(chan error)
		in := false
		go func() {
			err := m.Lock(ctx)
			if err == nil {
				in = true
				if err = cond.Wait(ctx); err == nil {
					err = m.Unlock()
				}
			}
			woken <- err
		}()
		for all := false; !all; {
			if err := m.Lock(ctx); err != nil {
				t.Fatal(err)
			}
			all = in
			if err := m.Unlock(); err != nil {
				t.Fatal(err)
			}
		}
		c.Say("wait")
		c.Expect("waiting")
		if err := m.Lock(ctx); err != nil {
			t.Fatal(err)
		}
		// To the leaver's waiters or to ours, by turns; all but one of them go.
		if err := cond.Notify(1); err != nil {
			t.Fatal(err)
		}
		c.Say("close")
		c.Expect("closed") // while nobody can have the lock
		if err := m.Unlock(); err != nil {
			t.Fatal(err)
		}
		if err := <-woken; err != nil {
			t.Fatalf("who waits while the one that was notified closes the region: %v", err)
		}
	}
}

func init() {
	deeds["party"] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
		mu.Lock()
		rep.Gave++
		first := rep.Gave == 1
		mu.Unlock()
		b, err := tsync.OpenBarrier(r, "bar", 0, nil)
		return func(ctx context.Context) error {
			if !first {
				return shm.ErrClosed
			}
			_, err := b.Wait(ctx)
			if err == nil {
				mu.Lock()
				rep.Took++
				mu.Unlock()
			}
			return err
		}, err
	}
}

// A party that closes the region breaks the barrier, at once; the rounds that
// its Waits told of came about for the others, too. (Of the last one it may not
// have been told.)
func TestBarrier(t *testing.T) {
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	b := testproc.Get(tsync.OpenBarrier(r, "bar", 2, nil))(t)
	passed := make(chan int)
	leaving(t, r, "party", func() {
		go func() {
			n := 0
			for {
				if _, err := b.Wait(ctx); err != nil {
					if !errors.Is(err, tsync.ErrBroken) || errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("Wait with one who closes = %v, want ErrBroken", err)
					}
					break
				}
				n++
			}
			passed <- n
		}()
	}, func(t *testing.T, rep report) {
		// If it was between two Waits there was nobody whose end breaks it.
		if err := b.Abort(); err != nil {
			t.Fatal(err)
		}
		if n := <-passed; n != rep.Took && n != rep.Took+1 {
			t.Errorf("passed %d rounds, and the one who has closed told of %d", n, rep.Took)
		}
		if err := b.Reset(); err != nil {
			t.Fatal(err)
		}
	})
}
