package engine

import "example.com/tandem/internal/mem"

// Those who send one way and those who receive keep some way between them as the ends of a
// queue do, and for the same reason: see apart. One looks how near the others are where
// what it knew of is used up, and this process has had 64 messages that way since it looked
// last; and where messages are small beside the ring, or it would not see the difference.
//
// As with a lull, nothing but time rests on it, so the counts are those of whoever stores
// last. No lock is held meanwhile.

// pipeUnit is how many bytes count as a message there.
const pipeUnit = 64

// A pipeSide is this process's part of those who send, or receive.
type pipeSide struct {
	count  uint64 // messages that it had
	looked uint64 // as many it had when it looked
	inside uint64 // 1: one of its calls has the lock, and copies
	apart  apart
	lull   lull
}

func (s *pipeSide) had() { see(&s.count, seen(&s.count)+1) }

// due reports that 64 messages have passed, and that the ring is long enough.
func (s *pipeSide) due(y *pipeWay) bool {
	return seen(&s.count)-seen(&s.looked) >= markEvery && y.bytes >= apartLeast*pipeUnit
}

// RecvsClose reports that a Recv is to look, by RecvLate; SendsClose that a Send of so many
// bytes is.
func (h *PipeEnd) RecvsClose() bool {
	y := h.in
	return y != nil && y.recvs.due(y) && seen(&y.seenW) == mem.Load64(y.r)
}

func (h *PipeEnd) SendsClose(n int) bool {
	y := h.out
	return y != nil && y.sends.due(y) && y.bytes-(mem.Load64(y.w)-seen(&y.seenR)) < framed(uint64(n))
}

// RecvLate lets some microseconds pass if those who send are near, and that may be.
//
//go:noinline
func (h *PipeEnd) RecvLate(lulls bool) {
	y := h.in
	y.recvs.giveWay(lulls, func(way uint64) (uint64, bool) {
		w := mem.Load64(y.w)
		return w, w-mem.Load64(y.r) >= way
	}, apartClose*pipeUnit, y.bytes/4)
}

// SendLate does if those who receive are.
//
//go:noinline
func (h *PipeEnd) SendLate(lulls bool) {
	y := h.out
	y.sends.giveWay(lulls, func(way uint64) (uint64, bool) {
		r := mem.Load64(y.r)
		return r, y.bytes-(mem.Load64(y.w)-r) >= way
	}, y.bytes/8, y.bytes/4)
}

// giveWay is for one whose way to the others is less than near, until it is far.
func (s *pipeSide) giveWay(lulls bool, other func(way uint64) (uint64, bool), near, far uint64) {
	see(&s.looked, seen(&s.count))
	if _, enough := other(near); enough {
		return
	}
	if s.apart.occasion(); s.apart.isDue() {
		s.apart.giveWay(lulls, func() (uint64, bool) { return other(far) })
	}
}
