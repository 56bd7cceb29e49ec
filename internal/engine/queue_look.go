package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

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
	for who, n := range q.loans() {
		holdings[Holding{Who: who, What: "loan"}] = n
	}
	for h, n := range holdings {
		h.N = n
		l.Holders = append(l.Holders, h)
	}
	slices.SortFunc(l.Holders, func(a, b Holding) int { // leases first
		return cmp.Or(strings.Compare(a.What, b.What), cmp.Compare(a.Who.Index, b.Who.Index), cmp.Compare(a.Who.Epoch, b.Who.Epoch))
	})
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
	c := queueCheck{q: q, quiet: quiet, words: make([]uint64, q.n), tags: map[uint64]uint32{}}
	c.read()
	if quiet && !c.still {
		return badQueue("not quiet")
	}
	if posSlot(c.h) >= q.n || posSlot(c.t) >= q.n {
		return badQueue("head %d, tail %d of %d slots", posSlot(c.h), posSlot(c.t), q.n)
	}
	for i, s := range c.words {
		if err := c.slot(uint32(i), s); err != nil {
			return err
		}
	}
	if !q.fixed {
		if err := c.blocks(); err != nil {
			return err
		}
	}
	if quiet {
		return c.rest()
	}
	return nil
}

// A queueCheck is what one check has seen.
type queueCheck struct {
	q        *Queue
	quiet    bool
	still    bool // head, tail and all words were the same when they were read again
	h, t     uint64
	words    []uint64
	returned bool              // a message was given back and waits
	tags     map[uint64]uint32 // of messages in blocks: how many blocks each has
}

func badQueue(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, a...))
}

// read reads head, tail and all slots' words, and once more.
func (c *queueCheck) read() {
	q := c.q
	for try := 0; try < 3 && !c.still; try++ {
		c.h, c.t = mem.Load64(q.head.shared), mem.Load64(q.tail.shared)
		for i := range q.n {
			c.words[i] = mem.Load64(q.word(i))
		}
		c.still = mem.Load64(q.head.shared) == c.h && mem.Load64(q.tail.shared) == c.t
		for i := range q.n {
			c.still = c.still && mem.Load64(q.word(i)) == c.words[i]
		}
	}
}

// slot verifies slot i, whose word is s.
func (c *queueCheck) slot(i uint32, s uint64) error {
	q, ph := c.q, phaseOf(s)
	switch ph {
	case slotEmpty, slotFull, slotReturned, slotSealed:
		if whoOf(s) != 0 {
			return badQueue("slot %d, phase %d, held by %v", i, ph, selfOf(whoOf(s)))
		}
	case slotWriting, slotReading, slotDraining:
		if c.quiet {
			return badQueue("slot %d left in phase %d by %v", i, ph, selfOf(whoOf(s)))
		}
	}
	c.returned = c.returned || ph == slotReturned
	if ph == slotSealed && mem.Load64(q.state)&stateShut == 0 {
		return badQueue("slot %d sealed, but the queue is not shut down", i)
	}
	if c.still {
		err := q.checkTurn(i, s, c.h, c.t)
		if err == nil {
			err = c.checkShape(i)
		}
		if err != nil {
			return badQueue("slot %d, turn %d phase %d, with head %d.%d, tail %d.%d: %v", i, turnOf(s), ph,
				lapTurn(c.h), posSlot(c.h), lapTurn(c.t), posSlot(c.t), err)
		}
	}
	if q.fixed || ph == slotEmpty || ph == slotWriting || ph == slotSealed {
		return nil
	}
	tag, n, err := q.checkChain(Slot{p: q.slot(i), word: s})
	if err != nil {
		return badQueue("slot %d: %v", i, err)
	}
	if n > 0 && c.still {
		if c.tags[tag] != 0 {
			return badQueue("slot %d has another's tag %#x", i, tag)
		}
		c.tags[tag] = n
	}
	return nil
}

// rest verifies what holds only when nothing is half done.
func (c *queueCheck) rest() error {
	q := c.q
	if c.returned && mem.Load64(q.state)&statePending == 0 {
		return badQueue("a returned message and nothing pending")
	}
	return nil
}

// oldHint is how many laps behind a hint a slot may be for that to be wrong. A
// hint that seems to be further on is older than half of all laps, and says nothing.
const oldHint = 1 << 20

// checkTurn verifies, for a slot, that what the hints say is passed is.
func (q *Queue) checkTurn(i uint32, s, h, t uint64) error {
	last := func(hint uint64) uint64 { // the last position of slot i before hint
		if i < posSlot(hint) {
			return position(lapTurn(hint), i)
		}
		return position(lapTurn(hint)-1, i)
	}
	wrong := func(d int32) bool { return d < 0 && d > -oldHint }
	if d := ahead(s, last(t)); wrong(d) || d == 0 && (phaseOf(s) == slotEmpty || phaseOf(s) == slotSealed) {
		return fmt.Errorf("tail has passed it")
	}
	if d := ahead(s, last(h)); wrong(d) || d == 0 && !passed(s) && phaseOf(s) != slotReturned {
		return fmt.Errorf("head has passed it")
	}
	return nil
}

// checkShape is SHAPE, of slot i beside the one before it and the first.
func (c *queueCheck) checkShape(i uint32) error {
	k, first := passes(c.words[i]), passes(c.words[0])
	if d := laps(first, k); d != 0 && d != 1 || i > 0 && laps(passes(c.words[i-1]), k) < 0 {
		return fmt.Errorf("in lap %d, the first slot in %d", k, first)
	}
	return nil
}
