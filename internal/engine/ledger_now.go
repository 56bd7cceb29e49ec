package engine

import (
	"sync/atomic"

	"example.com/tandem/internal/mem"
)

// What every change of a Ledger that looks at no share tries first: N1 and N2, by
// the participant that made the last change. It does not look at T before, for the
// reason that a Mutex does not (mutex_now.go): N1 is a load of private memory, of T
// as this use of the ledger, a handle's, left it. Where nobody else changes T that
// is what it is.
//
// A wrong guess changes nothing, and the slower call looks. A right one is right
// however old it is: T is all that N2 needs, and it compares the whole of it. What
// else belongs to a tenancy, the base, its tenant alone writes, at its beginning.
// (Under the race detector handles do not come here.)

// AddGuess is Add where that takes one CAS: this participant is the tenant, and T
// is what this use of the ledger left; and the value stays within 0 and most, which
// is at most LedgerMax. d is no larger than LedgerMax either way.
func (l *Ledger) AddGuess(d, most int) bool {
	t := atomic.LoadUint64(&l.last) // N1
	n := t + ledgerSeqOne + uint64(d)
	if t&ledgerTenant != l.me || uint(ledgerValue(t)+d) > uint(most) || !mem.CAS64(l.t, t, n) { // N2
		return false
	}
	mem.Release64(&l.last, n)
	return true
}

// AddLook is AddGuess by who looks at T, and learns it.
func (l *Ledger) AddLook(d, most int) bool {
	t := mem.Load64(l.t) // N1
	n := t + ledgerSeqOne + uint64(d)
	if t&ledgerTenant != l.me || uint(ledgerValue(t)+d) > uint(most) || !mem.CAS64(l.t, t, n) { // N2
		return false
	}
	mem.Release64(&l.last, n)
	return true
}
