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
	return q.roomy() && (uint32(n) <= q.room || q.pool.enough(0, q.pool.blocks(uint32(n))))
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

// Fill writes a message that lies in its slot.
func (s Slot) Fill(msg []byte) {
	*s.len() = uint32(len(msg))
	mem.Copy(s.Body(), unsafe.Pointer(unsafe.SliceData(msg)), uintptr(len(msg)))
}

// TakeHere takes one more message of a run.
func (q *Queue) TakeHere() (Slot, bool) { return q.takeHere(slotReading) }
