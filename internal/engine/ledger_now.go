package engine

import "example.com/tandem/internal/mem"

// What every change of a Ledger that looks at no share tries first: N1 and N2, by
// the participant that made the last change.
//
// It looks at T, where a Mutex guesses its word (mutex_now.go): T is another after
// each change, so a guess would have to be stored after each, and the next locked
// instruction would wait for that store longer than for the load. And N2 waits for
// what T's load decides; so that is two comparisons that wait for nothing else.

// AddNow is Add where that takes one CAS: this participant is the tenant, and the
// value is least to most, and within 0 and LedgerMax by d too.
func (l *Ledger) AddNow(d, least, most int) bool {
	w := l.t
	t := mem.Load64(w) // N1
	v := ledgerValue(t)
	return t&ledgerTenant == l.me && v >= least && v <= most && mem.CAS64(w, t, t+ledgerSeqOne+uint64(d)) // N2
}
