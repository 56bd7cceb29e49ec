package engine

import (
	"unsafe"

	"example.com/tandem/internal/mem"
)

// Batches of messages of one length, which lie in their slots; queue_put.go and
// queue_get.go have the steps. All is in one loop, for what is between two locked
// instructions costs nearly as much as they do.
//
// # Put
//
// P1 to P3 one message after the other, then P4 once. Where a publisher makes its
// own fence (queue_store.go), one after the last store is for them all.
//
//	B1  a producer holds one claim at most, so it never waits with a claim held:
//	    two batches that each had claimed half a ring would wait for ever for each
//	    other. Nor does it hide what others have put for longer than a single Put;
//	    and it reads the user's memory before it claims, and all of it before the
//	    first, for that may fail
//	B2  messages are published in the order of their positions, so that what a
//	    death leaves is the first ones of a batch, whole, and one hole at most
//	B3  one ring for n messages, after the fence
//
// # Get
//
// G1 and G2 for a run of messages, G3 once, G5 for each, the fence, G6 once.
//
//	B4  a run takes only what is full from its own hint on, at one position after
//	    the other: it neither walks nor lingers with messages in its hands, nor waits;
//	    and the user's memory is written before the first, too
//	B5  the row is raised by the whole run before the first slot is released:
//	    Join looks at slots first and rows second
//	B6  what is still reading when the consumer dies comes back, and its row is
//	    forgotten; what was released is gone with it
//
// # Zeroes
//
// Each claim finds zeroes, if they are there. So of a batch only the last message can
// have been stored in them; but any number of the last ones of a run be released.

const (
	RunMost   = 32  // messages at a time
	runBytes  = 128 // at most of one: of a run those are a page at most
	wordBytes = 8   // of one that is copied by one load and one store
)

// PutRun puts up to n messages, RunMost at most, which lie at src one after the other,
// without waiting; it returns how many, the slot of the last, and why not all.
func (q *Queue) PutRun(src unsafe.Pointer, n int) (k int, last Slot, err error) {
	size := uintptr(q.room)
	if !q.fixed || size > runBytes {
		return 0, last, ErrTooLarge
	}
	n = min(n, RunMost)
	var word uint64
	var long [runBytes]byte
	mem.Looked(src, uintptr(n)*size)
	pos := q.tail.load()
	for ; k < n; k++ {
		src := unsafe.Add(src, uintptr(k)*size)
		if size == wordBytes {
			word = *(*uint64)(src)
		} else {
			mem.CopyShort(unsafe.Pointer(&long), src, size)
		}
		if mem.Load64(q.state)&stateShut != 0 {
			err = ErrShutdown
			break
		}
		p, empty := q.slot(posSlot(pos)), slotWord(lapTurn(pos), slotEmpty, 0)
		s := Slot{p, slotWord(lapTurn(pos), slotWriting, q.who)}
		if mem.Load64(s.w()) == empty && mem.CAS64(s.w(), empty, s.word) { // H1
			if q.inside(pos) {
				pos++
				q.tail.set(pos)
			} else {
				q.reachedEdge(&q.tail, pos)
				pos = q.next(pos)
			}
			if q.gone() {
				err = ErrGone
				break
			}
			q.raceAcquire(s)
		} else {
			if s, err = q.walkAndClaim(false); err != nil {
				break
			}
			pos = q.tail.load()
		}
		if size == wordBytes {
			mem.CopyWord(q.Body(s), unsafe.Pointer(&word))
		} else {
			mem.CopyShort(q.Body(s), unsafe.Pointer(&long), size)
		}
		q.first(s)
		q.raceRelease(s)
		mem.Release64(s.w(), slotWord(turnOf(s.word), slotFull, 0)) // P3
		last = s
	}
	if k > 0 {
		q.fence()
		q.items.Ring(k) // P4
		if q.space.Armed() {
			q.passSpace()
		}
	}
	return k, last, err
}

// A Run is of messages that are being read, at one position after the other.
type Run struct {
	from uint64
	n    int
}

// Len is how many they are.
func (r Run) Len() int { return r.n }

// TakeRun takes up to n messages, RunMost at most, of a queue of one length, copies them
// to dst one after the other, and does not wait. Len 0 says nothing: then a Take is due.
func (q *Queue) TakeRun(dst unsafe.Pointer, n int) (r Run) {
	if mem.Load64(q.state)&statePending != 0 {
		return r
	}
	size := uintptr(q.room)
	n = min(n, RunMost)
	mem.Touched(dst, uintptr(n)*size)
	pos := q.head.load()
	for r.from = pos; r.n < n; r.n++ {
		dst := unsafe.Add(dst, uintptr(r.n)*size)
		p, full := q.slot(posSlot(pos)), slotWord(lapTurn(pos), slotFull, 0)
		s := Slot{p, slotWord(lapTurn(pos), slotReading, q.who)}
		if mem.Load64(s.w()) != full || !mem.CAS64(s.w(), full, s.word) { // H1
			break
		}
		if q.inside(pos) {
			pos++
		} else {
			q.reachedEdge(&q.head, pos)
			pos = q.next(pos)
		}
		if q.gone() {
			break
		}
		q.raceAcquire(s)
		if size == wordBytes {
			mem.CopyWord(dst, q.Body(s))
		} else {
			mem.CopyShort(dst, q.Body(s), size)
		}
	}
	if r.n > 0 {
		q.head.set(pos)
		if q.items.Armed() {
			q.passItems()
		}
	}
	return r
}

// At is the i-th of a run.
func (q *Queue) At(r Run, i int) Slot {
	pos := r.from
	for range i {
		pos = q.next(pos)
	}
	return q.reading(pos)
}

// reading is the slot at pos, as this process has taken it.
func (q *Queue) reading(pos uint64) Slot {
	return Slot{q.slot(posSlot(pos)), slotWord(lapTurn(pos), slotReading, q.who)}
}

// ReleaseRun ends the reading of messages that were got; see Release. It reports
// how many were, the first ones of the run; see ReleasedInZeroes.
func (q *Queue) ReleaseRun(r Run) int {
	q.gotMany(uint64(r.n)) // G3
	pos, done := r.from, 0
	for ; done < r.n; done++ {
		s := q.reading(pos)
		q.raceRelease(s)
		to := slotWord(nextTurn(lapTurn(pos)), slotEmpty, 0)
		if to != 0 {
			mem.Release64(s.w(), to) // G5
		} else if !mem.CAS64(s.w(), s.word, to) { // a store would not be seen in zeroes
			break
		}
		pos = q.next(pos)
	}
	q.fence()
	q.finishedMany(done)
	return done
}
