package sync

import (
	"context"
	"sync/atomic"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
)

// A Holder is one call chain's claim on a reentrant lock: [RMutex.NewHolder], or
// [Cond.Holder]. Two holders exclude each other, of one process too. A goroutine
// that goes its own way needs a holder of its own: two that share one are one
// to the lock, so neither waits for the other. A holder may be handed from one
// goroutine to another, but two must not be in its calls at the same time: how
// deep it is would be anybody's guess, and one of two that unlock it can free the
// lock that another holder has by then. The race detector reports a holder that is
// not handed over, but shared.
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
	depth  int // how often it has locked and not unlocked: for its call chain alone
	calls  int // for the race detector: its call chain alone writes it
}

// reentry is what this process knows of one reentrant lock. It is private: to
// the others the process has the lock, or has not.
//
// The mutex's word says whether this process has the lock, last which holder of
// its took it, and that holder's depth, whether it still has it. Each holder
// writes last when it has the mutex, if another was the last, and its depth; so
// that to lock and unlock takes no more than the mutex does, and to lock again
// takes nothing. What last says while the depth is 0 is of no meaning.
type reentry struct {
	last atomic.Pointer[Holder]
	made atomic.Uint32
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

// The words below are the library's own: they order nothing of the user's, and
// what orders them, where the user's program does, the race detector need not see.

// latest is last; took makes it h.
func (r *reentry) latest() *Holder {
	mem.RaceDisable()
	h := r.last.Load()
	mem.RaceEnable()
	return h
}

func (r *reentry) took(h *Holder) {
	mem.RaceDisable()
	r.last.Store(h)
	mem.RaceEnable()
}

// used lets the race detector see a call of h's. Where a Cond looks at a holder, or gives
// up and takes back what that has, is none.
func (h *Holder) used() {
	if mem.RaceEnabled {
		h.calls++
	}
}

// has reports whether h, which has locked, has the lock: an operator can take it
// away.
func (h *Holder) has() bool { return h.own.latest() == h && h.mu.Mine() }

// set makes the depth of h, which has the lock, another.
//
//go:norace
func (h *Holder) set(depth int) {
	h.depth = depth
	h.mu.Show(h.number, depth)
}

// again locks once more, if h has the lock. lost says that it did, and that
// somebody took the lock from it.
//
//go:norace
func (h *Holder) again() (ok, lost bool) {
	if h.depth == 0 {
		return false, false
	}
	if !h.has() {
		return false, true
	}
	h.set(h.depth + 1)
	return true, false
}

// took enters that h has taken the mutex, to a depth.
func (h *Holder) took(depth int) {
	h.own.took(h)
	h.set(depth)
}

// giveUp is for who unlocks the mutex itself. It returns how deep h had it.
//
//go:norace
func (h *Holder) giveUp() int {
	d := h.depth
	h.depth = 0
	return d
}

// Lock takes the lock, and waits as Mutex.Lock does while another holder of
// any process has it; or, where h has it, it locks once more, without a wait
// and even while it is abandoned. nil means held. An error means that nothing
// has changed: ctx's, ErrOwnerDied at once as long as the lock is abandoned
// (see Recover), ErrNotOwner if an operator took the lock from h, or
// shm.ErrClosed. A context that has ended makes no attempt.
func (h *Holder) Lock(ctx context.Context) error {
	if mem.RaceEnabled || h.closed == nil || !object.Endless(ctx) && ctx.Err() != nil {
		return h.lock(ctx)
	}
	if h.depth == 0 {
		if !h.mu.LockGuess() {
			return h.lock(ctx)
		}
		if h.own.latest() != h {
			h.own.took(h)
		}
	} else if !h.has() {
		return h.lock(ctx)
	}
	h.set(h.depth + 1)
	if h.closed.Load() {
		return h.core.Locked("holder.Lock", nil, undoing{h})
	}
	h.keep()
	return nil
}

// lock is Lock after a first look that was not enough.
//
//go:noinline
func (h *Holder) lock(ctx context.Context) error {
	h.used()
	err := h.ready(ctx)
	if err == nil {
		if ok, lost := h.again(); lost {
			err = ErrNotOwner
		} else if !ok && h.mu.LockLook() {
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
	h.used()
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
	h.used()
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
	if mem.RaceEnabled || h.closed == nil || h.closed.Load() || h.depth == 0 {
		return h.unlockSlow()
	}
	if h.depth > 1 {
		h.set(h.depth - 1)
	} else if !h.freed() {
		return h.unlockSlow()
	}
	h.keep()
	return nil
}

// freed unlocks the mutex if h, whose depth is 1, has it and nobody is to be woken.
// The depth is 0 before: then last says nothing of h, whoever has the mutex next.
func (h *Holder) freed() bool {
	if h.own.latest() != h {
		return false
	}
	h.depth = 0
	if h.mu.UnlockGuess() {
		return true
	}
	h.depth = 1
	return false
}

//go:noinline
func (h *Holder) unlockSlow() error {
	h.used()
	err := h.made()
	if err == nil {
		err = h.core.Here(h.unlock)
	}
	return h.core.Done("holder.Unlock", err)
}

// unlock is Unlock by who has looked whether the handle is closed.
//
//go:norace
func (h *Holder) unlock() error {
	if h.depth == 0 {
		return ErrNotOwner
	}
	if h.depth > 1 {
		h.set(h.depth - 1)
		return nil
	}
	h.depth = 0
	if h.own.latest() != h { // it was taken from h, and another has it by now
		return ErrNotOwner
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

//go:norace
func (h *Holder) deep() int { return h.depth }

// Depth is how often h has locked and not yet unlocked: 0 once the region is closed,
// but not by Close of the handle that h was made by, after which h can Unlock still. It
// does not block.
func (h *Holder) Depth() int {
	if h.core == nil || h.core.Gate.Closed() {
		return 0
	}
	return h.deep()
}
