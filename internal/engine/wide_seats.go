package engine

import (
	"math"

	"example.com/tandem/internal/mem"
)

// A seat is what one goroutine of the process uses at a time, to store: a drain and a
// spare. What it has to itself is private memory. The race detector is not to take it
// for an order of the user's.
//
// To take the spare (S1) is to take the seat: of those who find the same spare the CAS of
// its tag has one succeed, for the sequence changes. That one says so in the seat before it
// does anything else. Until then others find that the tag is the seat's, and of the next
// sequence; or, if they are late, that the seat's word has changed.
type seat struct {
	spare uint64 // a cell's word that names it; 0: none; seatTaken
	drain *uint64
	who   uint64 // of the tags that are its own
	_     [40]byte
}

const seatTaken = math.MaxUint64 // no cell's word

const (
	wideOut = iota
	wideEntering
	wideIn
)

// take waits for a seat. They are held for some stores and no call of the user's; a
// goroutine that was preempted holds up those of its own process alone. w is the
// word of a cell that has the seat's copy; there is no seat where there is no copy.
//
//go:norace
func (c *Wide) take() (t *seat, w uint64) {
	mem.RaceDisable()
	for try := 0; ; try++ {
		j := mem.Load64(&c.turn)
		for range c.spares {
			if j++; j >= uint64(c.spares) || j >= maxSpares {
				j = 0
			}
			t = &c.seats[j]
			if w = c.sit(t); w == 0 {
				continue
			}
			mem.Hint64(&c.turn, j)
			mem.RaceEnable()
			if w == seatTaken {
				return nil, 0
			}
			return t, w
		}
		if try < 4 {
			mem.Relax(1 << try)
		} else {
			mem.Yield()
		}
	}
}

// sit is S1, on this seat. It returns 0 if another goroutine has it, seatTaken if there
// is no copy.
//
//go:norace
func (c *Wide) sit(t *seat) uint64 {
	s := mem.Load64(&t.spare)
	if s == seatTaken {
		return 0
	}
	if s != 0 {
		k := c.copyOf(s)
		p := c.tagAt(k)
		tag := mem.Load64(p)
		next := nextTag(t.who, tag)
		if c.names(s, tag) && tag>>copyWho != 0 {
			if !mem.CAS64(p, tag, next) {
				return 0 // a goroutine has it; or recovery has freed it, which the next look finds
			}
			mem.Release64(&t.spare, seatTaken)
			return c.word(k, next)
		}
		if c.names(s, tag-1) && tag&^copySeq == t.who {
			return 0
		}
	}
	if !mem.CAS64(&t.spare, s, seatTaken) {
		return 0
	}
	return c.claim(t)
}

// leave ends the use of a seat that has the copy of the cell's word w for its spare.
//
//go:norace
func (t *seat) leave(w uint64) {
	mem.RaceDisable()
	mem.Release64(&t.spare, w)
	mem.RaceEnable()
}

// claim takes a free copy for the seat. There is one at any instant, as long as a seat
// has none: so a look at all that finds none has met with a recovery, which has freed one
// that it had passed, while another has claimed one ahead of it. Two such looks that find
// the same sequences, which only grow, are of one instant, between them: the
// region is corrupt.
//
//go:noinline
//go:norace
func (c *Wide) claim(t *seat) uint64 {
	mem.RaceEnable()
	defer mem.RaceDisable()
	c.enter()
	k := c.n + uint64(c.env.Self.Index)*uint64(c.spares) + t.who>>copySeat%4
	for last := uint64(math.MaxUint64); ; {
		sum := uint64(0)
		for range c.count {
			if k++; k > c.count {
				k = 1
			}
			p := c.tagAt(k)
			tag := mem.Load64(p)
			if sum += tag & copySeq; tag>>copyWho != 0 {
				continue
			}
			next := nextTag(t.who, tag)
			switch ok, err := c.env.change(p, tag, next); {
			case err != nil:
				t.leave(0)
				return seatTaken
			case ok:
				return c.word(k, next)
			}
		}
		if sum == last {
			t.leave(0)
			return seatTaken
		}
		last = sum
	}
}

// enter comes before this Wide's first claim. An earlier one of this process may have
// used the row: what was its spare then is nobody's, and is freed as if the process had
// died. It is over: there is one Wide at a time. Whoever has claimed a copy has come to S4,
// so there is a word in the row.
func (c *Wide) enter() {
	mem.RaceDisable()
	defer mem.RaceEnable()
	for mem.Load64(&c.entered) != wideIn {
		if !mem.CAS64(&c.entered, wideOut, wideEntering) {
			mem.Yield()
			continue
		}
		used := uint64(0)
		for k := range c.spares {
			used |= mem.Load64(c.seats[k].drain)
		}
		if used != 0 {
			c.recover(c.a, c.env.Self)
		}
		mem.Store64(&c.entered, wideIn)
	}
}
