package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// A Mutex is a lock whose word says who holds it.
//
//	line 0  word 64 | since 64 | reserved, zero …
//	        64 waits | wakes | offers | recoveries | last owner    (slow paths only)
//
//	 63      32  31  30  29  28  27       11  10      0
//	+----------+---+---+---+---+------------+----------+
//	|  epoch   | W | A | O | S |  sequence  |  owner   |   the low half is the futex
//	+----------+---+---+---+---+------------+----------+
//	owner     the holder's index + 1, 0 is nobody; epoch is the holder's, 0 with nobody
//	sequence  changes with every slow Unlock and every recovery
//	W         somebody may be asleep: may be set without one, never clear with one
//	A         abandoned: a holder died, and nobody has called MarkConsistent since
//	O         offered: nobody holds it; it is meant for one of those just woken
//	S         starving: somebody who slept has waited for more than patience
//
//	W A O S owner
//	0 0 0 0 0      free
//	0 0 0 0 n      held; Unlock is one CAS
//	1 0 0 0 0      free, and somebody was woken or may be asleep; its next holder keeps W
//	1 0 0 · n      held; Unlock wakes one, or with S makes an offer
//	1 0 1 1 0      offered: those who slept take it; others sleep first, for
//	               patience at most, unless they only try
//	· 1 0 · n      held by somebody who repairs, or who failed to
//	· 1 0 · 0      abandoned: Lock returns ErrOwnerDied
//
// The word is all there is to see, so a sleeper that compares its low half
// compares everything (rule 5), and the CAS that takes it says who did (rule 1).
//
//	L1 free: CAS in the owner, other bits kept           U1 W clear: CAS out the owner: free   (mutex_now.go)
//	L2 held: CAS in W                                    U2 CAS out the owner, sequence+1; O in if S and not A
//	L3 sleep while the low half is L2's                  U3 wake one (of an offer: two, the other in case one is stopped)
//	L4 woken: L1, or L2 with S after patience            U4 nobody was asleep: withdraw the offer and U3 again,
//	L5 giving up: end an offer, wake one                    or CAS W out of U2's word
//
// A wake-up cannot be lost: W stays from L2 on until U4. The holders that take
// and free the lock in between keep W, so each of them frees it by U2 and U3.
// U4 clears W only if the word is still U2's: no call sleeps on a free word,
// and a sleep on an older word ends at once. The call that was woken takes the
// lock, or finds it taken by another, whose Unlock has to wake; or it gives up
// (L5).
//
// The sequence has 17 bits. A process that is stopped before U4, while others make an
// exact multiple of 131072 slow Unlocks and recoveries, finds its U2's word again, made
// by another's U2, and clears W over those who sleep by then. They sleep on until a
// call that finds the mutex held sets W anew, or until they look by themselves, after
// half a second or so (Sleeper). That is all: exclusion does not rest on the sequence,
// as a CAS that takes the mutex finds it free, whatever its age.
//
// An offer is not ownership. It ends by being taken, by L5, by U4 or by
// recovery, and S ends with it. Nobody has to prove that an offer was meant for
// him: U3 may have woken a call that slept only because of the offer, so any call
// that slept may take it. A process that was stopped after its wake-up therefore
// delays others for patience at most.
//
// Death: recovery takes the lock from the dead and sets A, ends an offer, and
// in any case changes the sequence and wakes all (W stays): a wake-up may have
// died with its sender between U2 and U3 or with its receiver between L3 and
// L1. All look again, and all who called Lock are told of A.
//
// since is only to be shown: since when the holder has it, CLOCK_MONOTONIC. A
// slow lock writes the time, a fast one 0, if it is not 0 already, which costs it
// a load; then the first to sleep on it writes the time it found it held, which is
// a bound.
//
// That the word says whether somebody may be asleep, so that an Unlock without
// sleepers makes no system call, is Drepper's second mutex ([Futexes Are Tricky]).
// That it names its holder, for a recoverer, is the idea of [robust futexes];
// the kernel itself never reads this word.
//
// [Futexes Are Tricky]: https://www.akkadia.org/drepper/futex.pdf
// [robust futexes]: https://docs.kernel.org/locking/robust-futexes.html
type Mutex struct {
	w     *uint64
	since *uint64
	futex *uint32 // the low half
	a     mem.Area
	env   Env
	me    uint64 // owner and epoch of this process
	free  uint64 // private: the word as it last was when it was free (mutex_now.go)
}

// MutexSize is the size of a Mutex in bytes.
const MutexSize = 128

const (
	mutexOwner     = 1<<11 - 1
	mutexSeqOne    = 1 << 11
	mutexSeq       = 1<<28 - mutexSeqOne
	mutexStarving  = 1 << 28
	mutexOffered   = 1 << 29
	mutexAbandoned = 1 << 30
	mutexWaiters   = 1 << 31
	mutexHolder    = 0xffffffff<<32 | mutexOwner

	// patience is how long one is passed over before one complains, and how
	// long an offer is respected. Nanoseconds.
	patience = 1e6
)

// Offsets of the counters.
const (
	mutexWaits = 64 + 8*iota
	mutexWakes
	mutexOffers
	mutexRecoveries
	mutexLast // the holder bits of the last to take it by the slow path

	mutexSince = 8
)

// InitMutex writes a free mutex; a is zeroed and has MutexSize bytes.
func InitMutex(a mem.Area) { mem.Store64(a.W64(0), 0) }

// AttachMutex is this process's use of the mutex in a.
func AttachMutex(a mem.Area, env Env) (*Mutex, error) {
	if !a.Has(0, MutexSize) {
		return nil, fmt.Errorf("mutex of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	return &Mutex{w: a.W64(0), since: a.W64(mutexSince), futex: a.W32(0), a: a, env: env,
		me: uint64(env.Self.Epoch)<<32 | uint64(env.Self.Index+1)}, nil
}

// mutexLegal is what any word must look like at any instant.
func mutexLegal(w uint64) bool {
	if o := w & mutexOwner; o > MaxParticipants || o == 0 && w>>32 != 0 {
		return false
	}
	if w&mutexWaiters == 0 && w&(mutexStarving|mutexOffered) != 0 {
		return false
	}
	return w&mutexOffered == 0 || w&mutexOwner == 0 && w&mutexAbandoned == 0
}

// mutexNext is w with the next sequence.
func mutexNext(w uint64) uint64 { return w&^mutexSeq | (w+mutexSeqOne)&mutexSeq }

// TryLock takes the mutex if nobody holds it, even one that is offered to
// somebody else. It is not taken when it is abandoned: ErrOwnerDied.
func (m *Mutex) TryLock() (bool, error) {
	for {
		w := mem.Load64(m.w)
		if w&(mutexHolder|mutexAbandoned) != 0 {
			switch {
			case !mutexLegal(w):
				return false, ErrCorrupt
			case w&mutexAbandoned != 0:
				return false, ErrOwnerDied
			}
			return false, nil
		}
		n := w | m.me
		if w&mutexOffered != 0 {
			n &^= mutexOffered | mutexStarving
		}
		if mem.CAS64(m.w, w, n) { // L1
			mem.Hint64(m.since, 0)
			return true, nil
		}
	}
}

// Lock takes the mutex, and waits for it by s. An error means not held:
// ErrOwnerDied at once while the mutex is abandoned, or what s says.
// Its first look is the first turn of the wait: callers try LockGuess and
// LockLook before they make an s.
func (m *Mutex) Lock(s Sleeper) error {
	_, err := m.lock(s, false)
	return err
}

// Recover takes the mutex, abandoned or not, and reports which.
func (m *Mutex) Recover(s Sleeper) (suspect bool, err error) { return m.lock(s, true) }

func (m *Mutex) lock(s Sleeper, repair bool) (suspect bool, err error) {
	var (
		start int64
		slept bool
	)
	for {
		w := mem.Load64(m.w)
		if !mutexLegal(w) {
			return false, m.giveUp(slept, ErrCorrupt)
		}
		if w&mutexAbandoned != 0 && !repair {
			return false, m.giveUp(slept, ErrOwnerDied)
		}
		now := s.Now()
		if start == 0 {
			start = now
		}
		if w&mutexOwner == 0 && (w&mutexOffered == 0 || slept) {
			n := w | m.me
			if slept {
				n &^= mutexOffered | mutexStarving
			}
			if repair {
				ok, err := m.env.changeHere(m.w, w, n) // a call that finds that it was in zeroes gives nothing back
				if err != nil {
					return false, m.giveUp(slept, err)
				} else if !ok {
					continue
				}
			} else if !mem.CAS64(m.w, w, n) { // L1
				continue
			}
			m.took(slept, now)
			m.learn(w)
			return w&mutexAbandoned != 0, nil
		}
		if s.Spin() {
			continue
		}
		if w&mutexOffered != 0 {
			err = sleepUntil(s, m.futex, uint32(w), now+patience)
		} else {
			n := w | mutexWaiters
			if slept && now-start > patience {
				n |= mutexStarving
			}
			if n != w && !mem.CAS64(m.w, w, n) { // L2
				continue
			}
			if mem.Load64(m.since) == 0 {
				mem.CAS64(m.since, 0, uint64(now))
			}
			err = s.Sleep(m.futex, uint32(n)) // L3
		}
		slept = true
		if err != nil {
			return false, m.giveUp(slept, err)
		}
	}
}

// took notes a lock by the slow path.
func (m *Mutex) took(slept bool, now int64) {
	if slept {
		mem.Add64(m.a.W64(mutexWaits), 1)
	}
	mem.Store64(m.a.W64(mutexLast), m.me)
	mem.Store64(m.since, uint64(now))
}

// giveUp is L5: the call that gives up may have been the one woken, for a lock
// that is free or offered. If the lock is held, its holder's Unlock wakes
// another.
//
//go:noinline
func (m *Mutex) giveUp(slept bool, err error) error {
	for slept {
		w := mem.Load64(m.w)
		if w&mutexOwner != 0 || w&mutexWaiters == 0 {
			break
		}
		if w&mutexOffered != 0 && !mem.CAS64(m.w, w, w&^(mutexOffered|mutexStarving)) {
			continue
		}
		m.env.Wake(m.futex, 1)
		break
	}
	return err
}

// Unlock frees the mutex. ErrNotLocked if nobody holds it, ErrNotOwner if
// another process does; then nothing has changed. It is always a CAS, so a
// holder from which an operator took the mutex is told.
func (m *Mutex) Unlock() error {
	for {
		w := mem.Load64(m.w)
		if w&mutexHolder != m.me {
			return mutexMisuse(w)
		}
		if w&mutexWaiters != 0 {
			if m.unlockSlow(w) {
				return nil
			}
			continue
		}
		if mem.CAS64(m.w, w, w&^mutexHolder) { // U1
			return nil
		}
	}
}

// Want sets W if the mutex is held, and reports whether it is: then its holder's
// UnlockNow fails. It is for a caller that will not wait, but wants the holder
// to know.
func (m *Mutex) Want() bool {
	for {
		w := mem.Load64(m.w)
		if w&mutexOwner == 0 || !mutexLegal(w) {
			return false
		}
		if w&mutexWaiters != 0 || mem.CAS64(m.w, w, w|mutexWaiters) {
			return true
		}
	}
}

func mutexMisuse(w uint64) error {
	if !mutexLegal(w) {
		return ErrCorrupt
	}
	if w&mutexOwner == 0 {
		return ErrNotLocked
	}
	return ErrNotOwner
}

// unlockSlow is U2 to U4. It reports false if w is not the word any more.
//
//go:noinline
func (m *Mutex) unlockSlow(w uint64) bool {
	n := mutexNext(w) &^ mutexHolder
	offer := w&(mutexStarving|mutexAbandoned) == mutexStarving
	if offer {
		n |= mutexOffered
	}
	if !mem.CAS64(m.w, w, n) { // U2
		return false
	}
	m.learn(n)
	if offer {
		if m.env.Wake(m.futex, 2) != 0 { // U3
			mem.Add64(m.a.W64(mutexOffers), 1)
			return true
		}
		w, n = n, n&^(mutexOffered|mutexStarving)
		if !mem.CAS64(m.w, w, n) { // U4
			return true
		}
	}
	if m.env.Wake(m.futex, 1) == 0 { // U3
		mem.CAS64(m.w, n, n&^(mutexWaiters|mutexStarving)) // U4
	} else {
		mem.Add64(m.a.W64(mutexWakes), 1)
	}
	return true
}

// MarkConsistent says that what the mutex guards is whole again. By the holder.
func (m *Mutex) MarkConsistent() error {
	for {
		w := mem.Load64(m.w)
		if w&mutexHolder != m.me {
			return mutexMisuse(w)
		}
		if w&mutexAbandoned == 0 || mem.CAS64(m.w, w, w&^mutexAbandoned) {
			return nil
		}
	}
}

// Owner is the holder of the mutex at this instant.
func (m *Mutex) Owner() (Self, bool) { return mutexHeldBy(mem.Load64(m.w)) }

func mutexHeldBy(w uint64) (Self, bool) {
	o := w & mutexOwner
	if o == 0 || o > MaxParticipants {
		return Self{}, false
	}
	return Self{Index: uint32(o - 1), Epoch: uint32(w >> 32)}, true
}

// Abandoned reports whether a holder died and nobody has repaired since.
func (m *Mutex) Abandoned() bool { return mem.Load64(m.w)&mutexAbandoned != 0 }
