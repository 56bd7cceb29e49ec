package engine

import (
	"sync/atomic"

	"example.com/tandem/internal/mem"
)

// How the holder of a slot passes it on: by a store.
//
// A slot writing or reading is moved by nobody but its holder and, when that is
// dead, by recovery. So P3 and G5 need no CAS: they are store-releases, with or
// without a fence behind them.
//
// # The fence
//
// A publisher, or one who releases, looks after its store whether somebody sleeps
// (W3 of Bell; the same of idle, and of shut). Before that look the store must be
// seen by others, or the sleeper must see to that:
//
//	F1  unfenced: the region says that its sleepers make the fences of all who
//	    publish (Env.Sync, Bell), and this process is within their reach. It stores
//	    and looks: 0.5 ns instead of 5
//	F2  else it stores by XCHG, and nobody else need know
//	F3  whoever rings by what a look at the slots of others has shown has a locked
//	    instruction between its own store and that look. passItems and passSpace
//	    come after a CAS of their own; tellRest begins with one: of two that end
//	    the last two messages each might else see the other's still there
//
// On arm64 a look (LDAR) never comes before the store (STLR): all are F2 there, at no
// cost.
//
// # What a Try says
//
// A slot that shows writing, reading or draining may have been passed on by a store
// that is under way: by a call that has returned. So before TryGet says ErrEmpty of a
// slot writing, or TryPut ErrFull over one reading, it makes the others' fences and
// looks again: for each position anew on which it would say so, since what is put at
// the next may have been put after those fences (sure). The same of ErrEmpty after
// Shutdown, where it may be the end. What shows empty, full or on lease was moved by
// CAS. A call that waits makes them before it sleeps. A call that cannot make them,
// and one whose fences may miss somebody, gives those stores four microseconds. (Len
// makes no fences: it may be short of what is so under way, for nanoseconds.)
//
// # Death
//
// A store of the dead that has left its processor is seen before the death can be
// proven: both are stores of one thread, in order. One that has not left it was
// never made.
//
// A process whose byte somebody unlocked for it (a program that closes descriptors which
// are not its own) is taken for dead and is not. A CAS of its would fail
// after that; its store does not, and may come over what the slot has become: one
// slot is damaged then, as by any process that writes where it must not.
//
// # Zeroes
//
// A CAS fails in the zeroes that come in the place of a closed region, a store does
// not. So a call that has stored, and then sees that its handle is closed, asks where
// it did (object.Gate.Gave): InZeroes, ReleasedInZeroes. It was in the region if the
// handle was not closed yet when that was looked at after the store.

// storeFenced is F2, where q.unfenced does not say F1.
//
//go:noinline
func storeFenced(w *uint64, to uint64) { mem.Store64(w, to) }

// fence is that of stores by Release64 which came before it, if others do not make
// it.
func (q *Queue) fence() {
	if !q.unfenced.Load() {
		q.fenceNow()
	}
}

// fenceNow is a locked instruction, which orders nothing for the race detector.
func (q *Queue) fenceNow() {
	mem.RaceDisable()
	mem.Or64(&q.tail.own, 0)
	mem.RaceEnable()
}

// never is what unfenced is where others make no fences.
var never atomic.Bool

// sync makes the fences of others, and reports whether something can be seen that
// could not before. Where that cannot be done it gives their stores time: no store
// stays in a processor for as long.
func (q *Queue) sync() bool {
	if q.env.Sync == nil {
		return false
	}
	if !q.env.Sync() || q.env.Misses {
		for range 4 {
			mem.RelaxMicro()
		}
	}
	return true
}

// sure is sync for a verdict at w's position, if that is to be sure and has had
// none yet.
//
//go:noinline
func (q *Queue) sure(sure bool, w *walk) bool {
	if !sure || w.sure == w.p+1 {
		return false
	}
	w.sure = w.p + 1
	return q.sync()
}

// InZeroes reports, of a slot in zeroes, that the message of claim s was published
// there. It was by the holder of the slot in the region when that went: no call
// publishes what it has claimed in zeroes (gone), no other call finds its own claim
// there, and none moves a turn on there, but by ending a reading (stepOver).
func (q *Queue) InZeroes(s Slot) bool {
	w := mem.Load64(s.w())
	if turnOf(w) != turnOf(s.word) {
		return false
	}
	switch phaseOf(w) {
	case slotFull, slotReading, slotLeased, slotReturned:
		return true
	}
	return false
}

// ReleasedInZeroes reports, of a slot in zeroes, that the reading s was ended there
// by a store. The slot is empty then, or what a call in the zeroes makes of such a
// one, in the turn that the store gave it. A producer that had claimed it in the
// region after this reading had ended there would leave it full, in that turn.
func (q *Queue) ReleasedInZeroes(s Slot) bool {
	w := mem.Load64(s.w())
	if turn := nextTurn(turnOf(s.word)); turn == 0 || turnOf(w) != turn {
		return false
	}
	switch phaseOf(w) {
	case slotEmpty, slotWriting, slotSealed:
		return true
	}
	return false
}
