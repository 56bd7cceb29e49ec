package engine

import "testing"

// A queue of three slots whose only empty one lies behind a full one: the
// lease of that one is what makes room.
func TestQueueLeaseMakesRoom(t *testing.T) {
	for _, c := range []QueueConfig{{Slots: 3, Room: 16}, {Slots: 3, Room: 16, Blocks: 7, BlockSize: 64, MaxMessage: 150}} {
		t.Run(c.String(), func(t *testing.T) {
			a, q := heapQueue(t, c)
			wakes := map[*uint32]int{}
			q.space.env.Wake = func(w *uint32, n int) int { wakes[w]++; return 1 }
			put := func(want error) {
				t.Helper()
				if err := q.TryPut(c.message(1)); err != want {
					t.Fatalf("%v, not %v", err, want)
				}
			}
			take := func(lease bool) int {
				t.Helper()
				s, err := q.Take(nil, lease)
				if err != nil {
					t.Fatal(err)
				}
				if !lease {
					q.Release(s)
				}
				return q.Index(s)
			}
			put(nil)
			put(nil)
			take(false)
			lease := take(true)
			put(nil)
			put(nil)
			put(ErrFull)
			take(false)
			put(nil) // over the lease
			if err := q.Ack(lease); err != nil {
				t.Fatal(err)
			}
			put(ErrFull)
			q.space.Arm() // a producer that falls asleep
			if take(true); wakes[q.space.Word()] == 0 {
				t.Error("nobody was woken")
			}
			put(nil)
			quietQueue(t, a)
		})
	}
}

// What consumers pass uses up nothing of Len's walk: slot 0 is on lease, was
// stepped over, and both messages come after that.
func TestQueueLenBehindLeases(t *testing.T) {
	for _, c := range []QueueConfig{{Slots: 2, Room: 16}, {Slots: 2, Room: 16, Blocks: 8, BlockSize: 64, MaxMessage: 150}} {
		t.Run(c.String(), func(t *testing.T) {
			a, q := heapQueue(t, c)
			put := func(i int) {
				t.Helper()
				if err := q.TryPut(c.message(i)); err != nil {
					t.Fatal(err)
				}
			}
			put(0)
			put(1)
			lease, err := q.Take(nil, true)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := q.get(nil); err != nil {
				t.Fatal(err)
			}
			put(2) // over the lease
			if err := q.Ack(q.Index(lease)); err != nil {
				t.Fatal(err)
			}
			put(3)
			if n, l := q.Len(), lookQueue(a).Len; n != 2 || l != 2 {
				t.Errorf("two messages wait: Len %d, in a snapshot %d", n, l)
			}
			for i := 2; i < 4; i++ {
				if b, _, err := q.get(nil); err != nil || string(b) != string(c.message(i)) {
					t.Errorf("message %d: %v, %v", i, b, err)
				}
				if n := q.Len(); n != 3-i {
					t.Errorf("%d messages wait: Len %d", 3-i, n)
				}
			}
			quietQueue(t, a)
		})
	}
}

// A producer that finds no room has stepped over no lease: if that ends, the
// slot is the next to be claimed, though all others are full.
func TestQueueFullStepsOverNothing(t *testing.T) {
	_, q := heapQueue(t, QueueConfig{Slots: 2, Room: 16})
	put := func(want error) {
		t.Helper()
		if err := q.TryPut(make([]byte, 16)); err != want {
			t.Fatalf("%v, not %v", err, want)
		}
	}
	put(nil)
	put(nil)
	s, err := q.Take(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	put(ErrFull)
	if err := q.Ack(q.Index(s)); err != nil {
		t.Fatal(err)
	}
	put(nil)
}
