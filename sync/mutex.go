package sync

import (
	"context"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// A Mutex is a lock that at most one process at a time holds. It is not
// reentrant: a second Lock by its holder waits for an Unlock by another
// goroutine.
//
// If a process dies in one of its methods it either holds the lock then, and
// the others are told [ErrOwnerDied], or it does not.
//
// In the terminology of the [Go memory model], the n'th call of [Mutex.Unlock]
// synchronizes before the return of the m'th call of [Mutex.Lock], for any
// n < m, in whatever processes. A TryLock or a Recover that takes the mutex
// counts as a Lock; one that does not take it orders nothing. What a holder did
// before it died is done for the caller that takes the mutex by
// [Mutex.Recover].
//
// [Go memory model]: https://go.dev/ref/mem
type Mutex struct {
	handle
	mu     engine.Mutex
	answer answer
}

// OpenMutex finds the mutex called name in r, or makes it, unlocked. It blocks, and
// fails, as every OpenX does: see package shm.
func OpenMutex(r *shm.Region, name string) (*Mutex, error) {
	m := new(Mutex)
	if err := m.open(r, name); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Mutex) open(r *shm.Region, name string) error {
	return open(&m.handle, &m.mu, r, object.Spec{Op: "sync.OpenMutex", Kind: engine.KindMutex, Name: name,
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			return nil, engine.MutexSize, engine.InitMutex, nil
		}}, func(c *object.Core) (*engine.Mutex, error) { return engine.AttachMutex(c.Area, c.Env) })
}

// Lock takes the mutex, and waits while any goroutine of any process has it,
// this one's included: it spins for moments, then sleeps. nil means held. An
// error means not held: ctx's, ErrOwnerDied at once as long as the mutex is
// abandoned (see [Mutex.Recover], and [Mutex.OnOwnerDied], which may answer
// it), or [shm.ErrClosed]. A context that has ended makes no attempt. A process
// that dies in Lock holds the mutex, which is abandoned then, or does not.
func (m *Mutex) Lock(ctx context.Context) error {
	if m.closed == nil || !object.Endless(ctx) && ctx.Err() != nil || !m.mu.LockGuess() {
		return m.lock(ctx)
	}
	if mem.RaceEnabled || m.closed.Load() {
		return m.core.Locked("mutex.Lock", nil, &m.mu)
	}
	m.keep()
	return nil
}

// lock is Lock after a first look that was not enough.
//
//go:noinline
func (m *Mutex) lock(ctx context.Context) error {
	err := m.ready(ctx)
	if err == nil && !m.mu.LockLook() {
		w := m.core.Waiter(ctx)
		err = m.mu.Lock(w)
		w.Done()
		if err == engine.ErrOwnerDied {
			err = m.answer.give(ctx, &m.handle, &m.mu, false)
		}
	}
	return m.core.Locked("mutex.Lock", err, &m.mu)
}

// TryLock takes the mutex if nobody holds it, and reports whether it did. It
// does not block, but in a repair that [Mutex.OnOwnerDied] gave. An error, with
// false, is Lock's.
func (m *Mutex) TryLock() (bool, error) {
	if m.closed == nil || !m.mu.LockGuess() {
		return m.tryLock()
	}
	if mem.RaceEnabled || m.closed.Load() {
		err := m.core.Locked("mutex.TryLock", nil, &m.mu)
		return err == nil, err
	}
	m.keep()
	return true, nil
}

//go:noinline
func (m *Mutex) tryLock() (bool, error) {
	ctx := context.Background()
	err := m.readyNow()
	if err == nil {
		var ok bool
		ok, err = m.mu.TryLock()
		if err == engine.ErrOwnerDied {
			err = m.answer.give(ctx, &m.handle, &m.mu, true)
			ok = err != errBusy
		}
		if !ok && (err == nil || err == errBusy) {
			return false, m.core.Done("mutex.TryLock", m.core.Free())
		}
	}
	err = m.core.Locked("mutex.TryLock", err, &m.mu)
	return err == nil, err
}

// Recover takes the mutex, abandoned or not, and reports which: suspect says
// that a holder died and nobody has repaired since. With a nil error it is
// held in either case. Look at what it guards, make that whole, call
// MarkConsistent and then Unlock. Unlock without MarkConsistent leaves it
// abandoned, for the next Recover. It blocks as Lock does; its errors are
// Lock's but for ErrOwnerDied.
func (m *Mutex) Recover(ctx context.Context) (suspect bool, err error) {
	err = m.ready(ctx)
	if err == nil {
		w := m.core.Waiter(ctx)
		suspect, err = m.mu.Recover(w)
		w.Done()
	}
	err = m.core.Locked("mutex.Recover", err, &m.mu)
	return suspect && err == nil, err
}

// MarkConsistent says that what the mutex guards is whole again, so that Lock
// succeeds again. It does not block. It is for the process that holds the
// mutex; to others [ErrNotOwner], or [ErrNotLocked], and nothing changes.
func (m *Mutex) MarkConsistent() error {
	err := m.made()
	if err == nil {
		err = m.core.Still(m.mu.MarkConsistent)
	}
	return m.core.Done("mutex.MarkConsistent", err)
}

// OnOwnerDied gives this handle an answer to ErrOwnerDied: a Lock or TryLock
// through it that finds the mutex abandoned takes it and calls repair, with
// the caller's context (of a TryLock, context.Background()). If repair returns nil the mutex is consistent and
// Lock returns, nil and with the mutex held. If it fails, or panics, the mutex
// is unlocked and left abandoned, and Lock returns ErrOwnerDied with repair's
// error. repair does not lock, unlock or mark the mutex. nil takes the answer
// back.
func (m *Mutex) OnOwnerDied(repair func(context.Context) error) { m.answer.set(repair) }

// Unlock frees the mutex, from any goroutine of the process that holds it. It
// does not block. [ErrNotOwner] if another process holds it and [ErrNotLocked]
// if nobody does; then nothing has changed. A process that dies in Unlock has
// freed the mutex, or holds it, and it is abandoned.
func (m *Mutex) Unlock() error {
	if mem.RaceEnabled || m.closed == nil || m.closed.Load() || !m.mu.UnlockGuess() {
		return m.unlock()
	}
	m.keep()
	return nil
}

//go:noinline
func (m *Mutex) unlock() error {
	err := m.made()
	if err == nil && m.core.Closed.Load() && m.own.excuse() {
		err = shm.ErrClosed
	}
	if err == nil {
		m.core.Release()
		err = m.core.Still(m.mu.Unlock)
	}
	return m.core.Done("mutex.Unlock", err)
}

// Owner is the process that holds the mutex at this instant; it may be dead
// already. false if nobody does. It does not block.
func (m *Mutex) Owner() (shm.Participant, bool) { return m.participant(m.mu.Owner) }
