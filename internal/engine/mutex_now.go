package engine

import (
	"sync/atomic"

	"example.com/tandem/internal/mem"
)

// What every Lock and every Unlock of a Mutex tries first: one CAS, and nothing
// before it that it has to wait for.
//
// A locked instruction ends before a load that follows it begins. So a CAS that
// takes the old word from a load waits for the last locked instruction and then
// for the load: of Lock and Unlock together it is a sixth. These two do not look.
// They guess what the word is,
//
//	g            free: a sequence, and no other bit
//	g | me       held by this process, and nobody asleep
//
//	L1 CAS g to g | me      U1 CAS g | me to g
//
// where g is the word as this use of the mutex last saw it free. It lies in
// private memory, as long as the handle, and changes only when a guess was wrong
// and a slower call has looked: LockLook, lock, unlockSlow. The sequence changes
// with slow Unlocks and recoveries only, so without them the guess is right.
//
// A wrong guess changes nothing. A right one is right however old it is: it is
// the whole word, and the word is all that the mutex's state is. In g there is no
// W, A, O and no owner, so L1 takes no mutex that is held, abandoned or offered;
// and U1 frees none that another process holds, or that somebody is to be woken
// for. Two goroutines that learn at one time leave one of two words that were
// free. A death takes the guess with it.

// guess is g. The race detector is not to take it for an order of the user's.
func (m *Mutex) guess() uint64 {
	mem.RaceDisable()
	g := atomic.LoadUint64(&m.free)
	mem.RaceEnable()
	return g
}

// learn keeps w's sequence as g.
func (m *Mutex) learn(w uint64) {
	mem.RaceDisable()
	if g := w & mutexSeq; atomic.LoadUint64(&m.free) != g {
		atomic.StoreUint64(&m.free, g)
	}
	mem.RaceEnable()
}

// LockGuess takes the mutex if it is free as it was before. What every Lock
// tries first.
func (m *Mutex) LockGuess() bool {
	g := m.guess()
	if !mem.CAS64(m.w, g, g|m.me) { // L1
		return false
	}
	m.unknown()
	return true
}

// LockLook takes the mutex if that takes no waiting and no asking: it is
// neither held nor abandoned nor offered. What every Lock tries next.
func (m *Mutex) LockLook() bool {
	w := mem.Load64(m.w)
	if w&(mutexHolder|mutexAbandoned|mutexOffered) != 0 || !mem.CAS64(m.w, w, w|m.me) { // L1
		return false
	}
	m.unknown()
	m.learn(w)
	return true
}

// unknown says that nobody knows since when this process has the mutex: it has
// not looked at the time. A load costs less than a store that the next locked
// instruction would have to wait for.
func (m *Mutex) unknown() {
	if mem.Load64(m.since) != 0 {
		mem.Hint64(m.since, 0)
	}
}

// LockNow is both.
func (m *Mutex) LockNow() bool { return m.LockGuess() || m.LockLook() }

// UnlockGuess frees the mutex if the word is what LockGuess made of it. What
// every Unlock tries first.
func (m *Mutex) UnlockGuess() bool {
	g := m.guess()
	return mem.CAS64(m.w, g|m.me, g) // U1
}

// UnlockNow frees the mutex if this process holds it and nobody has to be
// woken.
func (m *Mutex) UnlockNow() bool {
	w := mem.Load64(m.w)
	return w&(mutexHolder|mutexWaiters) == m.me && mem.CAS64(m.w, w, w&^mutexHolder) // U1
}
