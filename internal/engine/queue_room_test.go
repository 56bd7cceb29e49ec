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
