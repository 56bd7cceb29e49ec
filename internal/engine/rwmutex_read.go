package engine

import "example.com/tandem/internal/mem"

// What readers do: R1 to R5 and P1 to P3 of RWMutex.

// RLockNow locks for reading if nobody writes.
func (l *RWMutex) RLockNow() bool {
	if !l.Quiet() {
		return false
	}
	if l.StepIn() {
		return true
	}
	l.StepOut()
	return false
}

// StepOut is R3.
//
//go:noinline
func (l *RWMutex) StepOut() {
	for {
		n := mem.Load64(l.row)
		if uint32(n) == 0 {
			return // somebody of this process unlocked once too often
		}
		if mem.CAS64(l.row, n, n-1) {
			if uint32(n) == 1 {
				l.drain.Ring(1)
			}
			return
		}
	}
}

// TryRLock locks for reading if nobody writes. While it is abandoned it is
// not: ErrOwnerDied.
func (l *RWMutex) TryRLock() (bool, error) {
	for !l.RLockNow() {
		w := mem.Load64(l.m.w) // R6
		switch {
		case !mutexLegal(w):
			return false, ErrCorrupt
		case w&mutexAbandoned != 0:
			return false, ErrOwnerDied
		}
		switch n := mem.Load64(l.row) - l.base; {
		case n > rwMost:
			return false, ErrCorrupt
		case n == rwMost:
			return false, errReaders
		}
		if w&mutexOwner != 0 {
			return false, nil
		}
	}
	return true, nil
}

// RLock locks for reading, and waits by s while somebody writes, or waits to.
// An error means not held: ErrOwnerDied at once while it is abandoned, or what
// s says. Callers try RLockNow before they make an s.
func (l *RWMutex) RLock(s Sleeper) error {
	var (
		start  int64
		slept  bool
		passed bool
	)
	for {
		ok, err := l.TryRLock()
		if ok || err != nil {
			return l.waited(slept, passed, err)
		}
		now := s.Now()
		if start == 0 {
			start = now
		}
		if slept && now-start > patience {
			if !passed {
				passed = true
				mem.Add32(l.passed(), 1) // P1
			}
			if mem.Load32(l.starving) == 0 {
				mem.Store32(l.starving, 1) // P2
			}
		}
		if s.Spin() {
			continue
		}
		word := l.gate.Arm() // R4
		if ok, err = l.TryRLock(); ok || err != nil {
			return l.waited(slept, passed, err)
		}
		if mem.Load64(l.m.since) == 0 {
			mem.CAS64(l.m.since, 0, uint64(now))
		}
		slept = true
		if err = s.Sleep(l.gate.Word(), word); err != nil {
			return l.waited(slept, passed, err)
		}
	}
}

func (l *RWMutex) passed() *uint32 { return l.line(l.m.env.Self.Index).W32(rwPassed) }

// waited ends an RLock that was not at once.
func (l *RWMutex) waited(slept, passed bool, err error) error {
	if slept {
		mem.Add64(l.a.W64(rwWaits), 1)
	}
	if passed { // P3
		mem.Add32(l.passed(), ^uint32(0))
		l.gate.Ring(-1)
	}
	return err
}

// RUnlockNow ends one reading, if this process has one.
func (l *RWMutex) RUnlockNow() bool {
	for {
		switch l.RUnlockGuess() {
		case 0:
			if mem.Load64(l.row)-l.base-1 >= rwMost {
				return false
			}
			continue
		case 1:
			l.Drained()
		}
		return true
	}
}

// RUnlock ends one reading of this process. If it has none: ErrNotLocked if
// nobody reads, else ErrNotOwner; then nothing has changed.
func (l *RWMutex) RUnlock() error {
	for !l.RUnlockNow() {
		switch n := mem.Load64(l.row) - l.base; {
		case n > rwMost:
			return ErrCorrupt
		case n > 0:
		case l.reading():
			return ErrNotOwner
		default:
			return ErrNotLocked
		}
	}
	return nil
}
