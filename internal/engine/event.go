package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// An Event is a flag to wait for.
//
//	line 0  word 64 | bell 32 | reserved, zero …
//	        64 waits | recoveries    (slow paths only)
//
//	 63                              1   0
//	+----------------------------------+---+
//	|           generation             | F |
//	+----------------------------------+---+
//	F           set
//	generation  grows with every Set of an event that was not set
//
// Who waits keeps the generation that it found; the flag, or another
// generation, is what it waits for. So a Set releases all who looked before
// it, whatever becomes of the flag before they look again.
//
//	Wait   E1 load the word: F: done   E2 arm the bell
//	       E3 load again: F, or another generation: done   E4 sleep   E5 to E2
//	Set    S1 CAS in F, generation+1   S2 ring for all
//	Clear  C1 CAS out F
//
// A wake-up cannot be lost, by Bell: what E3 looks at changes in S1, before
// S2. C1 makes nobody's wait longer: whom S1 released sees the generation. A
// Set that finds F set rings as well: the one that set it may have died, or
// been stopped, between S1 and S2, and this one returns only when all know.
//
// Nothing is held, so a death leaves nothing but a ring that was not made
// between S1 and S2: recovery makes it.
type Event struct {
	w    *uint64
	bell Bell
	a    mem.Area
}

// EventSize is the size of an Event in bytes.
const EventSize = 128

const (
	eventSet = 1 << 0
	eventGen = 1 << 1
)

// Offsets.
const (
	eventBell = 8

	eventWaits      = 64
	eventRecoveries = 72
)

// InitEvent writes an event that is not set; a is zeroed.
func InitEvent(a mem.Area) { mem.Store64(a.W64(0), 0) }

// AttachEvent is this process's use of the event in a.
func AttachEvent(a mem.Area, env Env) (*Event, error) {
	if !a.Has(0, EventSize) {
		return nil, fmt.Errorf("event of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	return &Event{w: a.W64(0), bell: NewBell(a.W32(eventBell), env), a: a}, nil
}

// Set sets the event and releases all who wait. It never waits.
func (e *Event) Set() {
	for {
		w := mem.Load64(e.w)
		if w&eventSet != 0 || mem.CAS64(e.w, w, (w|eventSet)+eventGen) { // S1
			e.bell.Ring(-1) // S2
			return
		}
	}
}

// Clear takes the flag back.
func (e *Event) Clear() {
	for {
		w := mem.Load64(e.w)
		if w&eventSet == 0 || mem.CAS64(e.w, w, w&^eventSet) { // C1
			return
		}
	}
}

// IsSet reports whether the flag is set.
func (e *Event) IsSet() bool { return mem.Load64(e.w)&eventSet != 0 }

// Look is E1: whether the flag is set, and if not what Wait goes on from.
func (e *Event) Look() (first uint64, set bool) {
	w := mem.Load64(e.w)
	return w, w&eventSet != 0
}

// Wait waits by s until the event is set, or has been since Look returned
// first. An error, s's, means that it has not.
func (e *Event) Wait(s Sleeper, first uint64) error {
	released := func() bool {
		w := mem.Load64(e.w)
		return w&eventSet != 0 || w>>1 != first>>1
	}
	slept := false
	for looks := 0; !released(); {
		if s.Spin(looks) {
			looks++
			continue
		}
		looks = 0
		word := e.bell.Arm() // E2
		if released() {      // E3
			break
		}
		if !slept {
			slept = true
			mem.Add64(e.a.W64(eventWaits), 1)
		}
		if err := s.Sleep(e.bell.Word(), word); err != nil { // E4
			return err
		}
	}
	return nil
}

func recoverEvent(a mem.Area, env Env, dead Self) error {
	e, err := AttachEvent(a, env)
	if err != nil {
		return err
	}
	mem.Add64(a.W64(eventRecoveries), 1)
	e.bell.Bump()
	return nil
}

func init() {
	register(KindEvent, Ops{
		Name:    "event",
		Recover: recoverEvent,
		Kick: func(a mem.Area, env Env) {
			if e, err := AttachEvent(a, env); err == nil {
				e.bell.Bump()
			}
		},
		Look: func(a mem.Area) (l Look) {
			e, err := AttachEvent(a, Env{})
			if err != nil {
				return Look{State: "corrupt"}
			}
			w := mem.Load64(e.w)
			l.State = "not set"
			if w&eventSet != 0 {
				l.State = "set"
			}
			l.Value = fmt.Sprintf("generation %d", w>>1)
			if e.bell.Armed() {
				l.Waiters = 1
			}
			return l
		},
		Check: func(a mem.Area) error {
			_, err := AttachEvent(a, Env{})
			return err
		},
	})
}
