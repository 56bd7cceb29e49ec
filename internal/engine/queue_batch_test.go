package engine

import (
	"sync/atomic"
	"testing"

	"example.com/tandem/internal/mem"
)

// runOf takes n messages as a run.
func runOf(t *testing.T, q *Queue, n int) []Slot {
	t.Helper()
	run := make([]Slot, n)
	k, err := q.TakeRun(nil, run)
	if err != nil || k != n {
		t.Fatalf("TakeRun = %d, %v, want %d", k, err, n)
	}
	return run[:k]
}

// A batch rings once, for as many as it has messages.
func TestQueueBatchRings(t *testing.T) {
	_, q := heapQueue(t, QueueConfig{Slots: 4, Room: 16})
	wakes := countWakes(q)
	q.items.Arm()
	q.space.Arm()
	for range 3 {
		s, err := q.TryClaim()
		if err != nil {
			t.Fatal(err)
		}
		q.Store(s)
	}
	if wakes[q.items.Word()] != 0 {
		t.Error("a message rings before the batch is over")
	}
	if q.Stored(3); wakes[q.items.Word()] == 0 {
		t.Error("nobody is told of a batch")
	}
	run := runOf(t, q, 3)
	if n := q.ReleaseRun(run); n != 3 || wakes[q.space.Word()] == 0 {
		t.Errorf("%d of 3 released, %d woken", n, wakes[q.space.Word()])
	}
	for range 3 {
		if err := q.TaskDone(); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.TaskDone(); err != ErrOverDone {
		t.Errorf("a fourth TaskDone = %v", err)
	}
}

// A run takes nothing out of order, and passes nothing that is not full: it ends
// there.
func TestQueueRunEnds(t *testing.T) {
	a, q := heapQueue(t, QueueConfig{Slots: 4, Room: 16})
	other := attachQueue(t, a, 1)
	fill(t, q, 1)
	s, err := other.TryClaim()
	if err != nil {
		t.Fatal(err)
	}
	fill(t, q, 1)
	run := make([]Slot, 3)
	if n, err := q.TakeRun(nil, run); n != 1 || err != nil {
		t.Fatalf("TakeRun before a slot that is being written = %d, %v", n, err)
	}
	run = run[:1]
	other.Publish(s)
	if q.ReleaseRun(run); *q.row&rowCount != 1 {
		t.Errorf("the row is %d", *q.row&rowCount)
	}
	run = runOf(t, q, 2)
	if q.Index(run[0]) != 1 || q.Index(run[1]) != 2 {
		t.Errorf("slots %d, %d came", q.Index(run[0]), q.Index(run[1]))
	}
	q.ReleaseRun(run)
	quietQueue(t, a)
}

// zeroes makes a queue's memory what is there when its region is gone.
func zeroes(a mem.Area) { clear(a.Bytes(0, a.Size())) }

// In zeroes a reading that would leave its slot 0 has not ended there, and each
// other is seen to have.
func TestQueueRunInZeroes(t *testing.T) {
	for _, lap := range []uint64{0, 5, 1<<turnBits - 2, 1<<turnBits - 1} {
		c := QueueConfig{Slots: 4, Room: 16, Rows: 8}
		a, _ := heapQueue(t, c)
		c.initLap(a, lap)
		q := attachQueue(t, a, 0)
		fill(t, q, 3)
		run := runOf(t, q, 3)
		zeroes(a)
		n := q.ReleaseRun(run)
		for n > 0 && q.ReleasedInZeroes(run[n-1]) {
			n--
		}
		if n != 0 {
			t.Errorf("lap %d: %d of 3 are said to be released in the region", lap, n)
		}
		for _, unfenced := range []bool{false, true} {
			q.unfenced = new(atomic.Bool)
			q.unfenced.Store(unfenced)
			if zeroes(a); q.Release(run[0]) && !q.ReleasedInZeroes(run[0]) {
				t.Errorf("lap %d, unfenced %v: one is said to be released in the region", lap, unfenced)
			}
		}
	}
}

// What was released in the region is not taken for released in the zeroes,
// whatever its slot's next producer leaves there.
func TestQueueRunBeforeZeroes(t *testing.T) {
	a, q := heapQueue(t, QueueConfig{Slots: 1, Room: 16})
	fill(t, q, 1)
	run := runOf(t, q, 1)
	q.ReleaseRun(run)
	s, err := q.TryClaim()
	if err != nil {
		t.Fatal(err)
	}
	zeroes(a)
	if q.ReleasedInZeroes(run[0]) || q.InZeroes(s) {
		t.Error("seen in zeroes, where nothing is")
	}
	q.Store(s)
	if q.ReleasedInZeroes(run[0]) || !q.InZeroes(s) {
		t.Error("a message stored in zeroes is taken for the release before it")
	}
	if s.word = slotWord(turnOf(s.word)-1, slotWriting, q.who); q.InZeroes(s) {
		t.Error("or for the message of the lap before")
	}
}

// Nothing is stepped over in zeroes, where the turn tells whose a message is.
func TestQueueStepsOverNothingInZeroes(t *testing.T) {
	a, q := heapQueue(t, QueueConfig{Slots: 2, Room: 16})
	for range 2 {
		fill(t, q, 1)
		if _, err := q.Take(nil, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Ack(1); err != nil {
		t.Fatal(err)
	}
	word := *q.word(0)
	*a.W32(queueSlots) = 0 // gone
	if _, err := q.TryClaim(); err != ErrGone || *q.word(0) != word {
		t.Errorf("TryClaim = %v, and the slot %x became %x", err, word, *q.word(0))
	}
}
