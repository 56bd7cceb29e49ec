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

// give runs the answer, if there is one. With a nil error mu is held.
func (a *answer) give(ctx context.Context, h *handle, mu exclusive, s engine.Sleeper) error {
	f := a.repair.Load()
	if f == nil {
		return engine.ErrOwnerDied
	}
	suspect, err := mu.Recover(s)
	if err != nil || !suspect {
		return err // nil: another repaired it
	}
	if h.core.Closed.Load() { // what there is to repair may be the zeroes
		mu.Unlock()
		return shm.ErrClosed
	}
	h.acquire()
	held := true
	defer func() {
		if held { // repair failed, or panics
			h.release()
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

// atOnce is a Sleeper that does not sleep.
type atOnce struct{}

var errBusy = errors.New("busy")

func (atOnce) Sleep(*uint32, uint32) error { return errBusy }
func (atOnce) Spin(int) bool               { return false }
func (atOnce) Now() int64                  { return sys.MonotonicNow() }
