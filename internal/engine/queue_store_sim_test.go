//go:build tandem_sim

package engine_test

import (
	"io"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// storing is a world of few processes with one queue, whose stores are late.
type storing struct {
	*sim.World
	a mem.Area
	t *testing.T
}

func exploreStoring(t *testing.T, runs int, slots int, build func(s storing)) {
	sim.Explore(t, runs, sim.Options{}, func(w *sim.World) {
		c := QueueConfig{Slots: slots, Room: 16, Rows: 8}
		s := storing{w, mem.Heap(c.Size()), t}
		c.InitLap(s.a, NearWrap)
		build(s)
	})
}

func (s storing) attach(index int) (*sim.Process, *Queue) {
	p := s.Process(index)
	q, err := AttachQueue(s.a, p.Env())
	if err != nil {
		s.t.Fatal(err)
	}
	return p, q
}

func tryGet(q *Queue) error {
	s, err := q.Take(nil, false)
	if err == nil {
		q.Discard(s)
	}
	return err
}

// A TryGet that begins when a Put has returned, wherever, finds its message: as long
// as there is one all the time, it is not told that there is none.
func TestSimQueueTryGetSeesWhatWasPut(t *testing.T) {
	exploreStoring(t, 30000, 2, func(s storing) {
		there, least := 0, 0 // whose Put has returned, less those that one has begun to take
		p, producer := s.attach(0)
		p1, other := s.attach(1)
		p2, q := s.attach(2)
		p.Go("producer", func(*sim.Thread) {
			if err := producer.TryPut(make([]byte, 16)); err != nil {
				s.Fail("TryPut: %v", err)
			}
			there++
			p2.Go("consumer", func(*sim.Thread) {
				least = there
				if err := tryGet(q); err == ErrEmpty && least > 0 {
					s.Fail("one is there all the time, and TryGet = %v", err)
				}
			})
			if err := producer.TryPut(make([]byte, 16)); err != nil {
				s.Fail("TryPut: %v", err)
			}
			there++
			p1.Go("other", func(*sim.Thread) {
				there--
				least = min(least, there)
				if err := tryGet(other); err != nil {
					s.Fail("two are there, of which one may be taken, and TryGet = %v", err)
				}
			})
		})
	})
}

// A TryPut that begins when a Get has returned finds the room that it has made; a
// TryGet that of the last message of a queue that was shut down, its end.
func TestSimQueueTrySeesWhatWasTaken(t *testing.T) {
	for _, c := range []struct {
		slots int
		shut  bool
	}{{1, false}, {2, false}, {1, true}, {2, true}} {
		shut := c.shut
		exploreStoring(t, 8000, c.slots, func(s storing) {
			p, consumer := s.attach(0)
			if c.slots == 2 && !shut { // room is behind a lease
				if err := consumer.TryPut(make([]byte, 16)); err != nil {
					t.Fatal(err)
				}
				if _, err := consumer.Take(nil, true); err != nil {
					t.Fatal(err)
				}
			}
			if err := consumer.TryPut(make([]byte, 16)); err != nil {
				t.Fatal(err)
			}
			if shut {
				consumer.Shutdown()
			}
			p1, q := s.attach(1)
			p.Go("consumer", func(*sim.Thread) {
				if err := tryGet(consumer); err != nil {
					s.Fail("TryGet: %v", err)
				}
				p1.Go("other", func(*sim.Thread) {
					if shut {
						tryGet(q) // seals
						if err := tryGet(q); err != io.EOF {
							s.Fail("all is taken, and TryGet = %v", err)
						}
					} else if err := q.TryPut(make([]byte, 16)); err != nil {
						s.Fail("a Get has returned, and TryPut = %v", err)
					}
				})
			})
		})
	}
}

// Two end the last two messages, of which nobody has to be told that they are done:
// one of them sees that all is, and wakes the Join that sleeps.
func TestSimQueueTheLastTwoTellJoin(t *testing.T) {
	exploreStoring(t, 20000, 2, func(s storing) {
		p, joiner := s.attach(0)
		for range 2 {
			if err := joiner.TryPut(make([]byte, 16)); err != nil {
				t.Fatal(err)
			}
		}
		p.Go("joiner", func(t *sim.Thread) {
			if err := joiner.Join(t); err != nil {
				s.Fail("Join: %v", err)
			}
		})
		for i := range 2 {
			p, q := s.attach(1 + i)
			slot, err := q.Take(nil, false)
			if err != nil {
				t.Fatal(err)
			}
			p.Go("consumer", func(*sim.Thread) { q.Discard(slot) })
		}
	})
}
