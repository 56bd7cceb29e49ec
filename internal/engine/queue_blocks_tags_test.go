package engine

import (
	"bytes"
	"testing"
)

// A process has given all tags there are, and begins again: what is there of the round
// before, on lease, lent or half done, shares its tag with no message.
func TestQueueTagsComeRound(t *testing.T) {
	was := tags.Load()
	defer func() { tags.Store(was) }()
	tags.Store(0)
	c := QueueConfig{Slots: 16, Room: 16, Blocks: 32, BlockSize: 64, MaxMessage: 4 * 64}
	a, q := heapQueue(t, c)
	other := attachQueue(t, a, 1)
	put := func(i int) {
		t.Helper()
		if err := q.TryPut(bytes.Repeat([]byte{byte(i)}, 200)); err != nil {
			t.Fatal(err)
		}
	}
	take := func(i int) Slot {
		t.Helper()
		s, err := other.Take(nil, true)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := other.bytesOf(s); err != nil || b[0] != byte(i) {
			t.Fatalf("%v, %v, want %d", b, err, i)
		}
		return s
	}
	for i := range 3 {
		put(i)
	}
	l, err := q.Loan(nil, 200)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 { // they stay on lease, but for one that is done, but for its slot
		if s := take(i); i == 1 {
			*s.w() = slotWord(turnOf(s.word), slotDraining, other.who)
			other.drain(s)
		}
	}
	for round := range uint64(2) { // up to the next one's end, and beyond
		tags.Store((round+1)*tagRound - 3)
		for i := range 4 {
			put(10 + i)
		}
		if tags.Load() <= (round+1)*tagRound {
			t.Fatal("it is no round")
		}
		if err := checkQueue(a); err != nil {
			t.Error(err)
		}
		seen := map[uint64]bool{} // each message has one piece
		for b := range q.pool.n {
			if o := *q.pool.owner(b); o != 0 && !isFree(o) {
				if seen[o] {
					t.Errorf("block %d has another's tag %#x", b, o)
				}
				seen[o] = true
			}
		}
		for i := range 4 {
			other.Ack(other.Index(take(10 + i)))
		}
	}
	tags.Store(2 * tagRound)
	put(20)
	put(21)
	if err := recoverQueue(a, q.env, Self{1, 1}); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 2, 20, 21} {
		b, _, err := q.get(nil)
		if err != nil || len(b) != 200 || b[0] != byte(i) {
			t.Errorf("%v, %v, want %d", b, err, i)
		}
	}
	if err := q.DropLoan(l); err != nil {
		t.Error(err)
	}
	quietQueue(t, a)
}
