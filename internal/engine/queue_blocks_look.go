package engine

import (
	"fmt"

	"example.com/tandem/internal/mem"
)

// loans counts the pieces that are a process's and in no slot: those of its loans,
// and of a Put that fills one at this instant.
func (q *Queue) loans() map[Self]int {
	if q.fixed {
		return nil
	}
	held := map[uint32]uint64{} // before the slots: what is published meanwhile is in one
	for b := uint32(0); b < q.pool.n; {
		tag := mem.Load64(q.pool.owner(b))
		if tag != 0 && !isFree(tag) {
			held[b] = tag
		}
		b += max(q.pool.length(b, mem.Load64(q.pool.extent(b))), 1)
	}
	put := map[uint64]bool{}
	for i := range q.n {
		s := Slot{p: q.slot(i)}
		switch phaseOf(mem.Load64(s.w())) {
		case slotEmpty, slotWriting, slotSealed:
			continue
		}
		if mem.Load32(s.len()) > q.room {
			put[mem.Load64(s.tag())] = true
		}
	}
	n := map[Self]int{}
	for b, tag := range held {
		if !put[tag] && mem.Load64(q.pool.owner(b)) == tag {
			n[selfOf(tagWho(tag))]++
		}
	}
	return n
}

// checkChain follows a message's blocks, if it has any: n of them.
func (q *Queue) checkChain(s Slot) (tag uint64, n uint32, err error) {
	size, tag, b := mem.Load32(s.len()), mem.Load64(s.tag()), mem.Load32(s.first())
	if size > q.most {
		err = fmt.Errorf("%d bytes of at most %d", size, q.most)
	} else if size > q.room && phaseOf(s.word) != slotDraining {
		n = q.pool.blocks(size)
		for left := n; left > 0; {
			if b >= q.pool.n || mem.Load64(q.pool.owner(b)) != tag {
				err = fmt.Errorf("a piece that is not its own, %d blocks before its end", left)
				break
			}
			e := mem.Load64(q.pool.extent(b))
			k := q.pool.length(b, e)
			if k == 0 || k > left {
				err = fmt.Errorf("a piece of %d blocks, %d blocks before its end", k, left)
				break
			}
			left -= k
			b = uint32(e >> extentNext)
		}
	}
	if mem.Load64(s.w()) != s.word {
		return 0, 0, nil // it moved on meanwhile
	}
	return tag, n, err
}

// blocks verifies TILING, if the pool stands still for long enough to be read
// twice, and when all is quiet that no block is lost.
func (c *queueCheck) blocks() error {
	p := &c.q.pool
	owners, extents := make([]uint64, p.n), make([]uint64, p.n)
	still := false
	for try := 0; try < 3 && !still; try++ {
		for b := range p.n {
			owners[b], extents[b] = mem.Load64(p.owner(b)), mem.Load64(p.extent(b))
		}
		still = true
		for b := range p.n {
			still = still && mem.Load64(p.owner(b)) == owners[b] && mem.Load64(p.extent(b)) == extents[b]
		}
	}
	if !still {
		if c.quiet {
			return badQueue("not quiet")
		}
		return nil
	}
	for b := uint32(0); b < p.n; {
		tag, k := owners[b], p.length(b, extents[b])
		if tag == 0 || k == 0 || isFree(tag) && tag != freed(k) {
			return badQueue("a piece at block %d: %#x, of %d blocks", b, tag, k)
		}
		for part := b + 1; part < b+k; part++ {
			if o := owners[part]; o != 0 && (c.quiet || o != tag || isFree(tag)) {
				return badQueue("block %d is in the piece of %d blocks at %d: %#x", part, k, b, o)
			}
		}
		if c.quiet && !isFree(tag) {
			if c.tags[tag] < k {
				return badQueue("%d blocks lost at %d: tag %#x", k, b, tag)
			}
			c.tags[tag] -= k
		}
		b += k
	}
	return nil
}
