package sync

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/sys"
	"example.com/tandem/shm"
)

// An exclusive is what an engine that has one holder at a time can do, as far
// as repairing needs it.
type exclusive interface {
	Recover(s engine.Sleeper) (suspect bool, err error)
	MarkConsistent() error
	Unlock() error
}

// An answer is a handle's to ErrOwnerDied: OnOwnerDied.
type answer struct {
	repair atomic.Pointer[func(context.Context) error]
}

func (a *answer) set(repair func(context.Context) error) {
	if repair == nil {
		a.repair.Store(nil)
		return
	}
	a.repair.Store(&repair)
}

// give runs the answer, if there is one. With a nil error mu is held. It waits
// for another who repairs, or with now it is errBusy. It is a user's code, which
// may not return: nothing of the caller's is open meanwhile but mu.
func (a *answer) give(ctx context.Context, h *handle, mu exclusive, now bool) error {
	f := a.repair.Load()
	if f == nil {
		return engine.ErrOwnerDied
	}
	suspect, err := recovered(ctx, h, mu, now)
	if err != nil || !suspect {
		return err // nil: another repaired it
	}
	if h.core.Closed.Load() { // what there is to repair may be the zeroes
		mu.Unlock()
		return shm.ErrClosed
	}
	h.core.Acquire()
	held := true
	defer func() {
		if held { // repair failed, panics, or ended its goroutine
			h.core.Release()
			mu.Unlock()
		}
	}()
	if err := (*f)(ctx); err != nil {
		return fmt.Errorf("%w; the repair failed: %w", engine.ErrOwnerDied, err)
	}
	if err := mu.MarkConsistent(); err != nil {
		return err
	}
	held = false
	return nil
}

func recovered(ctx context.Context, h *handle, mu exclusive, now bool) (suspect bool, err error) {
	if now {
		return mu.Recover(atOnce{})
	}
	w := h.core.Waiter(ctx)
	suspect, err = mu.Recover(w)
	w.Done()
	return suspect, err
}

// atOnce is a Sleeper that does not sleep.
type atOnce struct{}

var errBusy = errors.New("busy")

func (atOnce) Sleep(*uint32, uint32) error { return errBusy }
func (atOnce) Spin() bool                  { return false }
func (atOnce) Now() int64                  { return sys.MonotonicNow() }
