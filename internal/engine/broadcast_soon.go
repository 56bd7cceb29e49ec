package engine

import (
	"sync/atomic"

	"example.com/tandem/internal/mem"
)

// What one does after a fruitless look, before it has a Waiter: it lets time pass, if it may
// and that pays (queue_lull.go), or looks for so many PAUSEs, the first ones apart, the later
// ones by an eighth of what there were. Nothing rests on it.

// Soon reports whether there is something for the subscriber.
//
//go:noinline
//go:norace
func (s *Subscription) Soon(lulls bool, looks int) bool {
	mem.RaceDisable()
	defer mem.RaceEnable()
	b := s.b
	s.Lock()
	c, t := s.next, s.spot
	s.Unlock()
	at, turn := b.at(t.i), uint32(t.lap)&(1<<turnBits-1)
	is := func() bool {
		w := mem.Load64(at)
		return w&slotEnd != 0 || laps(turnIn(w), turn) >= 0
	}
	n := b.n
	if !b.reliable {
		n /= 4 // what a publisher may write meanwhile is lost
	}
	if lulls && s.lull.letPass(c, n) {
		return is()
	}
	return lookFor(is, looks)
}

// RoomSoon reports whether there is room for a message, as far as subscribers keep some.
//
//go:noinline
//go:norace
func (b *Broadcast) RoomSoon(lulls bool, looks int) bool {
	if !b.reliable {
		return false
	}
	mem.RaceDisable()
	defer mem.RaceEnable()
	p := b.front.load()
	is := func() bool { return b.lets(p) }
	if lulls && b.lull.letPass(p, b.n) {
		return is()
	}
	return lookFor(is, looks)
}

// letPass is Queue.letPass, in a ring of n.
//
//go:norace
func (a *lull) letPass(p, n uint64) bool {
	from := atomic.LoadUint64(&a.from)
	if from == p+1 {
		return false
	}
	mem.Release64(&a.from, p+1)
	came := uint64(0)
	if from != 0 {
		came = min(p+1-from, n)
	}
	micros := a.next(uint32(came), uint32(n))
	for range micros {
		mem.RelaxMicro()
	}
	return micros > 0
}

func lookFor(is func() bool, looks int) bool {
	for paused := 0; paused < looks; {
		if is() {
			return true
		}
		n := 1 + paused/8
		mem.Relax(n)
		paused += n
	}
	return false
}
