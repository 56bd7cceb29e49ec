package engine

import (
	"math/rand/v2"
	"sync/atomic"

	"example.com/tandem/internal/mem"
)

// A seat is what one goroutine of the process uses at a time, to store: a drain and a
// spare. All of it is private memory. The race detector is not to take it for an order
// of the user's.
type seat struct {
	busy      uint64
	number    uint64
	drain     *uint64
	copy, tag uint64 // the spare; no tag: none
	seq, end  uint64 // of the tags that are this seat's to give
	taken     map[uint64]bool
	_         [64]byte
}

const (
	wideOut = iota
	wideEntering
	wideIn
)

// take waits for a seat. They are held for some stores and no call of the user's; a
// goroutine that was preempted holds up those of its own process alone.
//
//go:norace
func (c *Wide) take() *seat {
	mem.RaceDisable()
	for try := 0; ; try++ {
		j := mem.Load64(&c.turn)
		for range c.spares {
			if j++; j >= uint64(c.spares) {
				j = 0
			}
			t := &c.seats[j]
			if mem.Load64(&t.busy) == 0 && mem.CAS64(&t.busy, 0, 1) {
				mem.Hint64(&c.turn, j)
				mem.RaceEnable()
				t.number, t.drain = j, c.drains[j]
				return t
			}
		}
		if try < 4 {
			mem.Relax(1 << try)
		} else {
			mem.Yield()
		}
	}
}

func (c *Wide) leave(t *seat) {
	mem.RaceDisable()
	mem.Release64(&t.busy, 0)
	mem.RaceEnable()
}

// enter comes before this Wide's first claim. An earlier one of this process may have
// used the row: what was its spare then is nobody's, and is freed as if the process had
// died. It is over: there is one Wide at a time. Whoever has claimed a copy has come to S4,
// so there is a word in the row.
func (c *Wide) enter() bool {
	mem.RaceDisable()
	defer mem.RaceEnable()
	for mem.Load64(&c.entered) != wideIn {
		if !mem.CAS64(&c.entered, wideOut, wideEntering) {
			mem.Yield()
			continue
		}
		used := uint64(0)
		for _, d := range c.drains[:c.spares] {
			used |= mem.Load64(d)
		}
		if used != 0 {
			c.recover(c.a, c.env.Self)
		}
		mem.Store64(&c.entered, wideIn)
	}
	return true
}

// Tags. Those of one process have all their sequences from one counter, whatever the
// object and the handle, which begins anywhere: a value may outlive its process, and
// 2^20 others of the same index. A seat takes a stretch at a time. From the second
// round of the counter on, tags of a stretch that are to be seen in the object are left
// out.
const (
	stretchTags = 1 << 16
	stretchMost = (tagSeq + 1) / stretchTags // of a round
)

var (
	stretches     atomic.Uint64
	firstSequence = rand.Uint64()
)

// newTag is a tag that no value of the object has.
//
//go:norace
func (c *Wide) newTag(t *seat) uint64 {
	for {
		if t.seq == t.end {
			c.stretch(t)
		}
		tag := c.who | t.seq&tagSeq
		t.seq++
		if tag&tagSeq != 0 && !t.taken[tag] {
			return tag
		}
	}
}

//go:noinline
func (c *Wide) stretch(t *seat) {
	mem.RaceDisable()
	defer mem.RaceEnable()
	n := stretches.Add(1)
	t.seq = (firstSequence + n) % stretchMost * stretchTags
	t.end, t.taken = t.seq+stretchTags, nil
	if n < stretchMost {
		return
	}
	t.taken = map[uint64]bool{}
	see := func(off uint64) {
		if tag := mem.Load64(c.a.W64(off)); tag&^tagSeq == c.who && tag&tagSeq-t.seq < stretchTags {
			t.taken[tag] = true
		}
	}
	for k := range c.count {
		see(c.copy(k))
	}
	for i := range c.rows {
		for k := range c.spares {
			see(c.drain(i, k))
		}
	}
}
