package sync

import (
	"context"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// An Event is a flag that any goroutine of any process can set, clear and wait
// for. Nobody owns it, so a death leaves it as it is: set, if Set was called,
// or not. A process that dies, or is stopped, while it waits holds up nobody.
//
// In the terminology of the [Go memory model], a call of [Event.Set]
// synchronizes before the return of every [Event.Wait] that it releases, every
// [Event.IsSet] that is true by it, and every [Event.Clear] that takes its flag
// away.
//
// [Go memory model]: https://go.dev/ref/mem
type Event struct {
	handle
	ev engine.Event
}

// OpenEvent finds the event called name in r, or makes it, not set. It blocks, and
// fails, as every OpenX does: see package shm.
func OpenEvent(r *shm.Region, name string) (*Event, error) {
	e := new(Event)
	if err := e.open(r, name); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Event) open(r *shm.Region, name string) error {
	return open(&e.handle, &e.ev, r, object.Spec{Op: "sync.OpenEvent", Kind: engine.KindEvent, Name: name,
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			return nil, engine.EventSize, engine.InitEvent, nil
		}}, func(c *object.Core) (*engine.Event, error) { return engine.AttachEvent(c.Area, c.Env) })
}

// Set sets the event and wakes all who wait for it. Everybody whose Wait had
// begun to wait returns nil, even if Clear follows at once. It does not block,
// whatever state those are in; a second Set changes nothing. A process that
// dies in Set has set the event or has not; if it has, those who wait are
// woken when its death is noticed.
func (e *Event) Set() error {
	err := e.readyNow()
	if err == nil {
		e.core.Release()
		err = e.ev.Set()
	}
	return e.core.Done("event.Set", err)
}

// Clear takes the flag away, so that Wait waits again. It does not block, and
// changes nothing if the event is not set.
func (e *Event) Clear() error {
	err := e.readyNow()
	if err == nil {
		var was bool
		if was, err = e.ev.Unset(); !was { // zeroes are not set, either
			err = e.core.Seen(err)
		}
	}
	return e.core.Acquired("event.Clear", err)
}

// IsSet reports whether the event is set at this instant. It does not block.
// Of a closed handle or region, or of the zero Event, it is false.
func (e *Event) IsSet() bool {
	if e.core == nil {
		return false
	}
	set := e.ev.IsSet() && !e.closed.Load()
	if set {
		e.core.Acquire()
	}
	e.keep()
	return set
}

// Wait waits until the event is set: it spins for moments, then sleeps. nil
// means that it is, or was at some time during the call. An error means that it
// was not: ctx's, or shm.ErrClosed. A context that has ended makes no attempt.
func (e *Event) Wait(ctx context.Context) error {
	if mem.RaceEnabled || e.closed == nil || !object.Endless(ctx) && ctx.Err() != nil || !e.ev.Rose() || e.closed.Load() {
		return e.wait(ctx)
	}
	e.keep()
	return nil
}

//go:noinline
func (e *Event) wait(ctx context.Context) error {
	err := e.ready(ctx)
	if err == nil {
		if first, set := e.ev.Look(); !set { // one look, or a pulse could pass between two
			w := e.core.Waiter(ctx)
			err = e.ev.WaitSince(w, first)
			w.Done()
		}
	}
	return e.core.Acquired("event.Wait", e.core.Seen(err))
}

// WaitSource is for [shm.WaitAny], which waits for several things at once.
func (e *Event) WaitSource() object.Source { return e.source(&e.ev) }

// MarshalBinary makes the handle an argument; see [Mutex.MarshalBinary].
func (e *Event) MarshalBinary() ([]byte, error) { return e.marshal("event.MarshalBinary") }

// UnmarshalBinary opens the event that another process's handle was on; see
// [Mutex.UnmarshalBinary].
func (e *Event) UnmarshalBinary(b []byte) error {
	return unmarshal("event.UnmarshalBinary", engine.KindEvent, b, e.open)
}
