package engine

import (
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// The slots of a Broadcast, and the walk to the front; broadcast.go has the words.
//
// A message comes at the front only, so at any instant, with k(i) the lap that slot i
// was filled in last,
//
//	SHAPE  k(0) ≥ k(1) ≥ … ≥ k(N-1) ≥ k(0)-1, and F = Σ (k(i)+1)
//	seat   a slot that was filled last at q says that F > q, and F-q-1 < N
//
// So the slots alone say where the front is. A hint is a position that was the front,
// or below it; it stays one for ever, and an old one costs a longer walk. A process
// stores one that it has itself reached, in the region once in 64 messages. A walk goes
// by turns, modulo 2^31, from slot to slot, and at its end asks for the position of 64
// bits: where that is another than the turns said, the hint was older than 2^30 laps, and
// the walk goes on from there.

const (
	slotEnd  = 1 << 0 // S
	slotHas  = 1 << 1 // full
	firstPos = 2

	turnShift = 33
	firstMask = 1<<31 - 1
)

func fullWord(lap uint64, first uint32) uint64 {
	return lap<<turnShift | uint64(first)<<firstPos | slotHas
}
func voidWord(lap, end uint64) uint64 { return lap<<firstPos | end }

func hasMessage(w uint64) bool   { return w&slotHas != 0 }
func firstBlock(w uint64) uint32 { return uint32(w >> firstPos & firstMask) }

// turnIn is a slot's turn.
func turnIn(w uint64) uint32 {
	if hasMessage(w) {
		return uint32(w >> turnShift)
	}
	return uint32(w >> firstPos & (1<<turnBits - 1))
}

// A spot is a position, with its lap and slot.
type spot struct{ p, lap, i uint64 }

func (b *Broadcast) spot(p uint64) spot {
	if b.n == 1<<b.shift { // most are: it saves a division
		return spot{p, p >> b.shift, p & (b.n - 1)}
	}
	lap := p / b.n
	return spot{p, lap, p - lap*b.n}
}

// after is the spot of the next position: to go on costs no division.
func (b *Broadcast) after(t spot) spot {
	t.p++
	if t.i++; t.i == b.n {
		t.i, t.lap = 0, t.lap+1
	}
	return t
}

// at is slot i, slot that of position p.
func (b *Broadcast) at(i uint64) *uint64   { return (*uint64)(unsafe.Add(b.slots, uintptr(i)*8)) }
func (b *Broadcast) slot(p uint64) *uint64 { return b.at(p % b.n) }

// pos and len are the first words of a message, by its first block.
func (b *Broadcast) pos(first uint32) *uint64 {
	return (*uint64)(unsafe.Add(b.pool.at(first), messagePos))
}
func (b *Broadcast) len(first uint32) *uint64 {
	return (*uint64)(unsafe.Add(b.pool.at(first), messageLen))
}

// A placed is what a slot has shown.
type placed struct {
	at    *uint64 // the slot
	lap   uint64  // of the position that was looked for
	w     uint64
	p     uint64 // filled last
	first uint32 // of what is full
	n     uint32 // its bytes
	tag   uint64 // the message's, where that was asked for
}

// look reads the slot of position p. false: it changed meanwhile, or is damaged.
func (b *Broadcast) look(p uint64, tag bool) (s placed, ok bool) {
	ok = b.lookAt(&s, b.spot(p), tag)
	return s, ok
}

// lookAt is look, of a placed that is not copied (see claim).
func (b *Broadcast) lookAt(s *placed, t spot, tag bool) (ok bool) {
	at := b.at(t.i)
	w := mem.Load64(at)
	s.at, s.lap, s.w, s.first, s.n = at, t.lap, w, 0, 0
	if !hasMessage(w) {
		s.p = w>>firstPos*b.n + t.i
		return w != 0
	}
	first := firstBlock(w)
	if s.first = first; first >= b.pool.n {
		return false
	}
	p, n := mem.Load64(b.pos(first)), mem.Load64(b.len(first))
	if s.p = p; tag {
		s.tag = mem.Load64(b.pool.owner(first))
	}
	if s.n = uint32(n); mem.Load64(at) != w || n > uint64(b.most) {
		return false
	}
	return p == t.p || p+b.n == t.p || p%b.n == t.i
}

// A frontHint is a position that is shared by the processes, and a copy of this
// process's own.
type frontHint struct {
	shared *uint64
	_      [128 - 8]byte
	own    uint64
	_      [128 - 8]byte
}

// load is the process's own.
func (h *frontHint) load() uint64 {
	mem.RaceDisable()
	p := atomic.LoadUint64(&h.own)
	mem.RaceEnable()
	return p
}

// save keeps p, a position that was the front.
func (h *frontHint) save(p uint64) {
	mem.RaceDisable()
	mem.Release64(&h.own, p)
	mem.RaceEnable()
}

// reached stores p, which this process has reached.
func (b *Broadcast) reached(p uint64) {
	b.front.save(p)
	if p%markEvery == 0 || b.n < markEvery && p%b.n == 0 {
		mem.Release64(b.front.shared, p)
	}
}

// walk goes from p, a hint, to the front, and returns what is in its way there: the
// slot that was filled last a lap before.
func (b *Broadcast) walk(p uint64, tag bool) (f uint64, s placed, err error) {
	f, err = b.walkTo(&s, p, tag)
	return f, s, err
}

// walkTo is walk, of a placed that is not copied.
func (b *Broadcast) walkTo(s *placed, p uint64, tag bool) (f uint64, err error) {
	t := b.spot(p)
	for step := range b.bound() {
		w := mem.Load64(b.at(t.i))
		if d := laps(turnIn(w), uint32(t.lap)&(1<<turnBits-1)); d >= 0 {
			t.p, t.lap = t.p+uint64(d)*b.n, t.lap+uint64(d)
			t = b.after(t)
			if step%markEvery == 0 {
				if h := mem.Load64(b.front.shared); h > t.p {
					t = b.spot(h)
				}
			}
			continue
		}
		ok := b.lookAt(s, t, tag)
		switch {
		case ok && s.p == t.p-b.n:
			return t.p, nil
		case ok:
			t = b.spot(s.p + 1)
		case w == 0:
			return 0, b.lost()
		}
	}
	return 0, b.lost()
}
