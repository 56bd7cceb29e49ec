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
	"example.com/tandem/shm"
)

// A handle is what all types of this package have in common: the object they
// are a handle on, and how each of their calls begins and ends.
type handle struct {
	core *object.Core
	tag  unsafe.Pointer // the race detector's name for the object, one a process
	own  *shared
}

// shared is what all handles of this process on one object have in common.
type shared struct {
	tag [2]uint64
	reentry
	line    engine.CondLine
	excused atomic.Int32
}

// excuse reports whether an Unlock, in a region that is being closed, is that of
// one whose Wait has returned without the lock: it would free what another
// goroutine of this process has. Each such Wait excuses one.
func (s *shared) excuse() bool {
	for {
		n := s.excused.Load()
		if n == 0 {
			return false
		}
		if s.excused.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// open finds or makes the object that s asks for.
func (h *handle) open(r *shm.Region, s object.Spec) error {
	core, err := r.OpenObject(s)
	if err != nil {
		return err
	}
	h.core = core
	h.own = core.SharedOnce(func() any { return new(shared) }).(*shared)
	h.tag = unsafe.Pointer(&h.own.tag)
	return nil
}

var errNoHandle = fmt.Errorf("the handle was not made by an OpenX of package sync: %w", fs.ErrInvalid)

// made is what a call looks at that gives something back, or ends it: in a
// region that is just being closed it does so as long as it can.
func (h *handle) made() error {
	if h.core == nil {
		return errNoHandle
	}
	return nil
}

// ready is what every other call looks at before it begins.
func (h *handle) ready(ctx context.Context) error {
	if h.core == nil {
		return errNoHandle
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if h.core.Closed.Load() {
		return shm.ErrClosed
	}
	return nil
}

// still is what f returns, which gives something back, or ends it: ErrClosed
// where the handle was closed or the region is gone, and f not called.
func (h *handle) still(f func() error) error {
	if h.core.Closed.Load() && h.core.Ended() {
		return shm.ErrClosed
	}
	return h.here(f)
}

// here is still of what a closed handle goes on to give back.
func (h *handle) here(f func() error) error {
	if !h.core.Closed.Load() {
		return f()
	}
	err := shm.ErrClosed
	h.core.Gate.Here(func() { err = f() })
	return err
}

// close is every type's Close.
func (h *handle) close(op string) error {
	if h.core == nil {
		return &shm.Error{Op: op, Err: errNoHandle}
	}
	h.core.Close()
	return nil
}

// free is nil, or says that the region was closed: what an attempt that took
// nothing ends with.
func (h *handle) free() error {
	if h.core.Closed.Load() {
		return shm.ErrClosed
	}
	return nil
}

// done ends a call. What was wrong in a region that was closed meanwhile may
// have been the zeroes; that nothing was is for the call to know: object.Gate
// has what there is to do about it.
func (h *handle) done(op string, err error) error {
	mem.Between()
	if err == nil {
		h.core.KeepAlive()
		return nil
	}
	if h.core == nil {
		return &shm.Error{Op: op, Err: err}
	}
	if h.core.Closed.Load() && !errors.Is(err, shm.ErrClosed) {
		err = shm.ErrClosed
	}
	h.core.KeepAlive()
	return h.core.Err(op, err)
}

// An unlocker gives back what a call took. An error says that it is not there.
type unlocker interface{ Unlock() error }

// locked ends a call that has taken l, if err is nil: gives it back if the
// region was closed meanwhile.
func (h *handle) locked(op string, err error, l unlocker) error {
	mem.Between()
	if err == nil && h.core.Closed.Load() && !h.core.Gate.Took(func() bool { return l.Unlock() == nil }) {
		err = shm.ErrClosed
	}
	if err == nil {
		h.acquire()
	}
	return h.done(op, err)
}

// acquired ends a call after which the caller goes on with what others did
// before, if err is nil.
func (h *handle) acquired(op string, err error) error {
	if err == nil {
		h.acquire()
	}
	return h.done(op, err)
}

// seen is the err of a call which says what it saw, and that may have been the
// zeroes.
func (h *handle) seen(err error) error {
	if err == nil && h.core.Closed.Load() {
		return h.stands()
	}
	return err
}

//go:noinline
func (h *handle) stands() error {
	if !h.core.Gate.Stands() {
		return shm.ErrClosed
	}
	return nil
}

// acquire and release tell the race detector what the shared words order: what
// was done before a release is done for whoever acquires after it.
func (h *handle) acquire() {
	if mem.RaceEnabled {
		mem.RaceAcquire(h.tag)
	}
}

func (h *handle) release() {
	if mem.RaceEnabled {
		mem.RaceReleaseMerge(h.tag)
	}
}

// participant is the process that owner, read from the object's words, names;
// it may be dead already. false if nobody is there.
func (h *handle) participant(owner func() (engine.Self, bool)) (shm.Participant, bool) {
	if h.core == nil || h.core.Closed.Load() {
		return shm.Participant{}, false
	}
	defer h.core.KeepAlive()
	who, ok := owner()
	if !ok {
		return shm.Participant{}, false
	}
	p := shm.Participant{Index: int(who.Index), Epoch: who.Epoch, State: shm.Dead}
	for _, q := range shm.ParticipantsOf(h.core) {
		if q.Index == p.Index && q.Epoch == p.Epoch {
			return q, true
		}
	}
	// It has left the table since the look at the word, or the word is none of
	// ours: nobody who is there holds it.
	again, ok := owner()
	return p, ok && again == who
}

// marshal is the MarshalBinary of every type whose handles travel as they are.
func (h *handle) marshal(op string) ([]byte, error) {
	if err := h.done(op, h.ready(context.Background())); err != nil {
		return nil, err
	}
	return h.core.Ref.Marshal()
}

// unmarshal is their UnmarshalBinary: open is to open the object, which must be
// there, in a region that is open in this process.
func unmarshal(op string, kind engine.Kind, b []byte, open func(r *shm.Region, name string) error) error {
	ref, err := object.UnmarshalFor(op, kind, b)
	if err != nil {
		return err
	}
	return arrived(ref, func(r *shm.Region) error { return open(r, ref.Object) })
}

// arrived calls open with the view of its region in which ref's object is found.
func arrived(ref object.Ref, open func(r *shm.Region) error) error {
	r, err := shm.Arrived(ref)
	if err != nil {
		return err
	}
	defer r.Close() // one handle on the region of several: the object's stays
	return open(r)
}
