package sync

import (
	"context"
	"sync/atomic"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// A Holder is one call chain's claim on a reentrant lock: [RMutex.NewHolder], or
// [Cond.Holder]. Two holders exclude each other, of one process too. A goroutine
// that goes its own way needs a holder of its own: two that share one are one
// to the lock, so neither waits for the other.
//
// It takes nothing any more when the handle is closed that it was made by, but
// what it has it can still Unlock: nobody else could.
//
// If a process dies in one of its methods, or holding it however deep, the
// lock is abandoned, as a [Mutex] is: the others are told [ErrOwnerDied].
//
// In the terminology of the [Go memory model], the n'th call of
// [Holder.Unlock] that frees the lock synchronizes before the return of the
// m'th call of [Holder.Lock] that takes it, for any n < m, by whatever holders
// of whatever processes. A call that only changes the depth orders nothing.
//
// [Go memory model]: https://go.dev/ref/mem
type Holder struct {
	handle
	mu     engine.RMutex
	number uint32
	depth  atomic.Int64
}

// reentry is what this process knows of one reentrant lock. It is private: to
// the others the process has the lock, or has not.
type reentry struct {
	holder atomic.Pointer[Holder] // who has it, between locking and unlocking the shared word
	made   atomic.Uint32
}

//go:norace
func newHolder(h handle, mu engine.RMutex) *Holder {
	n := &Holder{handle: h, mu: mu}
	if h.own != nil {
		mem.RaceDisable()
		n.number = h.own.made.Add(1)
		mem.RaceEnable()
	}
	return n
}

// The counts below are the library's own: they order nothing of the user's.

// again locks once more, if h holds the lock. lost says that it did, and that
// somebody took the lock from it, as an operator can.
//
//go:norace
func (h *Holder) again() (ok, lost bool) {
	mem.RaceDisable()
	defer mem.RaceEnable()
	for {
		d := h.depth.Load()
		if d == 0 || !h.mu.Mine() {
			return false, d != 0
		}
		if h.depth.CompareAndSwap(d, d+1) {
			h.mu.Show(h.number, int(d+1))
			return true, false
		}
	}
}

// took enters that h has the lock, to a depth.
//
//go:norace
func (h *Holder) took(depth int64) {
	mem.RaceDisable()
	h.own.holder.Store(h)
	h.depth.Store(depth)
	h.mu.Show(h.number, int(depth))
	mem.RaceEnable()
}

// left is how deep h is after one Unlock; ok is false if it holds nothing. At
// 0 the mutex is to be unlocked, unless another holder has it by now.
//
//go:norace
func (h *Holder) left() (depth int64, ok bool) {
	mem.RaceDisable()
	defer mem.RaceEnable()
	for {
		d := h.depth.Load()
		if d == 0 {
			return 0, false
		}
		if !h.depth.CompareAndSwap(d, d-1) {
			continue
		}
		if d > 1 {
			h.mu.Show(h.number, int(d-1))
			return d - 1, true
		}
		return 0, h.own.holder.CompareAndSwap(h, nil)
	}
}

// giveUp is left, to the full depth, which it returns.
//
//go:norace
func (h *Holder) giveUp() int64 {
	mem.RaceDisable()
	d := h.depth.Swap(0)
	h.own.holder.CompareAndSwap(h, nil)
	mem.RaceEnable()
	return d
}

//go:norace
func (h *Holder) deep() int64 {
	mem.RaceDisable()
	d := h.depth.Load()
	mem.RaceEnable()
	return d
}

// Lock takes the lock, and waits as Mutex.Lock does while another holder of
// any process has it; or, where h has it, it locks once more, without a wait
// and even while it is abandoned. nil means held. An error means that nothing
// has changed: ctx's, ErrOwnerDied at once as long as the lock is abandoned
// (see Recover), ErrNotOwner if an operator took the lock from h, or
// shm.ErrClosed. A context that has ended makes no attempt.
func (h *Holder) Lock(ctx context.Context) error {
	if mem.RaceEnabled || h.core == nil || ctx.Err() != nil || !h.lockNow() {
		return h.lock(ctx)
	}
	if h.core.Closed.Load() {
		return h.core.Locked("holder.Lock", nil, undoing{h})
	}
	h.core.KeepAlive()
	return nil
}

func (h *Holder) lockNow() bool {
	if ok, lost := h.again(); ok || lost {
		return ok
	}
	if !h.mu.LockNow() {
		return false
	}
	h.took(1)
	return true
}

// lock is Lock after a first look that was not enough.
//
//go:noinline
func (h *Holder) lock(ctx context.Context) error {
	err := h.ready(ctx)
	if err == nil {
		if ok, lost := h.again(); lost {
			err = ErrNotOwner
		} else if !ok && mem.RaceEnabled && h.mu.LockNow() { // Lock has not tried
			h.took(1)
		} else if !ok {
			w := h.core.Waiter(ctx)
			if err = h.mu.Lock(w); err == nil {
				h.took(1)
			}
			w.Done()
		}
	}
	return h.core.Locked("holder.Lock", err, undoing{h})
}

// TryLock takes the lock if no other holder has it, and reports whether it
// did. It does not block. An error, with false, is Lock's.
func (h *Holder) TryLock() (bool, error) {
	err := h.readyNow()
	if err == nil {
		ok, lost := h.again()
		if lost {
			err = ErrNotOwner
		} else if !ok {
			if ok, err = h.mu.TryLock(); ok {
				h.took(1)
			} else if err == nil {
				return false, h.core.Done("holder.TryLock", h.core.Free())
			}
		}
	}
	err = h.core.Locked("holder.TryLock", err, undoing{h})
	return err == nil, err
}

// Recover takes the lock, abandoned or not, and reports which, as
// [Mutex.Recover] does, and blocks as [Holder.Lock] does. Where h has it already it
// locks once more.
func (h *Holder) Recover(ctx context.Context) (suspect bool, err error) {
	err = h.ready(ctx)
	if err == nil {
		if ok, lost := h.again(); lost {
			err = ErrNotOwner
		} else if ok {
			suspect = h.mu.Abandoned()
		} else {
			w := h.core.Waiter(ctx)
			if suspect, err = h.mu.Recover(w); err == nil {
				h.took(1)
			}
			w.Done()
		}
	}
	err = h.core.Locked("holder.Recover", err, undoing{h})
	return suspect && err == nil, err
}

// MarkConsistent says that what the lock guards is whole again, so that Lock
// succeeds again. It does not block. ErrNotOwner unless h has the lock; then
// nothing changes.
func (h *Holder) MarkConsistent() error {
	err := h.made()
	if err == nil {
		if h.deep() == 0 {
			err = ErrNotOwner
		} else {
			err = h.core.Here(h.mu.MarkConsistent)
		}
	}
	return h.core.Done("holder.MarkConsistent", err)
}

// Unlock undoes one Lock, and the last one frees the lock. It does not block.
// ErrNotOwner if h does not have it, whether another has it or not; then
// nothing has changed.
func (h *Holder) Unlock() error {
	err := h.made()
	if err == nil {
		err = h.core.Here(h.unlock)
	}
	return h.core.Done("holder.Unlock", err)
}

func (h *Holder) unlock() error {
	d, ok := h.left()
	if !ok {
		return ErrNotOwner
	}
	if d > 0 {
		return nil
	}
	h.core.Release()
	err := h.mu.Unlock()
	if err == ErrNotLocked {
		err = ErrNotOwner
	}
	return err
}

// undoing is a Holder as a caller that undoes one Lock has it.
type undoing struct{ h *Holder }

func (u undoing) Unlock() error { return u.h.unlock() }

// Depth is how often h has locked and not yet unlocked. It does not block.
func (h *Holder) Depth() int {
	if h.core == nil || h.core.Closed.Load() {
		return 0
	}
	return int(h.deep())
}
