package sync_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"example.com/tandem/shm"
	"example.com/tandem/sync"
	"example.com/tandem/test/stepkill"
)

// Recovery: a process dies while two of it wait, one of them notified, with
// the lock of the Cond and a reentrant one. Who recovers it dies over that.
var (
	condLeft = stepkill.Register("cond/peer leaves", func(r *shm.Region) (func() error, error) {
		c, h, err := leftBehind(r)
		if err != nil {
			return nil, err
		}
		return func() error {
			told := make(chan error, 2)
			for range 2 {
				go func() { told <- waitCond(background, c, c.Holder()) }()
			}
			own := c.Holder()
			for n := 0; n < 2; {
				if err := own.Lock(background); err != nil {
					return err
				}
				s, err := r.Snapshot()
				if err != nil {
					return err
				}
				for _, o := range s.Objects {
					n = max(n, o.Len)
				}
				if n == 2 {
					break
				}
				if err := own.Unlock(); err != nil {
					return err
				}
				time.Sleep(time.Millisecond)
			}
			return errors.Join(c.Notify(1), own.Lock(background), h.Lock(background), h.Lock(background))
		}, nil
	})
	condOpens = stepkill.RegisterOpen("open recovers a cond")
)

func leftBehind(r *shm.Region) (c *sync.Cond, h *sync.Holder, err error) {
	m, err := sync.OpenRMutex(r, "m")
	if err == nil {
		h = m.NewHolder()
		c, err = sync.OpenCond(r, "c", nil)
	}
	return c, h, err
}

// The one who attaches gets no record before it has recovered the dead.
func TestCondRecoveryKilledAnywhere(t *testing.T) {
	stepkill.EveryRecovery(t, condOpens, 1, func(t *testing.T, r *shm.Region) {
		_, _, err := leftBehind(r)
		must(t, err)
	}, condLeft, func(t *testing.T, r *shm.Region, d stepkill.Death) {
		ctx := stepkill.Watchdog(t)
		c, h, err := leftBehind(r)
		must(t, err)
		own := c.Holder()
		for name, l := range map[string]*sync.Holder{"the cond's own lock": own, "the rmutex": h} {
			if err := l.Lock(ctx); !errors.Is(err, sync.ErrOwnerDied) {
				t.Errorf("after a death %v, Lock of %s, which a dead one has = %v", d, name, err)
			}
			must(t, lockCond(ctx, l))
			depth(t, l, 1)
		}
		must(t, c.Notify(math.MaxInt))
		if n, notified := condWaiting(t, r, "c"); n != 0 || notified != 0 {
			t.Errorf("after a death %v, %d wait and %d are notified", d, n, notified)
		}
		told := make(chan error)
		go func() { told <- c.Wait(ctx) }()
		awaitWaiting(t, r, "c", 1)
		other := c.Holder()
		must(t, errors.Join(other.Lock(ctx), c.Notify(1), other.Unlock()))
		must(t, <-told)
	})
}
