package sync

import (
	"context"
	"runtime"
	gosync "sync"
	"sync/atomic"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// A handle is what all types of this package have in common: the object they
// are a handle on. How each of their calls begins and ends is the Core's.
type handle struct {
	core   *object.Core
	own    *shared
	closed *atomic.Bool // the core's, one step nearer; nil before it was opened
}

func handleOn(c *object.Core, own *shared) handle { return handle{c, own, c.Closed} }

// keep holds the mapping to here, as Core.KeepAlive does.
func (h *handle) keep() { runtime.KeepAlive(h) }

// shared is what all handles of this process on one object have in common.
type shared struct {
	tag [2]uint64 // more names for the race detector: readers, rounds
	reentry
	line    engine.CondLine
	barrier gosync.Once
	left    engine.BarrierLeft
	excused atomic.Int32
}

func sharedOf(c *object.Core) *shared {
	return c.SharedOnce(func() any { return new(shared) }).(*shared)
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

// open makes h a handle on the object that s asks for, and to what attach makes
// of its words. If it fails both are what they were.
func open[E any](h *handle, to *E, r *shm.Region, s object.Spec, attach func(*object.Core) (*E, error)) error {
	var e *E
	core, err := object.Open(r, s, func(c *object.Core) (err error) {
		e, err = attach(c)
		return err
	})
	if err == nil {
		*h, *to = handleOn(core, sharedOf(core)), *e
	}
	return err
}

// made is what a call looks at that gives something back, or ends it.
func (h *handle) made() error {
	if h.core == nil {
		return errNoHandle
	}
	return nil
}

// readyNow is what every other call looks at before it begins, and ready is it of
// one that may block.
func (h *handle) readyNow() error {
	if h.core == nil {
		return errNoHandle
	}
	return h.core.Free()
}

func (h *handle) ready(ctx context.Context) error {
	if h.core == nil {
		return errNoHandle
	}
	return h.core.Ready(ctx)
}

// source is the WaitSource of a type that has one.
func (h *handle) source(of engine.Source) object.Source {
	if h.core == nil {
		return object.Source{Err: errNoHandle}
	}
	return object.Source{Core: h.core, Of: of}
}

// close is every type's Close.
func (h *handle) close(op string) error {
	if h.core == nil {
		return h.core.Done(op, errNoHandle)
	}
	h.core.Close()
	return nil
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
	if h.core == nil {
		return nil, h.core.Done(op, errNoHandle)
	}
	return h.core.Marshal(op)
}

// unmarshal is their UnmarshalBinary: open is to open the object, which must be
// there.
func unmarshal(op string, kind engine.Kind, b []byte, open func(r *shm.Region, name string) error) error {
	return object.Arrive(op, kind, b, shm.Arrived, func(r *shm.Region, ref object.Ref) error { return open(r, ref.Object) })
}
