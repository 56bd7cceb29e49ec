package engine

import (
	"errors"
	"testing"
)

// A naps is a Sleeper: each sleep is the next of its functions, and then it
// is over.
type naps []func()

var errNoNap = errors.New("no nap is left")

func (s *naps) Spin() bool { return false }
func (s *naps) Now() int64 { return 0 }
func (s *naps) Sleep(*uint32, uint32) error {
	if len(*s) == 0 {
		return errNoNap
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
	err := q.Put(&naps{func() {
		slept = true
		if q.pool.enough(1) {
			t.Error("a block is free while it waits for a slot")
		}
		q.space.Arm() // another falls asleep, for want of blocks
		clear(wakes)
	}}, make([]byte, 150))
	if !errors.Is(err, errNoNap) || !slept {
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
			if err := q.Join(&naps{func() { done(t, other, s); put() }}); err != nil {
				t.Errorf("Join = %v", err)
			}
			if wakes[other.idle.Word()] != 1 {
				t.Errorf("woken %d times", wakes[other.idle.Word()])
			}
			// It is no rest for a Join that begins now.
			if err := q.Join(&naps{}); !errors.Is(err, errNoNap) {
				t.Errorf("a second Join = %v", err)
			}
		})
	}
}

// Whoever is woken and does not use it up wakes the next, as far as there is
// something for him.
func TestQueueWakesWhoWaits(t *testing.T) {
	type world struct {
		*testing.T
		q     *Queue
		c     QueueConfig
		wakes map[*uint32]int
	}
	put := func(w world) {
		w.Helper()
		if err := w.q.TryPut(w.c.message(1)); err != nil {
			w.Fatal(err)
		}
	}
	take := func(w world, lease bool) Slot {
		w.Helper()
		s, err := w.q.Take(nil, lease)
		if err != nil {
			w.Fatal(err)
		}
		return s
	}
	for name, tt := range map[string]struct {
		before func(w world) (sleepsOn *Bell)
		op     func(w world)
	}{
		"a message is put": {
			func(w world) *Bell { return &w.q.items },
			func(w world) { put(w) }},
		"a message is given back": {
			func(w world) *Bell { put(w); return &w.q.items },
			func(w world) { w.q.Nack(w.q.Index(take(w, true))) }},
		"one of two messages is taken": {
			func(w world) *Bell { put(w); put(w); return &w.q.items },
			func(w world) { take(w, false) }},
		"one of two messages is taken, by a try": {
			func(w world) *Bell { put(w); put(w); return &w.q.items },
			func(w world) { w.q.TryTake() }},
		"a run of two of three messages is taken": {
			func(w world) *Bell { put(w); put(w); put(w); return &w.q.items },
			func(w world) { runOf(t, w.q, 2) }},
		"a consumer gives up as a message comes": {
			func(w world) *Bell { return &w.q.items },
			func(w world) {
				_, err := w.q.Take(&gaveUp{func() { put(w); w.q.items.Arm(); clear(w.wakes) }}, false)
				if err != errNoNap {
					w.Errorf("Take = %v", err)
				}
			}},
		"a message is done after Shutdown": {
			func(w world) *Bell { put(w); w.q.Shutdown(); return &w.q.items },
			func(w world) { w.q.Release(take(w, false)) }},
		"Shutdown, and a consumer waits": {
			func(w world) *Bell { return &w.q.items },
			func(w world) { w.q.Shutdown() }},
		"Shutdown, and a producer waits": {
			func(w world) *Bell { return &w.q.space },
			func(w world) { w.q.Shutdown() }},
		"a slot becomes free": {
			func(w world) *Bell { put(w); return &w.q.space },
			func(w world) { w.q.Release(take(w, false)) }},
		"one of two slots is used": {
			func(w world) *Bell { return &w.q.space },
			func(w world) { put(w) }},
		"a producer gives up as a slot becomes free": {
			func(w world) *Bell {
				for range w.c.Slots {
					put(w)
				}
				return &w.q.space
			},
			func(w world) {
				err := w.q.Put(&gaveUp{func() { w.q.Release(take(w, false)); w.q.space.Arm(); clear(w.wakes) }}, w.c.message(1))
				if err != errNoNap {
					w.Errorf("Put = %v", err)
				}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			c := QueueConfig{Slots: 3, Room: 16}
			_, q := heapQueue(t, c)
			w := world{t, q, c, countWakes(q)}
			bell := tt.before(w)
			bell.Arm()
			clear(w.wakes)
			if tt.op(w); w.wakes[bell.Word()] == 0 {
				t.Error("nobody was woken")
			}
		})
	}
}

// A gaveUp is a Sleeper whose context ends while it sleeps, after f.
type gaveUp struct{ f func() }

func (s *gaveUp) Spin() bool                  { return false }
func (s *gaveUp) Now() int64                  { return 0 }
func (s *gaveUp) Sleep(*uint32, uint32) error { s.f(); return errNoNap }
