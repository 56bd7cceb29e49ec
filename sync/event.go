package sync

import (
	"context"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// An Event is a flag that goroutines of any processes wait for.
//
// A Set releases all who wait when it is called, even if Clear follows at
// once. What was done before a Set is done for all whom it releases. Nothing is
// ever held, so nobody's death leaves anything behind, and Set and Clear wait
// for nobody.
type Event struct {
	handle
	ev engine.Event
}

// OpenEvent finds the event called name in r, or makes it, not set. It blocks
// only while another process changes the region's directory.
func OpenEvent(r *shm.Region, name string) (*Event, error) {
	e := new(Event)
	if err := e.open(r, name); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Event) open(r *shm.Region, name string) error {
	const op = "sync.OpenEvent"
	err := e.handle.open(r, object.Spec{Op: op, Kind: engine.KindEvent, Name: name,
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			return nil, engine.EventSize, engine.InitEvent, nil
		}})
	if err != nil {
		return err
	}
	ev, err := engine.AttachEvent(e.core.Area, e.core.Env)
	if err != nil {
		return e.core.Err(op, err)
	}
	e.ev = *ev
	return nil
}

// Set sets the event, and releases all who wait for it. One that is set stays
// set. It does not block. A process that dies in it has set the event, and all
// are released, or it has not.
func (e *Event) Set() error {
	err := e.ready(context.Background())
	if err == nil {
		e.release()
		e.ev.Set()
	}
	return e.done("event.Set", err)
}

// Clear takes the flag back: who calls Wait from now on waits for the next Set.
// It does not block.
func (e *Event) Clear() error {
	err := e.ready(context.Background())
	if err == nil {
		e.ev.Clear()
	}
	return e.done("event.Clear", err)
}

// IsSet reports whether the event is set. It does not block. On a closed
// region it is not.
func (e *Event) IsSet() bool {
	if e.core == nil {
		return false
	}
	_, set := e.ev.Look()
	set = set && !e.core.Closed.Load()
	if set {
		e.acquire()
	}
	e.core.KeepAlive()
	return set
}

// Wait returns nil at once if the event is set, and else when it next is. It
// blocks until then: it spins for moments, then sleeps. An error says that no
// Set was called since Wait was: ctx's, or shm.ErrClosed. A context that has
// ended makes no attempt.
func (e *Event) Wait(ctx context.Context) error {
	const op = "event.Wait"
	err := e.ready(ctx)
	if err == nil {
		if first, set := e.ev.Look(); !set {
			err = e.wait(ctx, first)
		}
	}
	return e.locked(op, err)
}

//go:noinline
func (e *Event) wait(ctx context.Context, first uint64) error {
	w := e.core.Waiter(ctx)
	defer w.Done()
	return e.ev.Wait(w, first)
}

// MarshalBinary makes the handle an argument.
func (e *Event) MarshalBinary() ([]byte, error) { return e.marshal("event.MarshalBinary") }

// UnmarshalBinary opens the event that another process's handle was on.
func (e *Event) UnmarshalBinary(b []byte) error {
	return unmarshal("event.UnmarshalBinary", engine.KindEvent, b, e.open)
}
