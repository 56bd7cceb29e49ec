package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// lookBroadcast describes a broadcast for a snapshot: as its value how many messages have
// come into the ring, and as holders the subscribers and how far each is behind the front.
// One that is joining is behind nothing yet, but has one of the rows.
func lookBroadcast(a mem.Area) Look {
	b, err := AttachBroadcast(a, Env{})
	if err != nil {
		return Look{State: "corrupt"}
	}
	l := Look{Cap: int(b.n)}
	f, s, err := b.walk(b.front.load(), false)
	if err != nil {
		return Look{State: "corrupt"}
	}
	for p := range b.n {
		if hasMessage(mem.Load64(b.slot(p))) {
			l.Len++
		}
	}
	l.Value = fmt.Sprint(f - firstLap*b.n)
	for i := range b.subs.n {
		w := mem.Load64(b.subs.owner(i))
		if w&rowState == rowJoining {
			l.Holders = append(l.Holders, Holding{Who: selfOf(rowWho(w)), What: "joining", N: 1})
		}
		if w&rowState != rowActive {
			continue
		}
		c := mem.Load64(b.subs.cursor(i))
		behind := 0
		if c < f {
			behind = int(f - c)
		}
		l.Holders = append(l.Holders, Holding{Who: selfOf(rowWho(w)), What: "behind", N: behind})
	}
	if b.items.Armed() || b.space.Armed() {
		l.Waiters = 1
	}
	switch {
	case s.w&slotEnd != 0, b.isShut():
		l.State = "shut down"
	}
	return l
}

// checkBroadcast verifies what holds at any instant. What relates several words is
// verified only if they stand still for long enough to be read twice.
func checkBroadcast(a mem.Area) error { return checkBroadcastAt(a, false) }

// checkBroadcastAt with quiet also verifies that nothing is half done: no operation and
// no recovery is under way, and no block is lost.
func checkBroadcastAt(a mem.Area, quiet bool) error {
	b, err := AttachBroadcast(a, Env{})
	if err != nil {
		return err
	}
	bad := func(format string, a ...any) error {
		return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, a...))
	}
	words := make([]uint64, b.n)
	for i := range b.n {
		words[i] = mem.Load64(b.slot(i))
	}
	conf, l, err := broadcastConfig(a)
	if err != nil {
		return err
	}
	c := queueCheck{q: &Queue{pool: newPool(a, conf.pool(), queueLayout{heads: l.heads, bytes: l.bytes}, Self{})},
		quiet: quiet, tags: map[uint64]uint32{}}
	ends := 0
	for i, w := range words {
		if w == 0 {
			return bad("slot %d is 0", i)
		}
		if w&slotEnd != 0 {
			ends++
		}
		if !hasMessage(w) {
			continue
		}
		s, ok := b.look(uint64(i), true)
		if s.w != w {
			continue // it has moved on
		}
		if !ok && mem.Load64(b.slot(uint64(i))) == w {
			return bad("slot %d: block %d of %d, position %d, %d bytes", i, firstBlock(w), b.pool.n, s.p, s.n)
		}
		if !ok {
			continue
		}
		if turn := uint32(s.p/b.n) & (1<<turnBits - 1); turn != turnIn(w) {
			return bad("slot %d, turn %d: its message has position %d", i, turnIn(w), s.p)
		}
		n, err := b.checkChain(s)
		if err != nil {
			return bad("slot %d: %v", i, err)
		}
		c.tags[s.tag] = n
	}
	still := true
	for i, w := range words {
		still = still && mem.Load64(b.slot(uint64(i))) == w
	}
	if quiet && !still {
		return bad("not quiet")
	}
	if still {
		if ends > 1 {
			return bad("%d ends", ends)
		}
		for i := range words {
			k, first := turnIn(words[i]), turnIn(words[0])
			if d := laps(first, k); d != 0 && d != 1 || i > 0 && laps(turnIn(words[i-1]), k) < 0 {
				return bad("slot %d is in lap %d, the first one in %d", i, k, first)
			}
		}
	}
	if ends > 0 && !b.isShut() {
		return bad("it has an end, but is not shut down")
	}
	for i := range b.subs.n {
		switch w := mem.Load64(b.subs.owner(i)); {
		case w == rowFree, w&rowState == rowActive:
		case !quiet && w&rowState == rowJoining:
		default:
			return bad("row %d of a subscriber: %#x", i, w)
		}
	}
	return c.blocks()
}

// checkChain follows the pieces of the message in a slot, and counts its blocks.
func (b *Broadcast) checkChain(s placed) (n uint32, err error) {
	p := &b.pool
	n = p.blocks(s.n + messageBody)
	first := s.first
	for left := n; left > 0; {
		if first >= p.n || mem.Load64(p.owner(first)) != s.tag {
			err = fmt.Errorf("a piece that is not its own, %d blocks before its end", left)
			break
		}
		e := mem.Load64(p.extent(first))
		k := p.length(first, e)
		if k == 0 || k > left {
			err = fmt.Errorf("a piece of %d blocks, %d blocks before its end", k, left)
			break
		}
		left -= k
		first = uint32(e >> extentNext)
	}
	if err != nil && mem.Load64(b.slot(s.p))&^slotEnd != s.w&^slotEnd {
		return 0, nil
	}
	return n, err
}
