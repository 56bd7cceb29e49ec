package engine

import "example.com/tandem/internal/mem"

// For tests that cannot be in this package, since package sim imports it.

// InitBarrierLate writes a barrier whose generation is about to wrap.
func InitBarrierLate(a mem.Area, parties int) {
	InitBarrier(a, parties)
	w := uint64(barrierRound - 3*barrierOne) // an even one
	mem.Store64(a.W64(0), w)
	b, _ := AttachBarrier(a, Env{})
	for bank := range 2 {
		for i := range b.n {
			mem.Store64(b.slot(bank, i), w-2*barrierOne+uint64(bank)*barrierOne)
		}
	}
}

// Round is the generation of a's round.
func (a Arrival) Round() uint64 { return a.b >> 31 }

// Round is that under way, and whether it is broken.
func (b *Barrier) Round() (uint64, bool) {
	w := mem.Load64(b.b)
	return w >> 31, w&barrierBroken != 0
}

// Slot is a's.
func (a Arrival) Slot() *uint64 { return a.slot }
