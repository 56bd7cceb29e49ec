package sync

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sys"
	"example.com/tandem/shm"
)

// A Mutex is a lock that at most one process at a time holds. It is not
// reentrant: a second Lock by its holder waits for an Unlock by another
// goroutine.
//
// If a process dies in one of its methods it either holds the lock then, and
// the others are told ErrOwnerDied, or it does not.
type Mutex struct {
	core   *object.Core
	mu     *engine.Mutex
	tag    unsafe.Pointer // the race detector's name for it, one a process
	repair atomic.Pointer[func(context.Context) error]
}

var errNoHandle = fmt.Errorf("the handle was not made by OpenMutex: %w", fs.ErrInvalid)

// OpenMutex finds the mutex called name in r, or makes it, unlocked. It blocks
// only while another process changes the region's directory.
func OpenMutex(r *shm.Region, name string) (*Mutex, error) {
	m := new(Mutex)
	if err := m.open(r, name); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Mutex) open(r *shm.Region, name string) error {
	const op = "sync.OpenMutex"
	core, err := r.OpenObject(object.Spec{Op: op, Kind: engine.KindMutex, Name: name,
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			return nil, engine.MutexSize, engine.InitMutex, nil
		}})
	if err != nil {
		return err
	}
	mu, err := engine.AttachMutex(core.Area, core.Env)
	if err != nil {
		return core.Err(op, err)
	}
	tag := core.SharedOnce(func() any { return new(uint64) }).(*uint64)
	m.core, m.mu, m.tag = core, mu, unsafe.Pointer(tag)
	return nil
}

// Lock takes the mutex, and waits while any goroutine of any process has it,
// this one's included: it spins for moments, then sleeps. nil means held. An
// error means not held: ctx's, ErrOwnerDied at once as long as the mutex is
// abandoned (see Recover, and OnOwnerDied, which may answer it), or
// shm.ErrClosed. A context that has ended makes no attempt.
func (m *Mutex) Lock(ctx context.Context) error {
	err := m.ready(ctx)
	if err == nil && !m.mu.LockNow() {
		err = m.lockSlow(ctx)
	}
	return m.locked("mutex.Lock", err)
}

func (m *Mutex) lockSlow(ctx context.Context) error {
	w := m.core.Waiter(ctx)
	defer w.Done()
	err := m.mu.Lock(w)
	if err == engine.ErrOwnerDied {
		err = m.answer(ctx, w)
	}
	return err
}

// TryLock takes the mutex if nobody holds it, and reports whether it did. It
// does not block. An error, with false, is Lock's.
func (m *Mutex) TryLock() (bool, error) {
	ctx := context.Background()
	err := m.ready(ctx)
	if err == nil {
		var ok bool
		ok, err = m.mu.TryLock()
		if err == engine.ErrOwnerDied {
			err = m.answer(ctx, atOnce{})
			ok = err != errBusy
		}
		if !ok && (err == nil || err == errBusy) && !m.core.Closed.Load() {
			m.core.KeepAlive()
			return false, nil
		}
	}
	err = m.locked("mutex.TryLock", err)
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
	err = m.locked("mutex.Recover", err)
	return suspect && err == nil, err
}

// MarkConsistent says that what the mutex guards is whole again, so that Lock
// succeeds again. It does not block. It is for the process that holds the
// mutex; to others ErrNotOwner, or ErrNotLocked, and nothing changes.
func (m *Mutex) MarkConsistent() error {
	err := m.ready(context.Background())
	if err == nil {
		err = m.mu.MarkConsistent()
	}
	return m.done("mutex.MarkConsistent", err)
}

// OnOwnerDied gives this handle an answer to ErrOwnerDied: a Lock or TryLock
// through it that finds the mutex abandoned takes it and calls repair, with
// the caller's context. If repair returns nil the mutex is consistent and
// Lock returns, nil and with the mutex held. If it fails, or panics, the mutex
// is unlocked and left abandoned, and Lock returns ErrOwnerDied with repair's
// error. repair does not lock, unlock or mark the mutex. nil takes the answer
// back.
func (m *Mutex) OnOwnerDied(repair func(context.Context) error) {
	if repair == nil {
		m.repair.Store(nil)
		return
	}
	m.repair.Store(&repair)
}

// answer runs the handle's answer to ErrOwnerDied, if it has one. With a nil
// error the mutex is held.
func (m *Mutex) answer(ctx context.Context, s engine.Sleeper) error {
	f := m.repair.Load()
	if f == nil {
		return engine.ErrOwnerDied
	}
	suspect, err := m.mu.Recover(s)
	if err != nil || !suspect || m.core.Closed.Load() {
		return err // nil: another repaired it, or locked sees that it was closed
	}
	mem.RaceAcquire(m.tag)
	held := true
	defer func() {
		if held { // repair failed, or panics
			mem.RaceReleaseMerge(m.tag)
			m.mu.Unlock()
		}
	}()
	if err := (*f)(ctx); err != nil {
		return fmt.Errorf("%w; the repair failed: %w", engine.ErrOwnerDied, err)
	}
	if err := m.mu.MarkConsistent(); err != nil {
		return err
	}
	held = false
	return nil
}

// Unlock frees the mutex, from any goroutine of the process that holds it. It
// does not block. ErrNotOwner if another process holds it and ErrNotLocked if
// nobody does; then nothing has changed.
func (m *Mutex) Unlock() error {
	err := m.ready(context.Background())
	if err == nil {
		if mem.RaceEnabled {
			mem.RaceReleaseMerge(m.tag)
		}
		err = m.mu.Unlock()
	}
	return m.done("mutex.Unlock", err)
}

// Owner is the process that holds the mutex at this instant; it may be dead
// already. false if nobody does. It does not block.
func (m *Mutex) Owner() (shm.Participant, bool) {
	if m.ready(context.Background()) != nil {
		return shm.Participant{}, false
	}
	defer m.core.KeepAlive()
	who, ok := m.mu.Owner()
	if !ok {
		return shm.Participant{}, false
	}
	p := shm.Participant{Index: int(who.Index), Epoch: who.Epoch, State: shm.Dead}
	if r, err := shm.RegionByID(m.core.Ref.Region); err == nil {
		defer r.Close() // one handle of several
		for _, q := range r.Participants() {
			if q.Index == p.Index && q.Epoch == p.Epoch {
				return q, true
			}
		}
	}
	// It has left the table since the look at the word, or the word is none of
	// ours: nobody who is there holds it.
	again, ok := m.mu.Owner()
	return p, ok && again == who
}

// ready is what every call looks at before it begins.
func (m *Mutex) ready(ctx context.Context) error {
	if m.core == nil {
		return errNoHandle
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.core.Closed.Load() {
		return shm.ErrClosed
	}
	return nil
}

// locked ends a call that holds the mutex if err is nil: unless the region was
// closed meanwhile, and the mutex is gone with it.
func (m *Mutex) locked(op string, err error) error {
	if err == nil && mem.RaceEnabled {
		mem.RaceAcquire(m.tag)
	}
	return m.done(op, err)
}

func (m *Mutex) done(op string, err error) error {
	if m.core == nil {
		return &shm.Error{Op: op, Err: err}
	}
	if m.core.Closed.Load() {
		err = shm.ErrClosed // whatever was seen may have been the zeroes
	}
	m.core.KeepAlive()
	if err == nil {
		return nil
	}
	return m.core.Err(op, err)
}

// atOnce is a Sleeper that does not sleep.
type atOnce struct{}

var errBusy = errors.New("busy")

func (atOnce) Sleep(*uint32, uint32) error { return errBusy }
func (atOnce) Spin(int) bool               { return false }
func (atOnce) Now() int64                  { return sys.MonotonicNow() }
