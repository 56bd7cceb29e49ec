package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// What any process can do with a Mutex: recovery, look and check.

// mutexBump is w with what recovery and kick change for every sleeper.
func mutexBump(w uint64) uint64 {
	n := mutexNext(w)
	if w&mutexOffered != 0 {
		n &^= mutexOffered | mutexStarving
	}
	return n
}

func recoverMutex(a mem.Area, env Env, dead Self) error {
	m, err := AttachMutex(a, env)
	if err != nil {
		return err
	}
	return m.takeFrom(dead, true)
}

// takeFrom takes the mutex from the dead, if it has it, and wakes all in any
// case. abandon says that what the mutex guards may be half changed.
func (m *Mutex) takeFrom(dead Self, abandon bool) error {
	for {
		w := mem.Load64(m.w)
		n := mutexBump(w)
		// An older epoch of the same index is dead too; a younger one is not
		// for this recovery, which comes late.
		who, held := mutexHeldBy(w)
		held = held && who.Index == dead.Index && int32(who.Epoch-dead.Epoch) <= 0
		if held {
			if n &^= mutexHolder | mutexStarving; abandon {
				n |= mutexAbandoned
			}
		}
		if !mem.CAS64(m.w, w, n) {
			continue
		}
		if held {
			mem.Add64(m.a.W64(mutexRecoveries), 1)
		}
		m.env.Wake(m.futex, -1)
		if !mutexLegal(w) {
			return ErrCorrupt
		}
		return nil
	}
}

// kick wakes all sleepers, and has calls that are about to sleep look again,
// too; the mutex's state stays.
func (m *Mutex) kick() {
	for w := mem.Load64(m.w); !mem.CAS64(m.w, w, mutexBump(w)); {
		w = mem.Load64(m.w)
	}
	m.env.Wake(m.futex, -1)
}

// lookMutex is what a snapshot shows of a mutex, or of the part of an object
// that is one.
func lookMutex(a mem.Area) (l Look) {
	if !a.Has(0, MutexSize) {
		return Look{State: "corrupt"}
	}
	w := mem.Load64(a.W64(0))
	if who, ok := mutexHeldBy(w); ok {
		l.Owner, l.Since = &who, int64(mem.Load64(a.W64(mutexSince)))
	}
	if w&mutexWaiters != 0 {
		l.Waiters = 1
	}
	switch {
	case !mutexLegal(w):
		l.State = "corrupt"
	case w&mutexAbandoned != 0:
		l.State = "abandoned"
	case w&mutexOffered != 0:
		l.State = "offered"
	}
	return l
}

func checkMutex(a mem.Area) error {
	if !a.Has(0, MutexSize) {
		return fmt.Errorf("mutex of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	if w := mem.Load64(a.W64(0)); !mutexLegal(w) {
		return fmt.Errorf("mutex word %#x: %w", w, ErrCorrupt)
	}
	return nil
}

func init() {
	register(KindMutex, Ops{
		Name:    "mutex",
		Recover: recoverMutex,
		Look:    lookMutex,
		Check:   checkMutex,
	})
}
