package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// A Semaphore is a count that is taken from and given to, and never below 0: a
// Ledger, so that it is known what each participant has taken. A bounded one,
// a kind of its own, never rises above its first value either.
//
//	line 0  initial 64 | reserved, zero …     written once
//	line 1… a Ledger
//
// A share of the ledger is what its participant gave less what it took. Below
// 0 it holds so many permits; above 0 it gave what others had taken.
//
//	Acquire  P1 the ledger's change by -1  P2 fruitless: arm its bell, P1, sleep
//	Release  V1 its change by n  V2 ring its bell for n
//
// A wake-up cannot be lost: the bell is rung after every change upwards, also
// by a waiter that slept and then gives up. If more are woken than there are
// permits, the late ones find none and sleep again: the call that has taken a
// permit, woken or come by, rings for that one.
//
// V2 wakes n, and not one more in case one of them is stopped: a sleeper that
// is stopped by a signal is on no futex, so a wake-up is lost to one only if
// the stop comes between its wake-up and its look, which is microseconds long.
// Then the next V2 wakes another, or a sleeper's own look, after half a second
// at the latest. One more would cost every contended Release a wake in vain.
//
// Death: before P1 nothing is taken, after it the dead one holds a permit,
// though nobody may have been told. After V1 all n are there. Recovery gives
// back what the dead one held, but never so that the value rises above
// initial, leaves what it gave beyond what it took, and bumps the bell, for
// the ring or the wake-up that died with it. So a program that guards n things
// with a semaphore of n gets all of them back; and of signals, counted from 0,
// those that were taken stay taken.
type Semaphore struct {
	Ledger
	initial, most int
}

const semaphoreLine = 128

// SemaphoreSize is the size of a semaphore for so many participants.
func SemaphoreSize(participants int) uint64 { return semaphoreLine + LedgerSize(participants) }

// InitSemaphore writes a semaphore with a value of initial, 0 to LedgerMax; a
// is zeroed.
func InitSemaphore(a mem.Area, initial int) {
	mem.Store64(a.W64(0), uint64(initial))
	InitLedger(a.Sub(semaphoreLine, a.Size()-semaphoreLine), initial)
}

// AttachSemaphore is this participant's use of the semaphore in a.
func AttachSemaphore(a mem.Area, env Env, bounded bool) (*Semaphore, error) {
	s, l, err := openSemaphore(a, bounded)
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

// openSemaphore is what is written once, and where the ledger is.
func openSemaphore(a mem.Area, bounded bool) (*Semaphore, mem.Area, error) {
	if !a.Has(0, semaphoreLine+2*ledgerLine) {
		return nil, a, fmt.Errorf("semaphore of %d bytes: %w", a.Size(), ErrCorrupt)
	}
	initial := mem.Load64(a.W64(0))
	if initial > LedgerMax {
		return nil, a, fmt.Errorf("semaphore of %d: %w", initial, ErrCorrupt)
	}
	s := &Semaphore{initial: int(initial), most: LedgerMax}
	if bounded {
		s.most = s.initial
	}
	return s, a.Sub(semaphoreLine, a.Size()-semaphoreLine), nil
}

// AcquireNow is Acquire where that is one CAS: there is a permit, nobody is
// starving, and this participant made the last change. What every Acquire tries first.
func (s *Semaphore) AcquireNow() bool {
	return mem.Load32(s.starving) == 0 && s.AddNow(-1, 1, LedgerMax)
}

// TryAcquire takes a permit if there is one.
func (s *Semaphore) TryAcquire() (bool, error) {
	o, err := s.Add(-1, Limits{Max: LedgerMax}) // P1
	return err == nil && o == Done, err
}

// Acquire takes a permit, and waits for it.
func (s *Semaphore) Acquire(by Sleeper) error {
	_, err := s.Wait(by, -1, Limits{Max: LedgerMax}) // P1, P2
	return err
}

// ReleaseNow is Release where that is one CAS: this participant made the last change.
// What every Release tries first. If it has given, Wake must follow.
func (s *Semaphore) ReleaseNow(n int) bool {
	return uint(n-1) < uint(s.most) && s.AddNow(n, 0, s.most-n) // V1
}

// Wake wakes so many who wait, if there may be any.
func (s *Semaphore) Wake(n int) { s.Bell.Ring(n) } // V2

// Release gives n permits, 1 at least, or none: ErrOverRelease if there would
// be more than there may be.
func (s *Semaphore) Release(n int) error {
	o, err := s.Add(n, Limits{Max: s.most}) // V1
	if err != nil {
		return err
	}
	if o != Done {
		return ErrOverRelease
	}
	s.Wake(n) // V2
	return nil
}

// GiveBack is Release of one that was taken, by a caller that is in the middle
// of a Here.
func (s *Semaphore) GiveBack() error {
	bare := *s
	bare.env = s.env.Bare()
	return bare.Release(1)
}

// Most is how many permits there may be.
func (s *Semaphore) Most() int { return s.most }

// A semaphoreKind is the operations of plain or of bounded ones.
type semaphoreKind struct{ bounded bool }

func (k semaphoreKind) recover(a mem.Area, env Env, dead Self) error {
	s, l, err := openSemaphore(a, k.bounded)
	if err != nil {
		return err
	}
	ledger, err := openLedger(l, env)
	if err != nil {
		return err
	}
	return ledger.Recover(dead.Index, GiveBack, s.initial)
}

// look shows as holders those who have taken more than they gave.
func (k semaphoreKind) look(a mem.Area) Look {
	s, l, err := openSemaphore(a, k.bounded)
	if err != nil {
		return Look{State: "corrupt"}
	}
	look := LookLedger(l, "permit")
	holders := look.Holders[:0]
	for _, h := range look.Holders {
		if h.N < 0 {
			h.N = -h.N
			holders = append(holders, h)
		}
	}
	look.Holders = holders
	if k.bounded {
		look.Len, look.Cap = ledgerValue(mem.Load64(l.W64(0))), s.initial
		look.Value = fmt.Sprint(look.Len)
	}
	return look
}

func (k semaphoreKind) check(a mem.Area) error {
	s, l, err := openSemaphore(a, k.bounded)
	if err != nil {
		return err
	}
	if v := ledgerValue(mem.Load64(l.W64(0))); k.bounded && v > s.initial {
		return fmt.Errorf("%d permits of a semaphore of %d: %w", v, s.initial, ErrCorrupt)
	}
	return CheckLedger(l)
}

func init() {
	for kind, k := range map[Kind]semaphoreKind{KindSemaphore: {}, KindBoundedSemaphore: {bounded: true}} {
		name := "semaphore"
		if k.bounded {
			name = "bounded semaphore"
		}
		register(kind, Ops{Name: name, Recover: k.recover, Look: k.look, Check: k.check})
	}
}
