package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// An Event is a flag that sleepers wait for, and that counts how often it rose.
//
//	line 0  E 64 | bell 32 | reserved, zero …
//	        64 waits | recoveries    (slow paths only)
//
//	 63                        1   0
//	+--------------------------+---+
//	|        generation        | F |
//	+--------------------------+---+
//	F           the event is set
//	generation  how often F went from 0 to 1: grows with each such Set alone
//
//	F generation
//	0 g   clear: a call that looks now waits for the generation to move
//	1 g   set, for the g-th time; g is not 0
//
//	Set    T1 CAS {0,g} to {1,g+1}, or {1,g} to itself  T2 ring for all
//	Clear  C1 CAS {1,g} to {0,g}
//	Wait   E1 load: F, done; else g is what it waits at   E2 arm (B1)
//	       E3 load: not {0,g} any more: done              E4 sleep   E5 load, as E3
//	       E6 the context ended, and E5 found {0,g}: its error
//
// A pulse reaches every waiter that was there before it: a waiter that did E1
// before T1 waits at a word that never comes back, {0,g}, so a Clear right
// after T1 hides nothing from it. The generation does not wrap: a Set each
// nanosecond takes 292 years.
//
// A wake-up cannot be lost: T1 is the bell's W1 and W2, T2 its W3 to W6, and
// E2 to E4 are B1 to B3. T2 wakes all, so nobody has a wake-up that was meant
// for another, and a waiter that gives up owes nobody anything.
//
// A Set that finds F set already is still a CAS and still rings. The CAS
// orders: a call that clears after it, and then looks at what the event is
// about, sees what was done before that Set; a mere load could pass the stores
// before it, and the next Wait would sleep on news. The ring makes good what a
// setter that was stopped between T1 and T2 still owes: when any Set has
// returned, all who waited when it was called are awake.
//
// Death: nobody holds anything. A setter dead before T1 has set nothing, and
// between T1 and T2 has told nobody: recovery bumps the bell (rule 5). A
// waiter's death leaves nothing, but the bell armed, which costs a ring.
type Event struct {
	w    *uint64
	a    mem.Area
	env  Env
	bell Bell
}

// EventSize is the size of an Event in bytes.
const EventSize = 128

const (
	eventSet = 1 << 0
	eventGen = 1 << 1
)

// Offsets beside the word at 0.
const (
	eventBell       = 8
	eventWaits      = 64
	eventRecoveries = 72
)

// InitEvent writes an event that was never set; a is zeroed and has EventSize
// bytes.
func InitEvent(a mem.Area) { mem.Store64(a.W64(0), 0) }

// AttachEvent is this process's use of the event in a.
func AttachEvent(a mem.Area, env Env) (*Event, error) {
	if !a.Has(0, EventSize) {
		return nil, fmt.Errorf("event of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	return &Event{w: a.W64(0), a: a, env: env, bell: NewBell(a.W32(eventBell), env)}, nil
}

// eventLegal is what any word must look like at any instant.
func eventLegal(w uint64) bool { return w != eventSet }

// Set sets the event and wakes all who wait for it. It never waits.
func (e *Event) Set() error {
	for {
		w := mem.Load64(e.w)
		n := w
		if w&eventSet == 0 {
			n = w + eventGen | eventSet
		} else if !eventLegal(w) {
			return ErrCorrupt
		}
		if ok, err := e.env.change(e.w, w, n); err != nil { // T1
			return err
		} else if ok {
			break
		}
	}
	e.bell.Ring(-1) // T2
	return nil
}

// Clear takes the flag away; waiters wait on. Clear itself never waits.
func (e *Event) Clear() error {
	_, err := e.Unset()
	return err
}

// Unset is Clear, which reports whether the event was set.
func (e *Event) Unset() (was bool, err error) {
	for {
		w := mem.Load64(e.w)
		switch {
		case w&eventSet == 0:
			return false, nil
		case !eventLegal(w):
			return false, ErrCorrupt
		}
		if mem.CAS64(e.w, w, w&^eventSet) { // C1
			return true, nil
		}
	}
}

// IsSet reports whether the event is set at this instant.
func (e *Event) IsSet() bool { return mem.Load64(e.w)&eventSet != 0 }

// Rose is E1 where a Wait is over by it: the event is set, and the word is legal.
func (e *Event) Rose() bool {
	w := mem.Load64(e.w)
	return w&eventSet != 0 && eventLegal(w)
}

// Look is E1: the word, and whether the event is set.
func (e *Event) Look() (w uint64, set bool) {
	w = mem.Load64(e.w)
	return w, w&eventSet != 0
}

// Wait waits by s until the event is set, or was at any time since the call
// began. An error is what s says, and only if it was not.
func (e *Event) Wait(s Sleeper) error {
	w, _ := e.Look()
	return e.WaitSince(s, w)
}

// WaitSince is Wait by a caller whose Look was before.
func (e *Event) WaitSince(s Sleeper, w uint64) error {
	if w&eventSet != 0 {
		if !eventLegal(w) {
			return ErrCorrupt
		}
		return nil
	}
	moved := func() bool { return mem.Load64(e.w) != w }
	_, err := e.bell.await(s, moved, beside{waits: e.a.W64(eventWaits)}) // E2 to E5
	if err != nil && moved() {                                           // E5
		return nil
	}
	return err // E6
}

func recoverEvent(a mem.Area, env Env, _ Self) error {
	e, err := AttachEvent(a, env)
	if err != nil {
		return err
	}
	mem.Add64(a.W64(eventRecoveries), 1)
	e.bell.Bump()
	return checkEvent(a)
}

// lookEvent is what a snapshot shows: whether it is set, and as the value how
// often it has been.
func lookEvent(a mem.Area) (l Look) {
	if !a.Has(0, EventSize) {
		return Look{State: "corrupt"}
	}
	w := mem.Load64(a.W64(0))
	l.Value = fmt.Sprint(w / eventGen)
	if bell := NewBell(a.W32(eventBell), Env{}); bell.Armed() {
		l.Waiters = 1
	}
	switch {
	case !eventLegal(w):
		l.State = "corrupt"
	case w&eventSet != 0:
		l.State = "set"
	default:
		l.State = "clear"
	}
	return l
}

func checkEvent(a mem.Area) error {
	if !a.Has(0, EventSize) {
		return fmt.Errorf("event of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	if w := mem.Load64(a.W64(0)); !eventLegal(w) {
		return fmt.Errorf("event word %#x: %w", w, ErrCorrupt)
	}
	return nil
}

func init() {
	register(KindEvent, Ops{
		Name:    "event",
		Recover: recoverEvent,
		Look:    lookEvent,
		Check:   checkEvent,
	})
}
