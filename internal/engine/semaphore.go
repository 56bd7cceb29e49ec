package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// A Semaphore is a count that is taken from and given to, and never below 0: a
// Ledger, so that it is known what each participant has taken.
//
//	line 0  initial 64 | bounded 64 | reserved, zero …    written once
//	line 1… a Ledger
//
// A participant's share of the ledger is what it gave less what it took. Below
// 0 it holds so many permits.
//
//	plain    the value may rise to LedgerMax, whoever gives
//	bounded  it may not rise above initial
//
// Death: what the dead one held is given back, but never so that the value
// rises above initial. For a bounded one that is all of it. For a plain one it
// is what a guard of so many things wants back; a count of signals from others
// starts at 0, and gets nothing back of what was consumed. What the dead one
// gave more than it took stays given.
type Semaphore struct {
	Ledger
	initial int
	bounded bool
	taking  Limits
	giving  Limits
}

const semaphoreLine = 128

// SemaphoreSize is the size of a semaphore for so many participants.
func SemaphoreSize(participants int) uint64 { return semaphoreLine + LedgerSize(participants) }

// InitSemaphore writes a semaphore with a value of initial, 0 to LedgerMax; a
// is zeroed.
func InitSemaphore(a mem.Area, initial int, bounded bool) {
	mem.Store64(a.W64(0), uint64(initial))
	if bounded {
		mem.Store64(a.W64(8), 1)
	}
	InitLedger(a.Sub(semaphoreLine, a.Size()-semaphoreLine), initial)
}

// AttachSemaphore is this participant's use of the semaphore in a.
func AttachSemaphore(a mem.Area, env Env) (*Semaphore, error) {
	s, l, err := openSemaphore(a)
	if err != nil {
		return nil, err
	}
	ledger, err := AttachLedger(l, env)
	if err != nil {
		return nil, err
	}
	s.Ledger = *ledger
	return s, nil
}

func openSemaphore(a mem.Area) (*Semaphore, mem.Area, error) {
	if !a.Has(0, semaphoreLine+2*ledgerLine) {
		return nil, a, fmt.Errorf("semaphore of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	initial, bounded := mem.Load64(a.W64(0)), mem.Load64(a.W64(8))
	if initial > LedgerMax || bounded > 1 {
		return nil, a, fmt.Errorf("semaphore of %d, bounded %d: %w", initial, bounded, ErrCorrupt)
	}
	s := &Semaphore{initial: int(initial), bounded: bounded == 1, taking: Limits{Max: LedgerMax}, giving: Limits{Max: LedgerMax}}
	if s.bounded {
		s.giving.Max = s.initial
	}
	return s, a.Sub(semaphoreLine, a.Size()-semaphoreLine), nil
}

// Initial is the count it was made with.
func (s *Semaphore) Initial() int { return s.initial }

// TryAcquire takes one if there is one.
func (s *Semaphore) TryAcquire() (bool, error) {
	o, err := s.Add(-1, s.taking)
	return err == nil && o == Done, err
}

// Acquire takes one, and waits for it by w.
func (s *Semaphore) Acquire(w Sleeper) error {
	o, err := s.Wait(w, -1, s.taking)
	if err == nil && o != Done {
		err = ErrCorrupt // a share out of 32 bits
	}
	return err
}

// Release gives n, at least 1, or none: ErrOverRelease if that is more than
// there may be.
func (s *Semaphore) Release(n int) error {
	if n > LedgerMax {
		return ErrOverRelease
	}
	switch o, err := s.Add(n, s.giving); {
	case err != nil:
		return err
	case o == TooHigh:
		return ErrOverRelease
	case o != Done:
		return ErrCorrupt
	}
	s.Bell.Ring(n)
	return nil
}

func recoverSemaphore(a mem.Area, env Env, dead Self) error {
	s, la, err := openSemaphore(a)
	if err != nil {
		return err
	}
	l, err := openLedger(la, env)
	if err != nil {
		return err
	}
	return l.Recover(dead.Index, GiveBack, s.initial)
}

func kickSemaphore(a mem.Area, env Env) {
	if _, la, err := openSemaphore(a); err == nil {
		if l, err := openLedger(la, env); err == nil {
			l.Bell.Bump()
		}
	}
}

func lookSemaphore(a mem.Area) Look {
	s, la, err := openSemaphore(a)
	if err != nil {
		return Look{State: "corrupt"}
	}
	k := LookLedger(la, "permit")
	holders := k.Holders[:0]
	for _, h := range k.Holders {
		if h.N < 0 { // who gave more than it took holds nothing
			h.N = -h.N
			holders = append(holders, h)
		}
	}
	k.Holders = holders
	if s.bounded {
		k.Value += fmt.Sprintf(" of %d", s.initial)
	}
	return k
}

func checkSemaphore(a mem.Area) error {
	s, la, err := openSemaphore(a)
	if err != nil {
		return err
	}
	l, err := openLedger(la, Env{})
	if err != nil {
		return err
	}
	if v := l.Value(); s.bounded && v > s.initial {
		return fmt.Errorf("semaphore of %d with a value of %d: %w", s.initial, v, ErrCorrupt)
	}
	return CheckLedger(la)
}

func init() {
	for kind, name := range map[Kind]string{KindSemaphore: "semaphore", KindBoundedSemaphore: "bounded semaphore"} {
		register(kind, Ops{Name: name, Recover: recoverSemaphore, Kick: kickSemaphore, Look: lookSemaphore, Check: checkSemaphore})
	}
}
