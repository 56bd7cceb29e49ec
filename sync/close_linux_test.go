package sync_test

import (
	"context"
	"errors"
	gosync "sync"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// anonymous is a region to be closed in the test.
func anonymous(t *testing.T) *shm.Region {
	shmtest.Region(t) // or skip
	r, err := shm.Anonymous(nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// After Close nothing locks and nothing unlocks, however the calls meet.
func TestNothingAfterClose(t *testing.T) {
	ctx := context.Background()
	for range 50 {
		r := anonymous(t)
		m, err := sync.OpenMutex(r, "m")
		if err != nil {
			t.Fatal(err)
		}
		rw, err := sync.OpenRWMutex(r, "rw")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(m.Lock(ctx), rw.Lock(ctx), r.Close()); err != nil {
			t.Fatal(err)
		}
		var wg gosync.WaitGroup
		for name, f := range map[string]func() error{
			"Lock": func() error { return m.Lock(ctx) }, "Unlock": m.Unlock,
			"write": func() error { return rw.Lock(ctx) }, "written": rw.Unlock,
			"read": func() error { return rw.RLock(ctx) }, "have read": rw.RUnlock,
		} {
			wg.Go(func() {
				for range 200 {
					if err := f(); !errors.Is(err, shm.ErrClosed) {
						t.Errorf("%s after Close = %v, want ErrClosed", name, err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

// Close may be called from a function that a call runs.
func TestCloseInside(t *testing.T) {
	ctx := patience(t)
	for name, f := range map[string]func(r *shm.Region) error{
		"once": func(r *shm.Region) error {
			o, err := sync.OpenOnce(r, "o")
			return errors.Join(err, o.Do(ctx, func(context.Context) error { return r.Close() }))
		},
		"barrier": func(r *shm.Region) error {
			b, err := sync.OpenBarrier(r, "b", 1, &sync.BarrierOptions{Action: r.Close})
			if err != nil {
				return err
			}
			_, err = b.Wait(ctx)
			return err
		},
		"predicate, true": func(r *shm.Region) error {
			c, err := sync.OpenCond(r, "c", nil)
			if err != nil {
				return err
			}
			return sync.With(ctx, c.Holder(), func() error {
				return c.WaitFor(ctx, func() bool { return r.Close() == nil })
			})
		},
		"predicate, false": func(r *shm.Region) error {
			m, e := sync.OpenMutex(r, "m")
			c, err := sync.OpenCond(r, "c", m)
			if err != nil {
				return errors.Join(e, err)
			}
			return sync.With(ctx, m, func() error {
				return c.WaitFor(ctx, func() bool { r.Close(); return false })
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := anonymous(t)
			ended := make(chan error, 1)
			go func() { ended <- f(r) }()
			select {
			case err := <-ended:
				if !errors.Is(err, shm.ErrClosed) {
					t.Errorf("a call in which the region was closed = %v, want ErrClosed", err)
				}
			case <-ctx.Done():
				t.Error("hangs")
			}
		})
	}
}
