package engine

import (
	"unsafe"

	"example.com/tandem/internal/mem"
)

// For tests that cannot be in this package, since package sim imports it.

func (c QueueConfig) InitLap(a mem.Area, lap uint64)    { c.initLap(a, lap) }
func RecoverQueue(a mem.Area, env Env, dead Self) error { return recoverQueue(a, env, dead) }
func CheckQueue(a mem.Area, quiet bool) error           { return checkQueueAt(a, quiet) }
func LookQueue(a mem.Area) Look                         { return lookQueue(a) }
func (q *Queue) BytesOf(s Slot) ([]byte, error)         { return q.bytesOf(s) }
func (q *Queue) More() bool                             { return q.more() }
func (q *Queue) AtRest() bool                           { return q.restNow() == atRest }
func (c QueueConfig) Message(i int) []byte              { return c.message(i) }

// Fits reports whether a message of n bytes could be put.
func (q *Queue) Fits(n int) bool {
	return q.roomy() && (uint32(n) <= q.room || q.pool.enough(q.pool.blocks(uint32(n))))
}

// FitsWhole reports whether a loan of n bytes could be had.
func (q *Queue) FitsWhole(n int) bool { return q.pool.look(0, q.pool.blocks(uint32(n))).found }

// LentBytes is what was lent, all of it.
func (q *Queue) LentBytes(l Loan) []byte {
	return unsafe.Slice((*byte)(q.Memory(l)), int(l.blocks*q.pool.size))
}

// enough reports whether so many blocks are free, in whatever pieces.
func (p *pool) enough(want uint32) bool { return p.look(0, p.n+1).all >= want }

// shatter makes the pool one of pieces of a block, all free.
func (q *Queue) shatter() {
	for b := range q.pool.n {
		*q.pool.owner(b), *q.pool.extent(b) = freed(1), 1|extentLoose
	}
}

// CutInto makes the pool one of free pieces of such lengths.
func (q *Queue) CutInto(lengths ...uint32) {
	b := uint32(0)
	for _, k := range lengths {
		for i := b; i < b+k; i++ {
			*q.pool.owner(i) = 0
		}
		*q.pool.owner(b), *q.pool.extent(b) = freed(k), uint64(k|extentLoose)
		b += k
	}
}

// claimAt takes the piece at b, for good.
func (q *Queue) claimAt(b uint32) {
	*q.pool.owner(b), *q.pool.extent(b) = q.newTag(), uint64(uint32(*q.pool.extent(b))&extentMask)
}

const NearWrap = nearWrap

const (
	IsReading = slotReading
	IsLeased  = slotLeased
)

// SlotIs reports whether q's process holds a slot in a phase.
func (q *Queue) SlotIs(s Slot, phase uint64) bool {
	return phaseOf(*s.w()) == phase && whoOf(*s.w()) == q.who
}

// SlotWord is the word of slot i of the queue in a.
func SlotWord(a mem.Area, i uint64) *uint64 {
	_, l, err := queueConfig(a)
	if err != nil {
		panic(err)
	}
	return a.W64(l.slots + i*l.stride)
}
