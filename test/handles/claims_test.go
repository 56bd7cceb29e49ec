package handles

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// A Wait of a Cond that is closed waits for its lock as long as that takes.
func TestCloseCondWaitsForItsLock(t *testing.T) {
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	c := testproc.Get(sync.OpenCond(r, "c", nil))(t)
	h := c.Holder()
	holder := testproc.Get(sync.OpenCond(r, "c", nil))(t).Holder()
	waits := make(chan error, 1)
	go func() {
		if err := h.Lock(ctx); err != nil {
			waits <- err
			return
		}
		waits <- c.Wait(ctx)
	}()
	shmtest.AwaitWaiting(t, r, "c", 1)
	if err := errors.Join(holder.Lock(ctx), c.Close()); err != nil {
		t.Fatal(err)
	}
	shmtest.AwaitWaiting(t, r, "c", 1) // for the lock, or for it yet
	time.Sleep(10 * time.Millisecond)
	select {
	case err := <-waits:
		t.Fatalf("Wait = %v while another has the lock", err)
	default:
	}
	if err := holder.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := <-waits; !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Wait = %v", err)
	}
	if err := h.Unlock(); err != nil {
		t.Errorf("Unlock after it = %v", err)
	}
}

// The Holders of an RMutex that is closed wait no longer, those of another handle
// go on.
func TestCloseRMutex(t *testing.T) {
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	m, other := testproc.Get(sync.OpenRMutex(r, "m"))(t), testproc.Get(sync.OpenRMutex(r, "m"))(t)
	holder, waiter, goesOn := other.NewHolder(), m.NewHolder(), other.NewHolder()
	if err := holder.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	waits, others := make(chan error, 1), make(chan error, 1)
	go func() { waits <- waiter.Lock(ctx) }()
	go func() { others <- goesOn.Lock(ctx) }()
	shmtest.AwaitWaiting(t, r, "m", 2)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-waits; !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Lock under way = %v, want ErrClosed", err)
	}
	for call, err := range map[string]error{"Lock": waiter.Lock(ctx), "TryLock": first(waiter.TryLock()), "Unlock": waiter.Unlock()} {
		if err == nil {
			t.Errorf("%s of a Holder whose handle is closed = nil", call)
		}
	}
	shmtest.AwaitWaiting(t, r, "m", 1)
	select {
	case err := <-others:
		t.Errorf("Lock of another handle = %v while the mutex is held", err)
	default:
	}
	if err := errors.Join(holder.Unlock(), <-others, goesOn.Unlock()); err != nil {
		t.Error(err)
	}
}

// A Delivery and a Holder give back what they have, for nobody else could.
func TestClaimsOutliveTheHandle(t *testing.T) {
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	q, other := testproc.Get(openQueue(r))(t), testproc.Get(openQueue(r))(t)
	for _, ack := range []bool{true, false} {
		if err := other.Put(ctx, "x"); err != nil {
			t.Fatal(err)
		}
		d := testproc.Get(q.Lease(ctx))(t)
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		end := d.Nack
		if ack {
			end = d.Ack
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if _, err := other.TryGet(); ack != errors.Is(err, ring.ErrEmpty) {
			t.Errorf("after Ack %v: %v", ack, err)
		}
		q = testproc.Get(openQueue(r))(t)
	}
	m := testproc.Get(sync.OpenRMutex(r, "m"))(t)
	h := m.NewHolder()
	if err := h.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"Lock": h.Lock(ctx), "Lock of a new one": m.NewHolder().Lock(ctx)} {
		if !errors.Is(err, shm.ErrClosed) {
			t.Errorf("%s = %v", what, err)
		}
	}
	if err := h.Unlock(); err != nil {
		t.Errorf("Unlock = %v", err)
	}
	if ok, err := testproc.Get(sync.OpenRMutex(r, "m"))(t).NewHolder().TryLock(); !ok || err != nil {
		t.Errorf("TryLock = %v, %v", ok, err)
	}
}

// A Wait of a Cond that is closed has the lock back, and takes no notification.
func TestCloseCond(t *testing.T) {
	type locker interface {
		Lock(context.Context) error
		Unlock() error
	}
	for _, tt := range []struct {
		name string
		open func(t *testing.T, r *shm.Region) (*sync.Cond, locker)
	}{
		{"mutex", func(t *testing.T, r *shm.Region) (*sync.Cond, locker) {
			m := testproc.Get(sync.OpenMutex(r, "m"))(t)
			return testproc.Get(sync.OpenCond(r, "c", m))(t), m
		}},
		{"own", func(t *testing.T, r *shm.Region) (*sync.Cond, locker) {
			c := testproc.Get(sync.OpenCond(r, "c", nil))(t)
			return c, c.Holder()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, ctx := shmtest.Region(t), testproc.Watchdog(t)
			c, l := tt.open(t, r)
			other, ol := tt.open(t, r)
			waits, others := make(chan error, 1), make(chan error, 1)
			wait := func(c *sync.Cond, l locker, errs chan error) {
				if err := l.Lock(ctx); err != nil {
					errs <- err
					return
				}
				err := c.Wait(ctx)
				if e := l.Unlock(); e != nil {
					err = errors.Join(errors.New("the lock was not held"), e)
				}
				errs <- err
			}
			go wait(c, l, waits)
			go wait(other, ol, others)
			shmtest.AwaitWaiting(t, r, "c", 2)
			if err := errors.Join(c.Close(), c.Close()); err != nil {
				t.Fatal(err)
			}
			if err := <-waits; !errors.Is(err, shm.ErrClosed) || len(err.Error()) == 0 {
				t.Fatalf("Wait = %v, want ErrClosed", err)
			}
			third, tl := tt.open(t, r)
			if err := tl.Lock(ctx); err != nil {
				t.Fatal(err)
			}
			if err := third.Notify(1); err != nil {
				t.Fatal(err)
			}
			if err := tl.Unlock(); err != nil {
				t.Fatal(err)
			}
			if err := <-others; err != nil {
				t.Errorf("Wait of another handle = %v", err)
			}
			if err := c.Notify(1); !errors.Is(err, shm.ErrClosed) {
				t.Errorf("Notify = %v", err)
			}
		})
	}
}

// server: path. Opens the queues that it is told, closes each when it is told to,
// and never makes enough garbage for its collector to run.
var server = testproc.Role("server", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	for {
		name, ok := testproc.Hear()
		if !ok {
			return
		}
		func() {
			q, err := ring.OpenQueue[int64](r.Existing(), name, nil)
			testproc.Must(err)
			testproc.Must(q.TryPut(1))
			testproc.Say("open")
			testproc.Hear()
			testproc.Must(q.Close())
		}()
		testproc.Say("closed")
	}
})
