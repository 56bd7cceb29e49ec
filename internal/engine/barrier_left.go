package engine

import (
	"slices"

	"example.com/tandem/internal/mem"
)

// A BarrierLeft is what a barrier was when this process closed its region, for calls of it
// that see zeroes by now. It is written by Leave, and read after it.
type BarrierLeft struct {
	b    uint64         // B, when the round under way was broken if a party of this process was in it
	mine []barrierClaim // the slots that its parties had
}

// A barrierClaim is a slot that a party has: of its bank and number, in the round of word.
type barrierClaim struct {
	bank, i int
	round   uint64
}

// Leave is for a process that closes the region, and has zeroes in its place by now: a is
// the barrier, where it still can be seen, if it is so long. It is X1 for the parties of this
// process, which are about to be recovered.
func (l *BarrierLeft) Leave(a mem.Area, env Env) {
	b, err := AttachBarrier(a, env)
	if err != nil {
		return
	}
	for bank := range 2 {
		for i := range b.n {
			if v := mem.Load64(b.slot(bank, i)); v&barrierBelow == b.me {
				l.mine = append(l.mine, barrierClaim{bank, int(i), v & barrierRound})
			}
		}
	}
	for _, h := range l.mine {
		w := mem.Load64(b.b) &^ barrierBroken
		if h.bank == bankOf(w) && h.round == w&barrierRound && mem.CAS64(b.b, w, w|barrierBroken) { // X1
			mem.Add64(a.W64(barrierBreaks), 1)
			b.tell() // T2
		}
	}
	l.b = mem.Load64(b.b)
}

// Tripped reports whether the round of a was tripped with it, of a party that has seen its
// round's end in the zeroes.
func (l *BarrierLeft) Tripped(a Arrival) bool {
	return slices.Contains(l.mine, barrierClaim{a.Bank(), a.index, a.b & barrierRound}) && tripped(a.b, l.b)
}
