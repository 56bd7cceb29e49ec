package engine

import (
	"unsafe"

	"example.com/tandem/internal/mem"
)

// Getting a message:
//
//	G1  the slot: full or returned → reading, and one attempt more
//	G2  the message is copied out
//	G3  this process's row + 1: one more that it has got and not done
//	G4  its blocks, if it has any: CAS → draining; freed
//	G5  CAS → empty of the next turn
//	G6  ring space; after Shutdown items, for the end may have come
//
// A consumer that dies before G4 or G5 has not got it: it is returned, and the
// row is forgotten with the process. After that it is gone with the process.
//
// A lease goes straight to leased; G3 to G6 wait for Ack, which leaves out the
// row. Producers may step over the slot meanwhile, so Ack and Nack are CASes
// that keep its turn of the moment.

// Take makes a message this process's own, leased or to be read and released.
// Without a Sleeper it makes one attempt. ErrEmpty; io.EOF after Shutdown when none is left
// and none is out.
func (q *Queue) Take(by Sleeper, lease bool) (Slot, error) {
	phase := uint64(slotReading)
	if lease {
		phase = slotLeased
	}
	s, err := q.take(phase)
	if err == ErrEmpty && by != nil {
		s, err = q.takeWait(by, phase)
	}
	if err == nil {
		if q.items.Armed() {
			q.passItems()
		}
		if lease && q.space.Armed() {
			q.passLeased()
		}
	}
	return s, err
}

// passLeased wakes a producer that may now step over what was just leased, to
// a slot that was emptied when nobody could get there: a hole, or a lease that
// had been stepped over and then ended.
//
//go:noinline
func (q *Queue) passLeased() {
	if q.findRoom() == roomOver {
		q.space.Ring(q.wakes)
	}
}

// TryTake is Take's one attempt at a message to be read and released.
func (q *Queue) TryTake() (Slot, error) {
	s, err := q.take(slotReading)
	if err == nil && q.items.Armed() {
		q.passItems()
	}
	return s, err
}

// takeWait waits for a message. If nobody rang in a sleep, it has been a
// while: then it looks back.
func (q *Queue) takeWait(by Sleeper, phase uint64) (s Slot, err error) {
	if _, e := q.items.await(by, func() bool {
		s, err = q.take(phase)
		return err != ErrEmpty
	}, nil, q.lookBack); e != nil {
		q.passItems() // it may have been woken as well
		return Slot{}, e
	}
	return s, err
}

// passItems wakes one more consumer if it may succeed.
//
//go:noinline
func (q *Queue) passItems() {
	if q.more() {
		q.items.Ring(1)
	}
}

// Length is how many bytes a message has.
func (q *Queue) Length(s Slot) (int, error) {
	if q.fixed {
		return int(q.room), nil
	}
	n := mem.Load32(s.len())
	if n > q.most {
		return 0, ErrCorrupt
	}
	return int(n), nil
}

// Read copies a message out, of as many bytes as Length said.
func (q *Queue) Read(s Slot, dst []byte) error {
	if uint64(len(dst)) > uint64(q.room) {
		return q.pool.read(*s.first(), *s.tag(), dst)
	}
	if len(dst) > 0 {
		mem.Copy(unsafe.Pointer(unsafe.SliceData(dst)), s.Body(), uintptr(len(dst)))
	}
	return nil
}

// Release ends the reading of a message that was got. TaskDone is still due. It
// reports false if the slot is not this reading's any more, and the message was
// not got: in a whole region only if there are zeroes in its place by now.
func (q *Queue) Release(s Slot) bool {
	q.got() // G3
	return q.finish(s)
}

// Discard ends the reading of a message that is nobody's: it counts as done.
// false as by Release.
func (q *Queue) Discard(s Slot) bool { return q.finish(s) }

// finish is G4 to G6.
func (q *Queue) finish(s Slot) bool {
	q.raceRelease(s)
	to := slotWord(nextTurn(turnOf(s.word)), slotEmpty, 0)
	if !q.fixed && *s.len() > q.room {
		return q.finishBlocks(s, to)
	}
	if !mem.CAS64(s.w(), s.word, to) { // G5
		return false
	}
	q.finished()
	return true
}

//go:noinline
func (q *Queue) finishBlocks(s Slot, to uint64) bool {
	draining := slotWord(turnOf(s.word), slotDraining, q.who)
	if !mem.CAS64(s.w(), s.word, draining) { // G4
		return false
	}
	q.drain(s)
	mem.CAS64(s.w(), draining, to) // G5
	q.finished()
	return true
}

func (q *Queue) drain(s Slot) {
	q.pool.giveBack(*s.first(), *s.tag(), q.pool.blocks(min(*s.len(), q.most)))
}

// finished is G6.
func (q *Queue) finished() {
	q.space.Ring(q.wakes)
	if mem.Load64(q.state)&stateShut != 0 {
		q.items.Ring(-1)
	}
	if q.idle.Armed() {
		q.tellRest()
	}
}

// Ack ends the lease on slot i: the message is done.
func (q *Queue) Ack(i int) error {
	if i < 0 || i >= int(q.n) {
		return ErrNotOwner
	}
	s := Slot{p: q.slot(uint32(i))}
	for range q.bound() {
		s.word = mem.Load64(s.w())
		if phaseOf(s.word) != slotLeased || whoOf(s.word) != q.who {
			return ErrNotOwner
		}
		q.raceRelease(s)
		to := slotWord(nextTurn(turnOf(s.word)), slotEmpty, 0)
		drain := !q.fixed && *s.len() > q.room
		if drain {
			to = slotWord(turnOf(s.word), slotDraining, q.who)
		}
		if !mem.CAS64(s.w(), s.word, to) {
			continue // stepped over
		}
		if drain {
			q.drain(s)
			mem.CAS64(s.w(), to, slotWord(nextTurn(turnOf(s.word)), slotEmpty, 0))
		}
		q.finished()
		return nil
	}
	return ErrCorrupt
}

// Nack ends the lease on slot i: the message is to be had again.
func (q *Queue) Nack(i int) error {
	if i < 0 || i >= int(q.n) {
		return ErrNotOwner
	}
	w := q.word(uint32(i))
	for range q.bound() {
		s := mem.Load64(w)
		if phaseOf(s) != slotLeased || whoOf(s) != q.who {
			return ErrNotOwner
		}
		q.raceRelease(Slot{p: q.slot(uint32(i))})
		if mem.CAS64(w, s, slotWord(turnOf(s), slotReturned, 0)) {
			setPending(q.state)
			q.items.Ring(1)
			return nil
		}
	}
	return ErrCorrupt
}
