package engine

import "example.com/tandem/internal/mem"

// How far publishers may go, of a Reliable broadcast, and when they hear that they may:
// B6 and B8 of broadcast.go.

// lets reports whether no subscriber keeps a message from position p, the front.
func (b *Broadcast) lets(p uint64) bool {
	return p < load(&b.limit)+b.n || p < b.limitFrom(p)+b.n
}

// limitFrom is B8, from a position that was the front.
func (b *Broadcast) limitFrom(p uint64) uint64 {
	for i := range b.subs.n {
		if mem.Load64(b.subs.owner(i))&rowState == rowActive {
			p = min(p, mem.Load64(b.subs.cursor(i)))
		}
	}
	save(&b.limit, p)
	return p
}

// full reports that a subscriber keeps a message from position p, which was the front. If
// it is to be sure, it makes the fences of those who store their cursors before it says so.
func (b *Broadcast) full(p uint64, sure bool) bool {
	if !b.reliable || b.lets(p) {
		return false
	}
	if sure {
		b.sync()
	}
	return !sure || !b.lets(p)
}

// passSpace is B6: it wakes the publishers if one may go on, for a subscriber whose cursor
// is c now.
//
//go:noinline
func (b *Broadcast) passSpace(c uint64) {
	mem.Fence() // two of the slowest would else not see each other's
	p, _, err := b.walk(max(b.front.load(), c), false)
	if err == nil {
		if limit := b.limitFrom(p); limit < c || limit+b.n <= p {
			return
		}
	}
	b.space.Ring(-1)
}

// stir is P6, for all who have made blocks free, by CAS: it wakes the publishers if one may
// go on.
func (b *Broadcast) stir() {
	if b.space.Armed() {
		b.passFree()
	}
}

//go:noinline
func (b *Broadcast) passFree() {
	if b.reliable {
		if p, _, err := b.walk(b.front.load(), false); err == nil && b.limitFrom(p)+b.n <= p {
			return
		}
	}
	b.space.Ring(-1)
}

// sync is Queue.sync.
func (b *Broadcast) sync() {
	if b.env.Sync == nil {
		return
	}
	if !b.env.Sync() || b.env.Misses {
		for range 4 {
			mem.RelaxMicro()
		}
	}
}
