package engine

import "example.com/tandem/internal/mem"

// The two sides of an SPSC keep some way between them as the ends of a queue do, and for
// the same reason: see apart. They know exactly how far they are from each other. They look
// when one has used up all that it knew of, and 64 messages at least have passed since it
// looked last, so the way of a message that finds the other side known is not a load longer.

// GetsClose reports that a Get of so many is to look, by GetLate; PutsClose that a Put is.
func (s *SPSC) GetsClose(want int) bool { return s.get.close(s, want) }
func (s *SPSC) PutsClose(want int) bool { return s.put.close(s, want) }

func (u *spscSide) close(s *SPSC, want int) bool {
	return u.left() < uint64(want) && u.mine && u.near(s)
}

// near reports that the side may be near the other, for all that it knows.
func (u *spscSide) near(s *SPSC) bool { return u.pos-u.looked >= markEvery && s.n >= apartLeast }

// GetLate lets some microseconds pass if the producer is near, and that may be.
//
//go:noinline
func (s *SPSC) GetLate(lulls bool) {
	u := &s.get
	u.giveWay(lulls, func(near uint64) (tail uint64, enough bool) {
		tail = mem.Load64(u.other)
		return tail, tail-u.pos >= near
	}, apartClose, s.n/4)
}

// PutLate does if the consumer is.
//
//go:noinline
func (s *SPSC) PutLate(lulls bool) {
	u := &s.put
	u.giveWay(lulls, func(near uint64) (head uint64, enough bool) {
		head = mem.Load64(u.other)
		return head, s.n-(u.pos-head) >= near
	}, s.n/8, s.n/4)
}

// giveWay is for one whose way to the other is less than near, until it is far.
func (u *spscSide) giveWay(lulls bool, other func(way uint64) (uint64, bool), near, far uint64) {
	u.looked = u.pos
	if _, enough := other(near); enough {
		return
	}
	if u.apart.occasion(); u.apart.isDue() {
		u.apart.giveWay(lulls, func() (uint64, bool) { return other(far) })
	}
}
