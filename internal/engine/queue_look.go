package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// lookQueue describes a queue for a snapshot.
func lookQueue(a mem.Area) Look {
	q, err := AttachQueue(a, Env{})
	if err != nil {
		return Look{State: "corrupt"}
	}
	l := Look{Len: q.Len(), Cap: q.Cap()}
	holdings := map[Holding]int{}
	sealed := false
	for i := range q.n {
		s := mem.Load64(q.word(i))
		switch phaseOf(s) {
		case slotLeased:
			holdings[Holding{Who: selfOf(whoOf(s)), What: "lease"}]++
		case slotWriting:
			holdings[Holding{Who: selfOf(whoOf(s)), What: "writing"}]++
		case slotReading, slotDraining:
			holdings[Holding{Who: selfOf(whoOf(s)), What: "reading"}]++
		case slotSealed:
			sealed = true
		}
	}
	for i := range q.rows.n {
		if v := mem.Load64(q.rows.at(i)); v&rowCount != 0 {
			holdings[Holding{Who: Self{i, uint32(v >> rowBits)}, What: "not done"}] = int(v & rowCount)
		}
	}
	for h, n := range holdings {
		h.N = n
		l.Holders = append(l.Holders, h)
	}
	if q.items.Armed() || q.space.Armed() || q.idle.Armed() {
		l.Waiters = 1
	}
	if mem.Load64(q.state)&stateShut != 0 {
		l.State = "shut down"
		if sealed && q.ended() != ErrEmpty {
			l.State = "at its end"
		}
	}
	return l
}

// checkQueue verifies what holds at any instant. What relates several words is
// verified only if they stand still for long enough to be read twice.
func checkQueue(a mem.Area) error { return checkQueueAt(a, false) }

// checkQueueAt with quiet also verifies that nothing is half done: no
// operation and no recovery is under way, and no block is lost.
func checkQueueAt(a mem.Area, quiet bool) error {
	q, err := AttachQueue(a, Env{})
	if err != nil {
		return err
	}
	var h, t uint64
	still := false
	words := make([]uint64, q.n)
	for try := 0; try < 3 && !still; try++ {
		h, t = mem.Load64(q.head), mem.Load64(q.tail)
		for i := range q.n {
			words[i] = mem.Load64(q.word(i))
		}
		still = mem.Load64(q.head) == h && mem.Load64(q.tail) == t
		for i := range q.n {
			still = still && mem.Load64(q.word(i)) == words[i]
		}
	}
	bad := func(format string, a ...any) error {
		return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, a...))
	}
	if quiet && !still {
		return bad("not quiet")
	}
	if posSlot(h) >= q.n || posSlot(t) >= q.n {
		return bad("head %d, tail %d of %d slots", posSlot(h), posSlot(t), q.n)
	}
	returned, tags := false, map[uint64]uint32{}
	for i, s := range words {
		i, ph := uint32(i), phaseOf(s)
		switch ph {
		case slotEmpty, slotFull, slotReturned, slotSealed:
			if whoOf(s) != 0 {
				return bad("slot %d, phase %d, held by %v", i, ph, selfOf(whoOf(s)))
			}
		case slotWriting, slotReading, slotDraining:
			if quiet {
				return bad("slot %d left in phase %d by %v", i, ph, selfOf(whoOf(s)))
			}
		}
		returned = returned || ph == slotReturned
		if ph == slotSealed && mem.Load64(q.state)&stateShut == 0 {
			return bad("slot %d sealed, but the queue is not shut down", i)
		}
		if still {
			if err := q.checkTurn(i, s, h, t); err != nil {
				return bad("slot %d, turn %d phase %d, with head %d.%d, tail %d.%d: %v", i, turnOf(s), ph,
					lapTurn(h), posSlot(h), lapTurn(t), posSlot(t), err)
			}
		}
		if q.fixed || ph == slotEmpty || ph == slotWriting || ph == slotSealed {
			continue
		}
		tag, n, err := q.checkChain(Slot{p: q.slot(i), word: s})
		if err != nil {
			return bad("slot %d: %v", i, err)
		}
		if n > 0 && still {
			if tags[tag] != 0 {
				return bad("slot %d has another's tag %#x", i, tag)
			}
			tags[tag] = n
		}
	}
	if !quiet {
		return nil
	}
	if returned && mem.Load64(q.state)&statePending == 0 {
		return bad("a returned message and nothing pending")
	}
	for b := range q.pool.n {
		if tag := mem.Load64(q.pool.owner(b)); tag != 0 {
			if tags[tag] == 0 {
				return bad("block %d lost: tag %#x", b, tag)
			}
			tags[tag]--
		}
	}
	return nil
}

// checkTurn verifies I1 and I2 for a slot, and that its turn is no further on.
func (q *Queue) checkTurn(i uint32, s, h, t uint64) error {
	ph := phaseOf(s)
	lap := t>>posBits - 1 // the last in which tail passed slot i
	if i < posSlot(t) {
		lap++
	}
	switch d := ahead(s, lap<<posBits); {
	case d < 0 || d == 0 && (ph == slotEmpty || ph == slotSealed):
		return fmt.Errorf("tail has passed it")
	case d > 2, d == 2 && i != posSlot(t), d == 1 && ph != slotEmpty && ph != slotSealed && i != posSlot(t):
		return fmt.Errorf("ahead of the tail")
	}
	lap = h>>posBits - 1
	if i < posSlot(h) {
		lap++
	}
	switch d := ahead(s, lap<<posBits); {
	case d < 0 || d == 0 && (ph == slotEmpty || ph == slotWriting || ph == slotFull || ph == slotSealed):
		return fmt.Errorf("head has passed it")
	}
	return nil
}

// checkChain follows a message's blocks, if it has any: n of them.
func (q *Queue) checkChain(s Slot) (tag uint64, n uint32, err error) {
	size, tag, b := mem.Load32(s.len()), mem.Load64(s.tag()), mem.Load32(s.first())
	if size > q.most {
		err = fmt.Errorf("%d bytes of at most %d", size, q.most)
	} else if size > q.room && phaseOf(s.word) != slotDraining {
		n = q.pool.blocks(size)
		seen := map[uint32]bool{}
		for k := range n {
			if b >= q.pool.n || seen[b] || mem.Load64(q.pool.owner(b)) != tag {
				err = fmt.Errorf("block %d of %d is not its own", k, n)
				break
			}
			seen[b] = true
			b = mem.Load32(q.pool.link(b))
		}
	}
	if mem.Load64(s.w()) != s.word {
		return 0, 0, nil // it moved on meanwhile
	}
	return tag, n, err
}
