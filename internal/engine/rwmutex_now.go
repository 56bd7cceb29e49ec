package engine

import "example.com/tandem/internal/mem"

// What every call for writing tries first. Where nobody is met it is a few steps that
// fit into the caller, and nothing is called between the locked instructions:
// LockGuess, then Alone, or else Enter; Leave, then UnlockGuess and Wake, or else Free.

// LockGuess is W0 and W1 where that takes no waiting and no asking. What every Lock
// tries first. If it has the mutex, Alone must follow, and if that is false Enter.
func (l *RWMutex) LockGuess() bool { return mem.Load32(l.starving) == 0 && l.m.LockGuess() }

// Alone is W2 and W3 where no other row is in use.
func (l *RWMutex) Alone() bool {
	if mem.Load64(l.bits) != l.only || uint32(mem.Load64(l.row)) != 0 { // W2
		return false
	}
	mem.Release64(l.entered, l.m.me) // W3: alone
	return true
}

// Enter is W2 and W3, or gives the mutex back.
//
//go:noinline
func (l *RWMutex) Enter() bool {
	if l.reading() || !l.there() {
		l.giveBack()
		return false
	}
	mem.Release64(l.entered, l.m.me) // W3
	return true
}

// LockLook locks for writing if that takes no waiting and no asking. What every Lock
// tries next. It looks before W1, too, so that with a reader about nothing is disturbed.
func (l *RWMutex) LockLook() bool {
	return mem.Load32(l.starving) == 0 && !l.reading() && l.m.LockLook() && l.Enter()
}

// Leave is W4.
func (l *RWMutex) Leave() bool { return mem.CAS64(l.entered, l.m.me, 0) } // W4

// UnlockGuess is W5 where nobody sleeps on the mutex.
func (l *RWMutex) UnlockGuess() bool { return l.m.UnlockGuess() } // W5

// Wake is W6.
func (l *RWMutex) Wake() { l.gate.Ring(-1) } // W6
