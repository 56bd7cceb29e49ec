package engine

import (
	"sync/atomic"
	"testing"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// runOf takes n messages as a run.
func runOf(t *testing.T, q *Queue, n int) Run {
	t.Helper()
	bytes := make([]byte, (n+1)*int(q.room))
	run := q.TakeRun(unsafe.Pointer(&bytes[0]), n)
	if run.Len() != n {
		t.Fatalf("TakeRun = %d, want %d", run.Len(), n)
	}
	return run
}

// putRun puts n messages, whose first bytes are from, from+1, ….
func putRun(t *testing.T, q *Queue, from byte, n int) {
	t.Helper()
	bytes := make([]byte, (n+1)*int(q.room))
	for i := range n {
		bytes[i*int(q.room)] = from + byte(i)
	}
	if k, _, err := q.PutRun(unsafe.Pointer(&bytes[0]), n); k != n || err != nil {
		t.Fatalf("PutRun = %d, %v, want %d", k, err, n)
	}
}

// A batch rings once, for as many as it has messages.
func TestQueueBatchRings(t *testing.T) {
	_, q := heapQueue(t, QueueConfig{Slots: 4, Room: 16})
	wakes := countWakes(q)
	q.items.Arm()
	q.space.Arm()
	if putRun(t, q, 0, 3); wakes[q.items.Word()] != 1 {
		t.Errorf("consumers are told %d times of a batch", wakes[q.items.Word()])
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
	bytes := make([]byte, 3*16)
	run := q.TakeRun(unsafe.Pointer(&bytes[0]), 3)
	if run.Len() != 1 {
		t.Fatalf("TakeRun before a slot that is being written = %d", run.Len())
	}
	other.Publish(s)
	if q.ReleaseRun(run); *q.row&rowCount != 1 {
		t.Errorf("the row is %d", *q.row&rowCount)
	}
	run = runOf(t, q, 2)
	if q.Index(q.At(run, 0)) != 1 || q.Index(q.At(run, 1)) != 2 {
		t.Errorf("slots %d, %d came", q.Index(q.At(run, 0)), q.Index(q.At(run, 1)))
	}
	q.ReleaseRun(run)
	quietQueue(t, a)
}

// A batch that comes to a full ring, or to the end of the queue, has put what went
// before; and messages of each length go through, round the ring's end, whole.
func TestQueueRunsOfEachLength(t *testing.T) {
	for _, room := range []int{0, 1, 7, 8, 9, 24, 25, 64, 127, runBytes} {
		_, q := heapQueue(t, QueueConfig{Slots: 5, Room: room})
		next, want := byte(1), byte(1)
		for range 4 {
			put := make([]byte, 8*room+1)
			for i := range 7 * room {
				put[i] = next + byte(i/room)
			}
			k, last, err := q.PutRun(unsafe.Pointer(&put[0]), 7)
			if k != 5-q.Len()+k || err != ErrFull || k == 0 || phaseOf(*last.w()) != slotFull {
				t.Fatalf("%d bytes: PutRun = %d, %v", room, k, err)
			}
			next += byte(k)
			got := make([]byte, 8*room+1)
			run := q.TakeRun(unsafe.Pointer(&got[0]), 3)
			if run.Len() != 3 || q.ReleaseRun(run) != 3 {
				t.Fatalf("%d bytes: a run of %d", room, run.Len())
			}
			for i := range 3 * room {
				if got[i] != want+byte(i/room) {
					t.Fatalf("%d bytes: byte %d is %d, want %d", room, i, got[i], want+byte(i/room))
				}
			}
			want += 3
		}
		q.Shutdown()
		msg := make([]byte, room+1)
		if k, _, err := q.PutRun(unsafe.Pointer(&msg[0]), 1); k != 0 || err != ErrShutdown {
			t.Errorf("%d bytes: PutRun after Shutdown = %d, %v", room, k, err)
		}
	}
	msg := make([]byte, 4096)
	for _, c := range []QueueConfig{{Slots: 4, Room: runBytes + 1}, {Slots: 4, Room: 16, Blocks: 4, BlockSize: 64, MaxMessage: 100}} {
		_, q := heapQueue(t, c)
		if k, _, err := q.PutRun(unsafe.Pointer(&msg[0]), 1); k != 0 || err != ErrTooLarge {
			t.Errorf("PutRun of what is longer = %d, %v", k, err)
		}
	}
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
		for n > 0 && q.ReleasedInZeroes(q.At(run, n-1)) {
			n--
		}
		if n != 0 {
			t.Errorf("lap %d: %d of 3 are said to be released in the region", lap, n)
		}
		for _, unfenced := range []bool{false, true} {
			q.unfenced = new(atomic.Bool)
			q.unfenced.Store(unfenced)
			if zeroes(a); q.Release(q.At(run, 0)) && !q.ReleasedInZeroes(q.At(run, 0)) {
				t.Errorf("lap %d, unfenced %v: one is said to be released in the region", lap, unfenced)
			}
		}
	}
}

// Nor has one of blocks whose length was read in the region.
func TestQueueBlocksInZeroes(t *testing.T) {
	for _, lap := range []uint64{0, 5, 1<<turnBits - 2, 1<<turnBits - 1} {
		c := QueueConfig{Slots: 4, Room: 16, Blocks: 8, BlockSize: 64, MaxMessage: 512, Rows: 8}
		a, _ := heapQueue(t, c)
		c.initLap(a, lap)
		q := attachQueue(t, a, 0)
		if err := q.Put(nil, make([]byte, 300)); err != nil {
			t.Fatal(err)
		}
		s, err := q.Take(nil, false)
		if err != nil {
			t.Fatal(err)
		}
		zeroes(a)
		if q.finishBlocks(s, slotWord(nextTurn(turnOf(s.word)), slotEmpty, 0)) && !q.ReleasedInZeroes(s) {
			t.Errorf("lap %d: it is said to be released in the region", lap)
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
	if q.ReleasedInZeroes(q.At(run, 0)) || q.InZeroes(s) {
		t.Error("seen in zeroes, where nothing is")
	}
	q.Publish(s)
	if q.ReleasedInZeroes(q.At(run, 0)) || !q.InZeroes(s) {
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
