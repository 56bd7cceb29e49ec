package engine

import "example.com/tandem/internal/mem"

// Batches of messages that lie in their slots; queue_put.go and queue_get.go
// have the steps.
//
// # Put
//
// P1 to P3 one message after the other, then P4 once. Where a publisher makes its
// own fence (queue_store.go), one after the last store is for them all.
//
//	B1  a producer holds one claim at most, so it never waits with a claim held:
//	    two batches that each had claimed half a ring would wait for ever for each
//	    other. Nor does it hide what others have put for longer than a single Put
//	B2  messages are published in the order of their positions, so that what a
//	    death leaves is the first ones of a batch, whole, and one hole at most
//	B3  one ring for n messages, after the fence
//
// # Get
//
// G1 for a run of messages, G2, G3 once, G5 for each, the fence, G6 once.
//
//	B4  after the first message a run takes only what is full at its own hint: it
//	    neither walks nor lingers with messages in its hands, nor waits
//	B5  the row is raised by the whole run before the first slot is released:
//	    Join looks at slots first and rows second
//	B6  what is still reading when the consumer dies comes back, and its row is
//	    forgotten; what was released is gone with it

// Store is Publish of one message of a batch: Stored is due when it was the last.
func (q *Queue) Store(s Slot) {
	q.first(s)
	q.raceRelease(s)
	mem.Release64(s.w(), slotWord(turnOf(s.word), slotFull, 0)) // P3
}

// Stored tells consumers of n messages that were stored.
func (q *Queue) Stored(n int) {
	q.fence()
	q.items.Ring(n) // P4
	if q.space.Armed() {
		q.passSpace()
	}
}

// TakeRun is Take of up to len(run) messages, at least one unless there is an
// error, to be read and released together.
func (q *Queue) TakeRun(by Sleeper, run []Slot) (int, error) {
	s, err := q.take(slotReading)
	if err == ErrEmpty && by != nil {
		s, err = q.takeWait(by, slotReading)
	}
	if err != nil {
		return 0, err
	}
	run[0] = s
	n := 1
	for ; n < len(run); n++ {
		s, ok := q.takeHere(slotReading)
		if !ok {
			break
		}
		run[n] = s
	}
	if q.items.Armed() {
		q.passItems()
	}
	return n, nil
}

// ReleaseRun ends the reading of messages that were got; see Release. It reports
// how many were, the first ones of the run; see ReleasedInZeroes.
func (q *Queue) ReleaseRun(run []Slot) int {
	q.gotMany(uint64(len(run))) // G3
	for i, s := range run {
		q.raceRelease(s)
		to := slotWord(nextTurn(turnOf(s.word)), slotEmpty, 0)
		if to != 0 {
			mem.Release64(s.w(), to) // G5
		} else if !mem.CAS64(s.w(), s.word, to) { // a store would not be seen in zeroes
			run = run[:i]
			break
		}
	}
	q.fence()
	q.finishedMany(len(run))
	return len(run)
}
