package atomics

import (
	"context"
	"runtime"
	"sync/atomic"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
)

// A locker is the lock beside the cells of a Value or an Array: apart from what
// Load and Store use, and taken by Lock only. It behaves as a sync.Mutex.
//
// If a process dies in one of its methods it either holds the lock then, and
// the others are told shm.ErrOwnerDied, or it does not.
type locker struct {
	core   *object.Core
	mu     *engine.Mutex
	shared *shared
	closed *atomic.Bool // the core's, one step nearer; nil before it was opened
}

// done is the Core's Done, of a method whose name is made only where it is needed.
func (l *locker) done(method string, err error) error {
	if err == nil {
		l.core.KeepAlive() // which therefore is inlined in cell.go, too: see bits.go
		return nil
	}
	return l.failed(method, err)
}

//go:noinline
func (l *locker) failed(method string, err error) error {
	kind := "atomics"
	if l.core != nil {
		kind = l.core.Kind.String()
	}
	return l.core.Done(kind+"."+method, err)
}

// locked ends a call that took the lock if err is nil.
func (l *locker) locked(method string, err error) error {
	return l.done(method, l.core.Took(err, l.mu))
}

// Close ends this handle and nothing else: its cells read as zero from then on,
// and are written nowhere; calls of the lock return shm.ErrClosed, those that
// wait in other goroutines, too. It blocks for nobody. If this process holds the lock it still
// does, and gives it back through another handle. A second Close does nothing.
//
// The memory of an object that was removed comes back when no process has a
// handle on it any more. A closed one counts until nothing reaches it, neither a
// variable nor a call that was under way; when all of a process are closed it has
// its collector look at once.
func (l *locker) Close() error {
	if l.core == nil {
		return l.done("Close", errNoHandle)
	}
	l.core.Close()
	return nil
}

// Lock takes the lock. It blocks while any goroutine of any process holds it,
// this one's included: it spins for moments, then sleeps. An error means not
// held: the context's, shm.ErrClosed, or shm.ErrOwnerDied, at once, if a
// holder died and nobody has repaired since: see Recover. A context that has
// ended makes no attempt.
func (l *locker) Lock(ctx context.Context) error {
	if l.closed == nil || !object.Endless(ctx) && ctx.Err() != nil || !l.mu.LockGuess() {
		return l.lock(ctx)
	}
	if mem.RaceEnabled || l.closed.Load() {
		return l.locked("Lock", nil)
	}
	runtime.KeepAlive(l)
	return nil
}

// lock is Lock after a first look that was not enough.
//
//go:noinline
func (l *locker) lock(ctx context.Context) error {
	err := l.ready(ctx)
	if err == nil && !l.mu.LockLook() {
		w := l.core.Waiter(ctx)
		err = l.mu.Lock(w)
		w.Done()
	}
	return l.locked("Lock", err)
}

// TryLock takes the lock if nobody holds it, and reports whether it did. It
// does not block. Errors are Lock's.
func (l *locker) TryLock() (bool, error) {
	err := l.made()
	if err == nil {
		err = l.core.Free()
	}
	ok := false
	if err == nil {
		ok, err = l.mu.TryLock()
	}
	if !ok && err == nil {
		return false, l.done("TryLock", l.core.Free())
	}
	err = l.locked("TryLock", err)
	return err == nil, err
}

// Recover takes the lock even if a holder died, and reports whether that is
// so: suspect. With a nil error it is held in either case. Then look at what it
// guards, repair that, call MarkConsistent and Unlock; Unlock without
// MarkConsistent leaves it suspect, for the next Recover. It blocks as Lock.
func (l *locker) Recover(ctx context.Context) (suspect bool, err error) {
	err = l.ready(ctx)
	if err == nil {
		w := l.core.Waiter(ctx)
		suspect, err = l.mu.Recover(w)
		w.Done()
	}
	err = l.locked("Recover", err)
	return suspect && err == nil, err
}

// MarkConsistent says that what the lock guards is whole again, so that Lock
// is as before. It does not block. The lock must be held by this process:
// shm.ErrNotOwner, shm.ErrNotLocked.
func (l *locker) MarkConsistent() error {
	err := l.made()
	if err == nil {
		err = l.core.Still(l.mu.MarkConsistent)
	}
	return l.done("MarkConsistent", err)
}

// Unlock frees the lock, from any goroutine of the process that holds it. It
// does not block. shm.ErrNotOwner if another process holds it and
// shm.ErrNotLocked if nobody does; then nothing has changed.
func (l *locker) Unlock() error {
	if mem.RaceEnabled || l.closed == nil || l.closed.Load() || !l.mu.UnlockGuess() {
		return l.unlock()
	}
	runtime.KeepAlive(l)
	return nil
}

//go:noinline
func (l *locker) unlock() error {
	err := l.made()
	if err == nil {
		l.core.Release()
		if l.core.Closed.Load() {
			err = l.core.Still(l.mu.Unlock)
		} else {
			err = l.mu.Unlock()
		}
	}
	return l.done("Unlock", err)
}

// made is what a call looks at that gives the lock back.
func (l *locker) made() error {
	if l.core == nil {
		return errNoHandle
	}
	return nil
}

// ready is what every other call looks at before it begins.
func (l *locker) ready(ctx context.Context) error {
	if l.core == nil {
		return errNoHandle
	}
	return l.core.Ready(ctx)
}
