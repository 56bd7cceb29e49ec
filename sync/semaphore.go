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

// ErrOverRelease says that more was released than the semaphore can have.
// Nothing has changed.
var ErrOverRelease = engine.ErrOverRelease

// MaxSemaphore is the largest count of a semaphore.
const MaxSemaphore = engine.LedgerMax

// A Semaphore is a count that any process gives to and takes from, and that is
// never below 0.
//
// When a process dies, what it took and has not given back comes back as far
// as the count then is at most the initial one. So a semaphore that guards n
// things, made with n, is whole again, and one that counts what others give,
// made with 0, gets back nothing that was consumed. Of one that is both, as
// the free places of a buffer are, it cannot be told what a dead process still
// had; a ring.Queue can tell.
type Semaphore struct{ semaphore }

// A BoundedSemaphore is a Semaphore whose count never exceeds the initial one:
// that many permits, of which all that a process holds when it dies come back.
type BoundedSemaphore struct{ semaphore }

// semaphore is both.
type semaphore struct {
	handle
	sem  engine.Semaphore
	kind string // "semaphore", for errors
}

// OpenSemaphore finds the semaphore called name in r, whatever its count is,
// or makes it with a count of initial: 0 to MaxSemaphore, else fs.ErrInvalid.
// It blocks only while another process changes the region's directory.
func OpenSemaphore(r *shm.Region, name string, initial int) (*Semaphore, error) {
	s := new(Semaphore)
	if err := s.open(r, name, engine.KindSemaphore, initial); err != nil {
		return nil, err
	}
	return s, nil
}

// OpenBoundedSemaphore finds the semaphore called name in r, whatever its
// bound is, or makes it with initial permits: 0 to MaxSemaphore, else
// fs.ErrInvalid. It blocks only while another process changes the region's
// directory.
func OpenBoundedSemaphore(r *shm.Region, name string, initial int) (*BoundedSemaphore, error) {
	s := new(BoundedSemaphore)
	if err := s.open(r, name, engine.KindBoundedSemaphore, initial); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *semaphore) open(r *shm.Region, name string, kind engine.Kind, initial int) error {
	op := "sync.OpenSemaphore"
	s.kind = "semaphore"
	if kind == engine.KindBoundedSemaphore {
		op, s.kind = "sync.OpenBoundedSemaphore", "boundedsemaphore"
	}
	if initial < 0 || initial > MaxSemaphore {
		return &shm.Error{Op: op, Region: r.Name(), Object: name,
			Err: fmt.Errorf("initial count %d, want 0 to %d: %w", initial, MaxSemaphore, fs.ErrInvalid)}
	}
	err := s.handle.open(r, object.Spec{Op: op, Kind: kind, Name: name,
		Create: func(participants int) ([]object.Field, uint64, func(mem.Area), error) {
			return nil, engine.SemaphoreSize(participants), func(a mem.Area) {
				engine.InitSemaphore(a, initial, kind == engine.KindBoundedSemaphore)
			}, nil
		}})
	if err != nil {
		return err
	}
	sem, err := engine.AttachSemaphore(s.core.Area, s.core.Env)
	if err != nil {
		return s.core.Err(op, err)
	}
	s.sem = *sem
	return nil
}

// Acquire takes one, and waits while there is none: it spins for moments, then
// sleeps. nil means taken. An error means not taken: ctx's, or shm.ErrClosed. A
// context that has ended makes no attempt. What was done before a Release is
// done for whoever acquires after it.
//
// If the process dies in Acquire it has taken one, which comes back as the
// type says, or none.
func (s *semaphore) Acquire(ctx context.Context) error {
	err := s.ready(ctx)
	if err == nil {
		var ok bool
		if ok, err = s.sem.TryAcquire(); err == nil && !ok {
			err = s.wait(ctx)
		}
	}
	return s.locked(s.op("Acquire", err), err)
}

//go:noinline
func (s *semaphore) wait(ctx context.Context) error {
	w := s.core.Waiter(ctx)
	defer w.Done()
	return s.sem.Acquire(w)
}

// TryAcquire takes one if there is one, and reports whether it did. It does
// not block. An error, with false, is shm.ErrClosed.
func (s *semaphore) TryAcquire() (ok bool, err error) {
	if err = s.ready(context.Background()); err == nil {
		if ok, err = s.sem.TryAcquire(); ok {
			s.acquire()
		}
	}
	err = s.done(s.op("TryAcquire", err), err)
	return ok && err == nil, err
}

// Release gives n, all or none, and wakes as many who wait. Any process may,
// whatever it has acquired. It does not block. n below 1 is fs.ErrInvalid; more
// than the semaphore can have is ErrOverRelease; then nothing has changed. A
// process that dies in it has given all n or none.
func (s *semaphore) Release(n int) error {
	err := s.ready(context.Background())
	if err == nil && n < 1 {
		err = fmt.Errorf("%d, want 1 at least: %w", n, fs.ErrInvalid)
	}
	if err == nil {
		s.release()
		err = s.sem.Release(n)
	}
	return s.done(s.op("Release", err), err)
}

// Value is the count at this instant; 0 on a closed region.
func (s *semaphore) Value() int {
	if s.core == nil {
		return 0
	}
	v := s.sem.Value()
	if s.core.Closed.Load() {
		v = 0
	}
	s.core.KeepAlive()
	return v
}

// op names a method for an error, if there is one.
func (s *semaphore) op(method string, err error) string {
	if err == nil && s.core != nil && !s.core.Closed.Load() {
		return ""
	}
	if s.kind == "" {
		return "semaphore." + method
	}
	return s.kind + "." + method
}

// MarshalBinary makes the handle an argument.
func (s *semaphore) MarshalBinary() ([]byte, error) {
	return s.marshal(s.op("MarshalBinary", fs.ErrInvalid))
}

// UnmarshalBinary opens the semaphore that another process's handle was on.
func (s *Semaphore) UnmarshalBinary(b []byte) error {
	return unmarshal("semaphore.UnmarshalBinary", engine.KindSemaphore, b, func(r *shm.Region, name string) error {
		return s.open(r, name, engine.KindSemaphore, 0)
	})
}

// UnmarshalBinary opens the semaphore that another process's handle was on.
func (s *BoundedSemaphore) UnmarshalBinary(b []byte) error {
	return unmarshal("boundedsemaphore.UnmarshalBinary", engine.KindBoundedSemaphore, b, func(r *shm.Region, name string) error {
		return s.open(r, name, engine.KindBoundedSemaphore, 0)
	})
}
