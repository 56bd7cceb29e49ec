package sync_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// Who would have notified dies with the lock in its hands, and nobody else is
// there but one that waits: it is told, with the lock, and soon.
func TestCondHolderKilled(t *testing.T) {
	for _, lock := range []string{"own", "mutex", "holder"} {
		t.Run(lock, func(t *testing.T) {
			r := shmtest.Region(t)
			var l interface {
				sync.Lock
				MarkConsistent() error
			}
			var c *sync.Cond
			var err error
			switch lock {
			case "own":
				c, err = sync.OpenCond(r, "c", nil)
				must(t, err)
				l = c.Holder()
			case "mutex":
				l = mutex(t, r, "c.lock")
			case "holder":
				m, err := sync.OpenRMutex(r, "c.lock")
				must(t, err)
				l = m.NewHolder()
			}
			if c == nil {
				c, err = sync.OpenCond(r, "c", l)
				must(t, err)
			}
			ctx := patience(t)
			soon(t, func() time.Duration {
				victim := actor.Start(t, r)
				must(t, l.Lock(ctx))
				told := make(chan error)
				go func() { told <- c.Wait(ctx) }()
				shmtest.AwaitWaiting(t, r, "c", 1)
				victim.Expect("ok", "cond.lock", "c", lock)
				begin := time.Now()
				victim.Signal(syscall.SIGKILL)
				if err := <-told; !errors.Is(err, sync.ErrOwnerDied) {
					t.Fatalf("Wait, after the lock's holder was killed = %v", err)
				}
				took := time.Since(begin)
				must(t, l.MarkConsistent())
				must(t, l.Unlock())
				return took
			})
		})
	}
}

// Of several who wait one is told, and repairs; the others wait on, for their
// notification.
func TestCondHolderKilledOneIsTold(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "c.lock")
	c, err := sync.OpenCond(r, "c", m)
	must(t, err)
	ctx := patience(t)
	victim := actor.Start(t, r)
	told := make(chan error, 3)
	for range cap(told) {
		must(t, m.Lock(ctx))
		go func() {
			err := c.Wait(ctx)
			if errors.Is(err, sync.ErrOwnerDied) {
				err = errors.Join(err, m.MarkConsistent())
			}
			told <- err
			m.Unlock()
		}()
		shmtest.AwaitWaiting(t, r, "c", 1) // it has given up the lock
	}
	shmtest.AwaitWaiting(t, r, "c", cap(told))
	victim.Expect("ok", "cond.lock", "c", "mutex")
	victim.Kill()
	if err := <-told; !errors.Is(err, sync.ErrOwnerDied) {
		t.Errorf("the first to be told is told %v", err)
	}
	must(t, sync.With(ctx, m, c.NotifyAll))
	for range cap(told) - 1 {
		if err := <-told; err != nil {
			t.Errorf("one who waited on is told %v", err)
		}
	}
}
