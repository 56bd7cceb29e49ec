package engine

import "example.com/tandem/internal/mem"

// Recovery of a dead participant D, beside live operations and after, or even
// beside, other recoverers of D. Nothing of D's moves by itself any more, so
// every step is a CAS from what D left, and doing one twice does nothing.
//
//	R1  D's slots. writing → empty of the next turn, a hole. reading, leased →
//	    returned. draining: R4. If any is returned: pending, since a process
//	    that returned it may have died before it said so. Hints are neither read
//	    nor written: those that D stored are as good as any
//	R2  D's row → 0: what it had got and not done is gone with it
//	R3  D's pieces: which tags of D's are in slots? A message of D's that was
//	    published stays in its slot until it is drained, D publishes no more,
//	    and its writing slots are holes by now. So a piece with a tag of D's
//	    that no slot has, belongs to nothing
//	R4  free those, and the pieces of the slots that D left draining, from the
//	    pool's first block on; then these slots → empty of the next turn
//	R5  bump the bells
func recoverQueue(a mem.Area, env Env, dead Self) error {
	q, err := AttachQueue(a, env)
	if err != nil {
		return err
	}
	who := whoBits(dead)
	drains := q.recoverSlots(who) // R1
	q.forget(dead)                // R2
	if !q.fixed {
		q.recoverBlocks(who, drains)
	}
	for _, ss := range drains { // R4
		for _, s := range ss {
			mem.CAS64(s.w(), s.word, slotWord(nextTurn(turnOf(s.word)), slotEmpty, 0))
		}
	}
	for _, b := range []Bell{q.items, q.space, q.idle} { // R5
		b.Bump()
	}
	return nil
}

// recoverSlots is R1. It returns the slots that participant who left draining,
// by their tags.
func (q *Queue) recoverSlots(who uint64) map[uint64][]Slot {
	drains := map[uint64][]Slot{}
	returned := false
	for i := range q.n {
		s := q.takeBack(i, who)
		switch phaseOf(s.word) {
		case slotReturned:
			returned = true
		case slotDraining:
			if whoOf(s.word) != who {
				continue
			}
			// The slot is D's until somebody empties it, and its body stays until
			// then.
			if tag := mem.Load64(s.tag()); mem.Load64(s.w()) == s.word {
				drains[tag] = append(drains[tag], s)
			}
		}
	}
	if returned {
		setPending(q.state)
	}
	return drains
}

// takeBack frees slot i of who's claim, unless it is draining, and returns it as
// it was found last.
func (q *Queue) takeBack(i uint32, who uint64) Slot {
	s := Slot{p: q.slot(i)}
	for range q.bound() {
		s.word = mem.Load64(s.w())
		if whoOf(s.word) != who {
			return s
		}
		var to uint64
		switch phaseOf(s.word) {
		case slotWriting:
			to = slotWord(nextTurn(turnOf(s.word)), slotEmpty, 0)
		case slotReading, slotLeased:
			to = slotWord(turnOf(s.word), slotReturned, 0)
		default:
			return s
		}
		mem.CAS64(s.w(), s.word, to) // a producer may step over it meanwhile
	}
	return s
}

// forget is R2.
func (q *Queue) forget(dead Self) {
	if dead.Index >= q.rows.n {
		return
	}
	w, of := q.rows.at(dead.Index), uint64(dead.Epoch)<<rowBits
	for v := mem.Load64(w); (v^of)>>rowBits == 0 && v != of; v = mem.Load64(w) {
		mem.CAS64(w, v, of)
	}
}

// recoverBlocks is R3, and R4 for the blocks.
func (q *Queue) recoverBlocks(who uint64, drains map[uint64][]Slot) {
	keep := q.tagsOf(who)               // R3
	for b := uint32(0); b < q.pool.n; { // R4
		tag := mem.Load64(q.pool.owner(b))
		if tag != 0 && !isFree(tag) && (drains[tag] != nil || tagWho(tag) == who && !keep[tag]) {
			b += q.pool.reclaim(b, tag)
		} else {
			b++
		}
	}
}

// tagsOf is the tags of who's that are in slots.
func (q *Queue) tagsOf(who uint64) map[uint64]bool {
	tags := map[uint64]bool{}
	for i := range q.n {
		s := Slot{p: q.slot(i)}
		// As long as a message is in its slot, so is its tag. One that was read
		// while the slot changed hands may be one too many, which would keep
		// blocks for nothing: look again.
		for again := 1000; again > 0; again-- {
			s.word = mem.Load64(s.w())
			ph := phaseOf(s.word)
			if ph == slotEmpty || ph == slotWriting || ph == slotSealed {
				break
			}
			n, tag := mem.Load32(s.len()), mem.Load64(s.tag())
			if mem.Load64(s.w()) != s.word && again > 1 {
				continue
			}
			if n > q.room && tagWho(tag) == who {
				tags[tag] = true
			}
			break
		}
	}
	return tags
}

func init() {
	register(KindQueue, Ops{Name: "queue", Recover: recoverQueue, Look: lookQueue, Check: checkQueue})
}
