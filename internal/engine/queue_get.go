package engine

import (
	"unsafe"

	"example.com/tandem/internal/mem"
)

// Getting a message:
//
//	G1  the slot: full or returned → reading; of what was returned, one attempt more
//	G2  the message is copied out
//	G3  this process's row + 1: one more that it has got and not done
//	G4  its blocks, if it has any: CAS → draining; freed
//	G5  store empty of the next turn, see queue_store.go
//	G6  ring space; after Shutdown items, for the end may have come
//
// A consumer that dies before G4 or G5 has not got it: it is returned, and the
// row is forgotten with the process. After that it is gone with the process.
//
// A lease goes straight to leased; G3 to G6 wait for Ack, which leaves out the
// row. Producers may step over the slot meanwhile, so Ack and Nack are CASes
// that keep its turn of the moment.

// Take makes a message this process's own, leased or to be read and released.
// Without a Sleeper it makes one attempt, and ErrEmpty is sure. io.EOF after Shutdown
// when none is left and none is out.
func (q *Queue) Take(by Sleeper, lease bool) (Slot, error) {
	phase := uint64(slotReading)
	if lease {
		phase = slotLeased
	}
	s, err := q.take(phase)
	switch {
	case err == ErrEmpty && by != nil:
		s, err = q.takeWait(by, phase)
	case err == ErrEmpty && q.env.Sync != nil:
		s, err = q.walkAndTake(phase, true)
	}
	if err == nil {
		q.passOn(lease)
	}
	return s, err
}

// passOn wakes others, of a process that has taken what it may have been woken for.
func (q *Queue) passOn(lease bool) {
	if q.items.Armed() {
		q.passItems()
	}
	if lease && q.space.Armed() {
		q.passLeased()
	}
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

// TryTake is Take's first attempt at a message to be read and released, TryLease
// at one to be leased: ErrEmpty is not sure.
func (q *Queue) TryTake() (Slot, error) {
	if s, ok := q.takeHere(slotReading); ok {
		if q.items.Armed() {
			q.passItems()
		}
		return s, nil
	}
	s, err := q.walkAndTake(slotReading, false)
	if err == nil {
		q.passOn(false)
	}
	return s, err
}

func (q *Queue) TryLease() (Slot, error) {
	s, err := q.take(slotLeased)
	if err == nil {
		q.passOn(true)
	}
	return s, err
}

// takeWait waits for a message. If nobody rang in a sleep, it has been a
// while: then it looks back.
func (q *Queue) takeWait(by Sleeper, phase uint64) (s Slot, err error) {
	q.pause(by, &q.gets, q.head.load())
	at := q.atHead()
	if _, e := q.items.await(by, func() bool {
		s, err = q.take(phase)
		at = q.atHead()
		return err != ErrEmpty
	}, beside{moved: func() bool { return at.moved() }, unrung: q.lookBack}); e != nil {
		q.passItems() // it may have been woken as well
		return Slot{}, e
	}
	return s, err
}

// A headLook is a look at the slot alone at which a walk has ended. Of a message
// that was given back, and of the end of the queue, it says nothing.
type headLook struct {
	w *uint64
	v uint64
}

func (q *Queue) atHead() headLook {
	w := q.word(posSlot(q.head.load()))
	return headLook{w, mem.Load64(w)}
}

// moved reports that a message is there, or soon.
func (l *headLook) moved() bool {
	v := mem.Load64(l.w)
	return v != l.v || phaseOf(v) == slotFull
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
		mem.Copy(unsafe.Pointer(unsafe.SliceData(dst)), q.Body(s), uintptr(len(dst)))
	}
	return nil
}

// Release ends the reading of a message that was got. TaskDone is still due. It
// reports false if the message was not got, since there are zeroes in the region's
// place by now; one doubt is left, see ReleasedInZeroes.
func (q *Queue) Release(s Slot) bool {
	q.got() // G3
	to := slotWord(nextTurn(turnOf(s.word)), slotEmpty, 0)
	if to == 0 || !q.fixed || !q.unfenced.Load() {
		return q.finish(s)
	}
	q.raceRelease(s) // finish, as it mostly is
	mem.Release64(s.w(), to)
	q.space.Ring(1)
	if mem.Load64(q.state)&stateShut != 0 || q.idle.Armed() {
		q.tellEnd()
	}
	return true
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
	if to != 0 {
		if q.unfenced.Load() { // G5
			mem.Release64(s.w(), to)
		} else {
			storeFenced(s.w(), to)
		}
	} else if !mem.CAS64(s.w(), s.word, to) { // a store would not be seen in zeroes
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
func (q *Queue) finished() { q.finishedMany(q.wakes) }

// finishedMany is G6 of messages whose slots let so many producers go on.
func (q *Queue) finishedMany(wakes int) {
	q.space.Ring(wakes)
	if mem.Load64(q.state)&stateShut != 0 || q.idle.Armed() {
		q.tellEnd()
	}
}

// tellEnd wakes those that wait for the end of the queue, or for rest.
//
//go:noinline
func (q *Queue) tellEnd() {
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
		q.raceDone()
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
