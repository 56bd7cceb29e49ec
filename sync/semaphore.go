package sync

import (
	"context"
	"fmt"
	"io/fs"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// A Semaphore is a count of permits: Acquire takes one, and waits while there
// is none; Release gives some, and may be called by a process that took none.
// There are at most 16,777,215.
//
// The region knows for each process how many permits it has taken and not
// given. When a process dies or closes the region, those come back, but never
// so that there are more than the semaphore was made with. So one that guards
// n things, made with n, heals; and of one that counts signals, made with 0,
// what was consumed stays consumed. Permits that the dead one gave stay. What
// one process takes and another gives is still the first one's.
//
// Hence a semaphore that counts the free slots of a buffer between two
// processes is a poor choice: of slots that a dead producer has filled it
// would think that they are free again. That is what package ring's Queue is for.
//
// A stopped process is not dead: it keeps its permits.
//
// In the terminology of the [Go memory model], a call of Release synchronizes
// before the return of every Acquire, and every TryAcquire that takes a permit,
// that comes after it in the order in which the count changes, whichever
// permit it takes. So the race detector, as with a buffered channel, can miss a
// race between two holders that were not there at the same time.
//
// [Go memory model]: https://go.dev/ref/mem
type Semaphore struct{ permits }

// OpenSemaphore finds the semaphore called name in r, or makes it with initial
// permits, 0 to 16,777,215. initial is of no meaning for one that is there,
// and -1 takes what is there, or is fs.ErrNotExist. It blocks, and
// fails, as every OpenX does: see package shm.
func OpenSemaphore(r *shm.Region, name string, initial int) (*Semaphore, error) {
	s := new(Semaphore)
	if err := s.open(r, "sync.OpenSemaphore", engine.KindSemaphore, name, initial); err != nil {
		return nil, err
	}
	return s, nil
}

// MarshalBinary makes the handle an argument; see [Mutex.MarshalBinary].
func (s *Semaphore) MarshalBinary() ([]byte, error) { return s.marshal("semaphore.MarshalBinary") }

// UnmarshalBinary opens the semaphore that another process's handle was on; see
// [Mutex.UnmarshalBinary].
func (s *Semaphore) UnmarshalBinary(b []byte) error {
	return unmarshal("semaphore.UnmarshalBinary", engine.KindSemaphore, b, func(r *shm.Region, name string) error {
		return s.open(r, "sync.OpenSemaphore", engine.KindSemaphore, name, -1)
	})
}

// A BoundedSemaphore is a [Semaphore] that never has more permits than it was
// made with: a Release past that is [ErrOverRelease], and changes nothing. Also
// of several at once, for which there is room for one, one succeeds. What is
// ordered is as with a Semaphore.
//
// When a process dies or closes the region, the permits that it has taken and
// not given come back, all of them and no more. What one process takes and
// another gives is still the first one's: a bounded semaphore is for those who
// give what they took.
type BoundedSemaphore struct{ permits }

// OpenBoundedSemaphore finds the bounded semaphore called name in r, or makes
// it with initial permits, 0 to 16,777,215, which is then its bound. initial
// is of no meaning for one that is there, and -1 takes what is there, or is
// fs.ErrNotExist. It blocks, and fails, as every OpenX does: see package shm.
func OpenBoundedSemaphore(r *shm.Region, name string, initial int) (*BoundedSemaphore, error) {
	s := new(BoundedSemaphore)
	if err := s.open(r, "sync.OpenBoundedSemaphore", engine.KindBoundedSemaphore, name, initial); err != nil {
		return nil, err
	}
	return s, nil
}

// MarshalBinary makes the handle an argument; see [Mutex.MarshalBinary].
func (s *BoundedSemaphore) MarshalBinary() ([]byte, error) {
	return s.marshal("boundedsemaphore.MarshalBinary")
}

// UnmarshalBinary opens the semaphore that another process's handle was on; see
// [Mutex.UnmarshalBinary].
func (s *BoundedSemaphore) UnmarshalBinary(b []byte) error {
	return unmarshal("boundedsemaphore.UnmarshalBinary", engine.KindBoundedSemaphore, b, func(r *shm.Region, name string) error {
		return s.open(r, "sync.OpenBoundedSemaphore", engine.KindBoundedSemaphore, name, -1)
	})
}

// permits are what both kinds have in common.
type permits struct {
	handle
	sem     engine.Semaphore
	bounded bool
}

func (p *permits) open(r *shm.Region, op string, kind engine.Kind, name string, initial int) error {
	if initial < -1 || initial > engine.LedgerMax {
		return &shm.Error{Op: op, Region: r.Name(), Object: name, Err: fmt.Errorf("%d permits, want 0 to %d: %w", initial, engine.LedgerMax, fs.ErrInvalid)}
	}
	bounded := kind == engine.KindBoundedSemaphore
	err := open(&p.handle, &p.sem, r, object.Spec{Op: op, Kind: kind, Name: name,
		Create: func(participants int) ([]object.Field, uint64, func(mem.Area), error) {
			if initial < 0 {
				return nil, 0, nil, fmt.Errorf("there is none to take the count from: %w", fs.ErrNotExist)
			}
			return nil, engine.SemaphoreSize(participants), func(a mem.Area) { engine.InitSemaphore(a, initial) }, nil
		}}, func(c *object.Core) (*engine.Semaphore, error) { return engine.AttachSemaphore(c.Area, c.Env, bounded) })
	if err == nil {
		p.bounded = bounded
	}
	return err
}

// op is a method's name in errors.
func (p *permits) op(method string) string {
	if p.bounded {
		return "boundedsemaphore." + method
	}
	return "semaphore." + method
}

// Acquire takes a permit, and waits while there is none: it spins for moments,
// then sleeps. nil means taken. An error means not taken: ctx's, or
// shm.ErrClosed. A context that has ended makes no attempt. None of the waiters
// is next, and a call that comes by may be before them; but once a waiter has
// waited for a millisecond, newcomers stand back for a moment.
//
// A process that dies in it has taken a permit, which comes back, or it has not.
func (p *permits) Acquire(ctx context.Context) error {
	if mem.RaceEnabled || p.closed == nil || !object.Endless(ctx) && ctx.Err() != nil ||
		!p.sem.AcquireNow() { // not of zeroes: they have no tenant
		return p.acquireSlow(ctx)
	}
	if p.closed.Load() {
		return p.took("Acquire", nil)
	}
	p.keep()
	return nil
}

// acquireSlow is Acquire after a first look that was not enough.
//
//go:noinline
func (p *permits) acquireSlow(ctx context.Context) error {
	err := p.ready(ctx)
	if err == nil && !p.sem.AcquireNow() {
		w := p.core.Waiter(ctx)
		err = p.sem.Acquire(w)
		w.Done()
	}
	return p.took("Acquire", err)
}

// took ends a call that took a permit, if err is nil.
func (p *permits) took(method string, err error) error {
	if err == nil && p.core.Closed.Load() && p.core.Gate.Undo(func() { p.sem.GiveBack() }) {
		err = shm.ErrClosed // else the region went with the permit taken
	}
	if err == nil {
		p.core.Acquire()
	}
	return p.ends(method, err)
}

// ends is done, of a method whose name is made only where it is needed.
func (p *permits) ends(method string, err error) error {
	if err == nil {
		p.core.KeepAlive()
		return nil
	}
	return p.core.Done(p.op(method), err)
}

// TryAcquire takes a permit if there is one, and reports whether it did. It
// does not block. An error, with false, is Acquire's.
func (p *permits) TryAcquire() (bool, error) {
	if mem.RaceEnabled || p.closed == nil || !p.sem.AcquireNow() {
		return p.tryAcquire()
	}
	if p.closed.Load() {
		err := p.took("TryAcquire", nil)
		return err == nil, err
	}
	p.keep()
	return true, nil
}

//go:noinline
func (p *permits) tryAcquire() (bool, error) {
	err := p.readyNow()
	if err == nil {
		var ok bool
		if ok, err = p.sem.TryAcquire(); !ok && err == nil {
			return false, p.ends("TryAcquire", p.core.Free())
		}
	}
	err = p.took("TryAcquire", err)
	return err == nil, err
}

// Release gives n permits, all or none, and wakes as many who wait. It does
// not block. n below 1 is fs.ErrInvalid; more than there may be, which a bounded
// semaphore says of more than it was made with, is ErrOverRelease. Then nothing
// has changed. A process that dies in it has given all of them, or none.
func (p *permits) Release(n int) error {
	if mem.RaceEnabled || p.closed == nil || p.closed.Load() || !p.sem.ReleaseNow(n) {
		return p.releaseSlow(n)
	}
	p.sem.Wake(n)
	p.keep()
	return nil
}

//go:noinline
func (p *permits) releaseSlow(n int) error {
	err := p.readyNow()
	switch {
	case err != nil:
	case n < 1:
		err = fmt.Errorf("%d permits: %w", n, fs.ErrInvalid)
	default:
		p.core.Release()
		if err = p.sem.Release(n); err == ErrOverRelease {
			err = fmt.Errorf("%d permits, there may be at most %d: %w", n, p.sem.Most(), err)
		}
	}
	return p.ends("Release", err)
}

// Value is how many permits there are at this instant; 0 of a closed handle. It
// does not block.
func (p *permits) Value() int {
	if p.core == nil || p.core.Closed.Load() {
		return 0
	}
	defer p.core.KeepAlive()
	return p.sem.Value()
}

// WaitSource is for [shm.WaitAny], which waits for several things at once.
func (p *permits) WaitSource() object.Source { return p.source(&p.sem) }
