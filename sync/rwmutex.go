package sync

import (
	"context"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// An RWMutex is a lock that at most one process at a time holds for writing, or
// any number for reading. Reading is cheap where it is frequent: processes that
// read touch no memory in common but to look at it.
//
// A Lock that waits keeps new readers out, so writers are not starved. Readers
// that were passed over for a millisecond are let in before the next writers,
// which stand back for as long at most, so they are not starved either.
//
// It is not reentrant: a Lock by a process that reads or writes waits for that
// process's own unlock, and an RLock by one that reads may wait for a writer
// that waits for it.
//
// If a process dies as a reader, it just stops counting. If it dies as a
// writer, the lock is abandoned: all are told [ErrOwnerDied], readers too,
// until somebody repairs. One that dies while it waits leaves nothing.
//
// In the terminology of the [Go memory model], the n'th call of
// [RWMutex.Unlock] synchronizes before the return of the m'th call of
// [RWMutex.Lock], for any n < m, in whatever processes. For each call of
// [RWMutex.RLock] there is an n such that the n'th Unlock synchronizes before
// the return of that RLock, and the [RWMutex.RUnlock] that ends that reading
// synchronizes before the return of the n+1'th Lock. An attempt that succeeds
// counts as the call that waits, and a Recover as a Lock; an attempt that fails
// orders nothing.
//
// [Go memory model]: https://go.dev/ref/mem
type RWMutex struct {
	handle
	rw     engine.RWMutex
	answer answer
}

// OpenRWMutex finds the reader/writer lock called name in r, or makes it,
// unlocked. It blocks, and fails, as every OpenX does: see package shm.
func OpenRWMutex(r *shm.Region, name string) (*RWMutex, error) {
	m := new(RWMutex)
	if err := m.open(r, name); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *RWMutex) open(r *shm.Region, name string) error {
	return open(&m.handle, &m.rw, r, object.Spec{Op: "sync.OpenRWMutex", Kind: engine.KindRWMutex, Name: name,
		Create: func(participants int) ([]object.Field, uint64, func(mem.Area), error) {
			return nil, engine.RWMutexSize(participants), engine.InitRWMutex, nil
		}}, func(c *object.Core) (*engine.RWMutex, error) { return engine.AttachRWMutex(c.Area, c.Env) })
}

// Lock locks for writing, and waits while any goroutine of any process reads
// or writes, this one's included: it spins for moments, then sleeps. nil means
// held. An error means not held: ctx's, ErrOwnerDied at once as long as the
// lock is abandoned (see Recover, and OnOwnerDied, which may answer it), or
// shm.ErrClosed. A context that has ended makes no attempt.
func (m *RWMutex) Lock(ctx context.Context) error {
	if m.closed == nil || !object.Endless(ctx) && ctx.Err() != nil || !m.rw.LockGuess() ||
		!m.rw.Alone() && !m.rw.Enter() {
		return m.lock(ctx)
	}
	if mem.RaceEnabled || m.closed.Load() {
		return m.wlocked("rwmutex.Lock", nil)
	}
	m.keep()
	return nil
}

// lock is Lock after a first look that was not enough.
//
//go:noinline
func (m *RWMutex) lock(ctx context.Context) error {
	err := m.ready(ctx)
	if err == nil && !m.rw.LockLook() {
		w := m.core.Waiter(ctx)
		err = m.rw.Lock(w)
		w.Done()
		if err == engine.ErrOwnerDied {
			err = m.answer.give(ctx, &m.handle, writing{m}, false)
		}
	}
	return m.wlocked("rwmutex.Lock", err)
}

// TryLock locks for writing if nobody reads or writes, and reports whether it
// did. It does not block, but in a repair that [RWMutex.OnOwnerDied] gave. An error, with
// false, is Lock's. Of calls of TryLock and TryRLock that meet each other, and nobody else,
// one is true.
func (m *RWMutex) TryLock() (bool, error) {
	ctx := context.Background()
	err := m.readyNow()
	if err == nil {
		var ok bool
		ok, err = m.rw.TryLock()
		if err == engine.ErrOwnerDied {
			err = m.answer.give(ctx, &m.handle, writing{m}, true)
			ok = err != errBusy
		}
		if busy(ok, err) {
			return false, m.core.Done("rwmutex.TryLock", m.core.Free())
		}
	}
	err = m.wlocked("rwmutex.TryLock", err)
	return err == nil, err
}

// busy reports whether an attempt found others inside, and nothing wrong.
func busy(ok bool, err error) bool { return !ok && (err == nil || err == errBusy) }

// Recover locks for writing, abandoned or not, and reports which: suspect says
// that a writer died and nobody has repaired since. With a nil error it is
// held in either case. Look at what it guards, make that whole, call
// MarkConsistent and then Unlock. Unlock without MarkConsistent leaves it
// abandoned, for the next Recover. It blocks as Lock does; its errors are
// Lock's but for ErrOwnerDied.
func (m *RWMutex) Recover(ctx context.Context) (suspect bool, err error) {
	err = m.ready(ctx)
	if err == nil {
		w := m.core.Waiter(ctx)
		suspect, err = m.rw.Recover(w)
		w.Done()
	}
	err = m.wlocked("rwmutex.Recover", err)
	return suspect && err == nil, err
}

// MarkConsistent says that what the lock guards is whole again, so that Lock
// and RLock succeed again. It does not block. It is for the process that
// writes; to others ErrNotOwner, or ErrNotLocked, and nothing changes.
func (m *RWMutex) MarkConsistent() error {
	err := m.made()
	if err == nil {
		err = m.core.Still(m.rw.MarkConsistent)
	}
	return m.core.Done("rwmutex.MarkConsistent", err)
}

// OnOwnerDied gives this handle an answer to ErrOwnerDied: whichever Lock,
// TryLock, RLock or TryRLock through it finds the lock abandoned locks it for
// writing and calls repair, with the caller's context (of TryLock and TryRLock,
// context.Background()). If repair returns nil
// the lock is consistent, and the call goes on as if nothing had been. If it
// fails, or panics, the lock is unlocked and left abandoned, and the call
// returns ErrOwnerDied with repair's error. repair does not lock, unlock or
// mark the lock. nil takes the answer back.
func (m *RWMutex) OnOwnerDied(repair func(context.Context) error) { m.answer.set(repair) }

// Unlock ends writing, from any goroutine of the process that writes. It does
// not block. ErrNotOwner if another process writes and ErrNotLocked if nobody
// does; then nothing has changed.
func (m *RWMutex) Unlock() error {
	if mem.RaceEnabled || m.closed == nil || m.closed.Load() || !m.rw.Leave() {
		return m.unlock()
	}
	if !m.rw.UnlockGuess() {
		return m.free()
	}
	m.rw.Wake()
	m.keep()
	return nil
}

// free is the rest of Unlock, of a writer that has left.
//
//go:noinline
func (m *RWMutex) free() error { return m.core.Done("rwmutex.Unlock", m.rw.Free()) }

//go:noinline
func (m *RWMutex) unlock() error {
	err := m.made()
	if err == nil {
		m.core.Release()
		err = m.core.Still(m.rw.Unlock)
	}
	return m.core.Done("rwmutex.Unlock", err)
}

// Owner is the process that writes at this instant; it may be dead already.
// false if nobody does: one that waits for readers does not yet. It does not
// block.
func (m *RWMutex) Owner() (shm.Participant, bool) { return m.participant(m.rw.Owner) }

// RLock locks for reading, and waits while any process writes, or waits to:
// it spins for moments, then sleeps. nil means held; each RLock needs an
// RUnlock. An error means not held: ctx's, ErrOwnerDied at once as long as the
// lock is abandoned (OnOwnerDied may answer it), or shm.ErrClosed. A context
// that has ended makes no attempt.
func (m *RWMutex) RLock(ctx context.Context) error {
	if m.closed == nil || !object.Endless(ctx) && ctx.Err() != nil || !m.rw.Quiet() {
		return m.rlock(ctx)
	}
	if !m.rw.StepIn() {
		m.rw.StepOut()
		return m.rlock(ctx)
	}
	if mem.RaceEnabled || m.closed.Load() {
		return m.core.Locked("rwmutex.RLock", nil, reading{m})
	}
	m.keep()
	return nil
}

//go:noinline
func (m *RWMutex) rlock(ctx context.Context) error {
	err := m.ready(ctx)
	for err == nil {
		w := m.core.Waiter(ctx)
		err = m.rw.RLock(w)
		w.Done()
		if err != engine.ErrOwnerDied {
			break
		}
		err = m.mend(m.answer.give(ctx, &m.handle, writing{m}, false))
	}
	return m.core.Locked("rwmutex.RLock", err, reading{m})
}

// TryRLock locks for reading if nobody writes or waits to, and reports whether
// it did. It does not block, but in a repair that [RWMutex.OnOwnerDied] gave. An error,
// with false, is RLock's. Where it meets TryLock see there.
func (m *RWMutex) TryRLock() (bool, error) {
	ctx := context.Background()
	err := m.readyNow()
	if err == nil {
		var ok bool
		ok, err = m.rw.TryRLock()
		if err == engine.ErrOwnerDied {
			if err = m.mend(m.answer.give(ctx, &m.handle, writing{m}, true)); err == nil {
				ok, err = m.rw.TryRLock()
			}
		}
		if busy(ok, err) {
			return false, m.core.Done("rwmutex.TryRLock", m.core.Free())
		}
	}
	err = m.core.Locked("rwmutex.TryRLock", err, reading{m})
	return err == nil, err
}

// RUnlock ends one reading, from any goroutine of a process that reads. It
// does not block. If this process does not read: ErrNotLocked if nobody does,
// else ErrNotOwner; then nothing has changed.
func (m *RWMutex) RUnlock() error {
	if mem.RaceEnabled || m.closed == nil || m.closed.Load() {
		return m.runlock()
	}
	switch m.rw.RUnlockGuess() {
	case 0:
		return m.runlock()
	case 1:
		m.rw.Drained()
	}
	m.keep()
	return nil
}

//go:noinline
func (m *RWMutex) runlock() error {
	err := m.made()
	if err == nil {
		if mem.RaceEnabled {
			mem.RaceReleaseMerge(m.readers())
		}
		err = m.core.Still(m.rw.RUnlock)
	}
	return m.core.Done("rwmutex.RUnlock", err)
}

// mend ends the writing that the handle's answer was given in, with err. With a
// nil error the lock is neither abandoned nor held here.
func (m *RWMutex) mend(err error) error {
	if err != nil {
		return err
	}
	m.core.Release()
	return m.rw.Unlock()
}

// readers is what the race detector knows the readers' unlocks by. A writer
// comes after them; a reader does not come after other readers.
func (m *RWMutex) readers() unsafe.Pointer { return unsafe.Pointer(&m.own.tag[1]) }

// wlocked ends a call that locks for writing.
func (m *RWMutex) wlocked(op string, err error) error {
	if mem.RaceEnabled && err == nil {
		mem.RaceAcquire(m.readers())
	}
	return m.core.Locked(op, err, &m.rw)
}

// writing is an RWMutex as a caller that repairs what it guards has it.
type writing struct{ m *RWMutex }

func (w writing) Recover(s engine.Sleeper) (suspect bool, err error) {
	suspect, err = w.m.rw.Recover(s)
	if mem.RaceEnabled && err == nil {
		mem.RaceAcquire(w.m.readers())
	}
	return suspect, err
}

func (w writing) MarkConsistent() error { return w.m.rw.MarkConsistent() }
func (w writing) Unlock() error         { return w.m.rw.Unlock() }

// reading is an RWMutex as a caller that gives back a reading has it. A reading
// is given back in any case: one that the region went with ends with it, and
// nobody is told.
type reading struct{ m *RWMutex }

func (r reading) Unlock() error {
	r.m.rw.RUnlock()
	return nil
}

// MarshalBinary makes the handle an argument; see [Mutex.MarshalBinary].
func (m *RWMutex) MarshalBinary() ([]byte, error) { return m.marshal("rwmutex.MarshalBinary") }

// UnmarshalBinary opens the lock that another process's handle was on; see
// [Mutex.UnmarshalBinary].
func (m *RWMutex) UnmarshalBinary(b []byte) error {
	err := unmarshal("rwmutex.UnmarshalBinary", engine.KindRWMutex, b, m.open)
	if err == nil {
		m.answer.set(nil)
	}
	return err
}
