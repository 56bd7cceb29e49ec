package engine

import "example.com/tandem/internal/mem"

// What every call tries first. Where nobody is met it is a few steps that fit into the
// caller, and nothing is called between the locked instructions. To write: LockGuess,
// then Alone, or else Enter; Leave, then UnlockGuess and Wake, or else Free. To read:
// Quiet, then StepIn, or else StepOut; RUnlockGuess, and Drained after the last.

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

// Quiet reports that nobody writes, or waits to. It is R2, and a look before R1, so that
// with a writer about nothing is disturbed.
func (l *RWMutex) Quiet() bool { return mem.Load64(l.m.w)&(mutexHolder|mutexAbandoned) == 0 }

// StepIn is R1 and R2.
func (l *RWMutex) StepIn() bool {
	return mem.Add64(l.row, 1)-l.base <= rwMost && l.Quiet() // R1, R2
}

// RUnlockGuess is R5. It returns how many this process's readings were; 0: it has none,
// or another goroutine was faster, and nothing has changed.
func (l *RWMutex) RUnlockGuess() uint64 {
	n := mem.Load64(l.row)
	if n-l.base-1 >= rwMost || !mem.CAS64(l.row, n, n-1) { // R5
		return 0
	}
	return n - l.base
}

// Drained is what follows R5 of the last.
func (l *RWMutex) Drained() { l.drain.Ring(1) }
