package engine

import (
	"unsafe"

	"example.com/tandem/internal/mem"
)

// Put and TryPut copy a message in:
//
//	P0  blocks, if it is long: claimed and filled
//	P1  the slot at the tail: empty → writing
//	P2  the message's bytes, or where its blocks are
//	P3  publish: store full, see queue_store.go
//	P4  ring items; pass on space
//
// A producer that dies before P3 has put nothing. One that is stopped between
// P1 and P3, which are a few stores apart, delays all consumers until it goes
// on or dies; it can have been preempted there, so a consumer lingers a little.

// TryPut is ErrFull, ErrShutdown or ErrTooLarge, or the message is in.
func (q *Queue) TryPut(msg []byte) error {
	_, err := q.PutSlot(nil, msg)
	return err
}

// Put waits for room for the message.
func (q *Queue) Put(by Sleeper, msg []byte) error {
	_, err := q.PutSlot(by, msg)
	return err
}

// PutSlot is Put, or without a Sleeper TryPut, and tells in which slot it is.
func (q *Queue) PutSlot(by Sleeper, msg []byte) (Slot, error) {
	n := uint32(len(msg))
	if uint64(len(msg)) > uint64(q.most) || q.fixed && n != q.room {
		return Slot{}, ErrTooLarge
	}
	if n > q.room {
		return q.putBlocks(by, msg)
	}
	s, err := q.Claim(by)
	if err != nil {
		return s, err
	}
	if !q.fixed {
		*s.len() = n
	}
	mem.Copy(q.Body(s), unsafe.Pointer(unsafe.SliceData(msg)), uintptr(n))
	q.Publish(s)
	return s, nil
}

func (q *Queue) putBlocks(by Sleeper, msg []byte) (Slot, error) {
	n := uint32(len(msg))
	want, tag := q.pool.blocks(n), q.newTag()
	if by == nil && mem.Load64(q.state)&stateShut == 0 && q.full() {
		return Slot{}, ErrFull // before blocks are held in vain
	}
	first, err := q.claimBlocks(want, tag, false)
	if err == ErrFull && by != nil {
		if e := q.awaitSpace(by, func() bool {
			first, err = q.claimBlocks(want, tag, false)
			return err != ErrFull
		}); e != nil {
			err = e
		}
	}
	if err != nil {
		return Slot{}, err
	}
	claimed := false
	defer func() {
		if !claimed { // or msg is memory that cannot be read, any more, and the fault a panic
			q.pool.giveBack(first, tag, want)
			q.space.Ring(-1)
		}
	}()
	q.pool.write(first, msg)
	s, err := q.Claim(by)
	if err != nil {
		return s, err
	}
	claimed = true
	*s.len(), *s.tag(), *s.first() = n, tag, first
	q.Publish(s)
	return s, nil
}

// Claim takes a slot, which is to be filled and published at once. Without
// a Sleeper it makes one attempt, and ErrFull is sure.
func (q *Queue) Claim(by Sleeper) (s Slot, err error) {
	s, err = q.TryClaim()
	if err == ErrFull && by == nil && q.env.Sync != nil {
		return q.walkAndClaim(true)
	}
	if err != ErrFull || by == nil {
		return s, err
	}
	if e := q.awaitSpace(by, func() bool {
		s, err = q.TryClaim()
		return err != ErrFull
	}); e != nil {
		return Slot{}, e
	}
	return s, err
}

// Publish makes the message in a claimed slot everybody's. One doubt is left, see
// InZeroes.
func (q *Queue) Publish(s Slot) {
	q.first(s)
	q.raceRelease(s)
	if w := slotWord(turnOf(s.word), slotFull, 0); q.unfenced.Load() { // P3
		mem.Release64(s.w(), w)
	} else {
		storeFenced(s.w(), w)
	}
	q.items.Ring(1)
	if q.space.Armed() {
		q.passSpace()
	}
}

// passSpace wakes one more producer if it may succeed.
//
//go:noinline
func (q *Queue) passSpace() {
	if q.roomy() {
		q.space.Ring(q.wakes)
	}
}

// awaitSpace waits for room, until tried has found some or a reason not to
// wait. An error is the Sleeper's.
func (q *Queue) awaitSpace(by Sleeper, tried func() bool) error {
	q.pause(by, &q.puts, q.tail.load())
	_, err := q.space.Await(by, tried)
	if err != nil {
		q.passSpace() // it may have been woken as well
	}
	return err
}
