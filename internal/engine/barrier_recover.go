package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// recoverBarrier is what becomes of the slots of the dead: see Death.
func recoverBarrier(a mem.Area, env Env, dead Self) error {
	b, err := AttachBarrier(a, env)
	if err != nil {
		return err
	}
	who := barrierWho(dead)
	w := mem.Load64(b.b)
	if b.has(w, who) {
		b.breaks(w &^ barrierBroken)
	}
	for bank := range 2 {
		for i := range b.n {
			s := b.slot(bank, i)
			if v := mem.Load64(s); v&barrierBelow == who {
				mem.CAS64(s, v, v&barrierRound)
			}
		}
	}
	mem.Add64(a.W64(barrierRecoveries), 1)
	b.turn.Bump()
	b.left.Bump()
	if !barrierLegal(w) {
		return ErrCorrupt
	}
	return nil
}

// has reports whether who has a slot of w's round.
func (b *Barrier) has(w, who uint64) bool {
	for i := range b.n {
		if mem.Load64(b.slot(bankOf(w), i)) == w&barrierRound|who {
			return true
		}
	}
	return false
}

// Waiting is how many have arrived in the round under way; 0 if it is broken.
func (b *Barrier) Waiting() int {
	n := uint64(0)
	for range 100 { // it is no less true for having been so a moment ago
		w := mem.Load64(b.b)
		if w&barrierBroken != 0 {
			return 0
		}
		var err error
		if n, _, err = b.find(w, false); err != nil {
			return 0
		}
		if mem.Load64(b.b) == w {
			break
		}
	}
	return int(n)
}

// lookBarrier describes a barrier for a snapshot.
func lookBarrier(a mem.Area) Look {
	b, err := AttachBarrier(a, Env{})
	if err != nil {
		return Look{State: "corrupt"}
	}
	w := mem.Load64(b.b)
	l := Look{Len: b.Waiting(), Cap: b.Parties()}
	switch {
	case !barrierLegal(w):
		l.State = "corrupt"
	case w&barrierBroken != 0:
		l.State = "broken"
	}
	if b.turn.Armed() || b.left.Armed() {
		l.Waiters = 1
	}
	at := map[Holding]int{} // in Holders
	for bank := range 2 {
		for i := range b.n {
			v := mem.Load64(b.slot(bank, i))
			if v&barrierBelow == 0 || !barrierSlotLegal(v, bank) {
				continue
			}
			h := Holding{Who: selfOf(v&barrierBelow - 1<<20), What: "arrived"}
			if older(v, w) || w&barrierBroken != 0 {
				h.What = "leaving"
			}
			k, ok := at[h]
			if !ok {
				k, at[h] = len(l.Holders), len(l.Holders)
				l.Holders = append(l.Holders, h)
			}
			l.Holders[k].N++
		}
	}
	return l
}

// barrierSlotLegal is what a slot must look like at any instant.
func barrierSlotLegal(v uint64, bank int) bool {
	if who := v & barrierBelow; who != 0 && (who < 1<<20 || who>>20 > MaxParticipants) {
		return false
	}
	return bankOf(v) == bank || v>>31 == 0
}

// checkBarrier verifies every invariant that holds at any instant.
func checkBarrier(a mem.Area) error {
	b, err := AttachBarrier(a, Env{})
	if err != nil {
		return err
	}
	bad := func(format string, a ...any) error {
		return fmt.Errorf("barrier: %s: %w", fmt.Sprintf(format, a...), ErrCorrupt)
	}
	h, w := mem.Load64(b.hint), mem.Load64(b.b)
	if !barrierLegal(w) {
		return bad("word %#x", w)
	}
	for bank := range 2 {
		gap, claimed := b.n, uint64(0) // the first slot that was not claimed; how many were before it
		for i := range b.n {
			s := b.slot(bank, i)
			v := mem.Load64(s)
			if !barrierSlotLegal(v, bank) {
				return bad("slot %d.%d is %#x", bank, i, v)
			}
			// A slot's round is no later than B's, once one has seen it.
			if v>>31 != 0 && older(w, v) && older(mem.Load64(b.b), v) {
				return bad("slot %d.%d is %#x, with the word %#x", bank, i, v, w)
			}
			if bank != bankOf(w) {
				continue
			}
			if (v^w)&barrierRound != 0 {
				gap = min(gap, i)
				continue
			}
			if gap == b.n {
				claimed++
			} else if g := mem.Load64(b.slot(bank, gap)); (g^w)&barrierRound == 0 {
				gap = i + 1 // filled meanwhile, and all between: not looked at again
				claimed = gap
				if gap == b.n {
					break
				}
			} else if mem.Load64(b.b) == w {
				return bad("slot %d is claimed in the round of %#x, slot %d is not", i, w, gap)
			}
			if v&barrierBelow == 0 && w&barrierBroken == 0 && mem.Load64(b.b) == w {
				return bad("slot %d was left in the round of %#x, which goes on", i, w)
			}
		}
		if bank == bankOf(w) && h&barrierRound == w&barrierRound && h&barrierBelow > claimed && mem.Load64(b.b) == w {
			return bad("%d slots are claimed, and %d said to be", claimed, h&barrierBelow)
		}
	}
	return nil
}

func init() {
	register(KindBarrier, Ops{
		Name:    "barrier",
		Recover: recoverBarrier,
		Look:    lookBarrier,
		Check:   checkBarrier,
	})
}
