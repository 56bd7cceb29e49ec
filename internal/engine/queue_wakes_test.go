package engine

import (
	"errors"
	"testing"
)

// A script is a Sleeper: each sleep is the next of its functions, and then it
// is over.
type script []func()

var errScript = errors.New("the script is over")

func (s *script) Spin(int) bool { return false }
func (s *script) Now() int64    { return 0 }
func (s *script) Sleep(*uint32, uint32) error {
	if len(*s) == 0 {
		return errScript
	}
	f := (*s)[0]
	if *s = (*s)[1:]; f != nil {
		f()
	}
	return nil
}

// countWakes counts whom q wakes.
func countWakes(q *Queue) map[*uint32]int {
	wakes := map[*uint32]int{}
	wake := func(w *uint32, n int) int { wakes[w]++; return 1 }
	q.env.Wake, q.items.env.Wake, q.space.env.Wake, q.idle.env.Wake = wake, wake, wake, wake
	return wakes
}

// A producer that had blocks and gave up waiting for a slot tells those who
// wait for blocks.
func TestQueueBlocksGivenBackAreTold(t *testing.T) {
	c := QueueConfig{Slots: 1, Room: 16, Blocks: 3, BlockSize: 64, MaxMessage: 150}
	a, q := heapQueue(t, c)
	wakes := countWakes(q)
	if err := q.TryPut(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	slept := false
	err := q.Put(&script{func() {
		slept = true
		if q.pool.enough(0, 1) {
			t.Error("a block is free while it waits for a slot")
		}
		q.space.Arm() // another falls asleep, for want of blocks
		clear(wakes)
	}}, make([]byte, 150))
	if !errors.Is(err, errScript) || !slept {
		t.Fatalf("Put = %v", err)
	}
	if wakes[q.space.Word()] == 0 {
		t.Error("nobody was told of the blocks")
	}
	quietQueue(t, a)
}

// A Join that sleeps while the last message is done returns, though another is
// put before it looks.
func TestQueueJoinIsToldOfARest(t *testing.T) {
	for name, done := range map[string]func(t *testing.T, q *Queue, s Slot){
		"acknowledged": func(t *testing.T, q *Queue, s Slot) {
			if err := q.Ack(q.Index(s)); err != nil {
				t.Error(err)
			}
		},
		"gotten": func(t *testing.T, q *Queue, s Slot) {
			q.Release(s)
			if err := q.TaskDone(); err != nil {
				t.Error(err)
			}
		},
		"nobody's": func(t *testing.T, q *Queue, s Slot) { q.Discard(s) },
	} {
		t.Run(name, func(t *testing.T) {
			a, q := heapQueue(t, QueueConfig{Slots: 2, Room: 16})
			other := attachQueue(t, a, 1)
			put := func() {
				if err := other.TryPut(make([]byte, 16)); err != nil {
					t.Fatal(err)
				}
			}
			put()
			s, err := other.Take(nil, name == "acknowledged")
			if err != nil {
				t.Fatal(err)
			}
			wakes := countWakes(other)
			if err := q.Join(&script{func() { done(t, other, s); put() }}); err != nil {
				t.Errorf("Join = %v", err)
			}
			if wakes[other.idle.Word()] != 1 {
				t.Errorf("woken %d times", wakes[other.idle.Word()])
			}
			// It is no rest for a Join that begins now.
			if err := q.Join(&script{}); !errors.Is(err, errScript) {
				t.Errorf("a second Join = %v", err)
			}
		})
	}
}
