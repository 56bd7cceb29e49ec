//go:build tandem_sim

package engine_test

import (
	"io"
	"testing"
	"time"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// What must hold of calls that have returned, though what they stored may be
// visible later: tiny worlds under every schedule, with stores late.

func lateQueue(w *sim.World, slots int) (attach func(*sim.Process) *Queue) {
	return lateQueueOf(w, QueueConfig{Slots: slots, Room: 16, Rows: 8})
}

func lateQueueOf(w *sim.World, c QueueConfig) (attach func(*sim.Process) *Queue) {
	a := mem.Heap(c.Size())
	c.InitLap(a, NearWrap)
	return func(p *sim.Process) *Queue {
		q, err := AttachQueue(a, p.Env())
		if err != nil {
			w.Fail("attach: %v", err)
		}
		return q
	}
}

// one starts a thread of another process on the queue.
func one(w *sim.World, attach func(*sim.Process) *Queue, index int, name string, f func(t *sim.Thread, q *Queue)) {
	p := w.Process(index)
	q := attach(p)
	p.Go(name, func(t *sim.Thread) { f(t, q) })
}

func putOne(w *sim.World, q *Queue) {
	if err := q.TryPut(make([]byte, 16)); err != nil {
		w.Fail("TryPut: %v", err)
	}
}

func getOne(w *sim.World, q *Queue) {
	s, err := q.Take(nil, false)
	if err != nil {
		w.Fail("Take: %v", err)
	}
	if _, err := q.BytesOf(s); err != nil {
		w.Fail("read: %v", err)
	}
	if !q.Release(s) {
		w.Fail("not got")
	}
}

// A message is there when the consumer begins, and until it ends: the first, and
// before another gets that the second. So it is not told that there is none.
func TestSimQueueSeesWhatWasPut(t *testing.T) {
	for _, slots := range []int{2, 3} {
		sim.Exhaust(t, 1, 2, sim.Options{}, func(w *sim.World) {
			attach := lateQueue(w, slots)
			one(w, attach, 0, "first producer", func(_ *sim.Thread, q *Queue) {
				putOne(w, q)
				one(w, attach, 1, "consumer", func(_ *sim.Thread, q *Queue) { getOne(w, q) })
				one(w, attach, 2, "second producer", func(_ *sim.Thread, q *Queue) {
					putOne(w, q)
					one(w, attach, 3, "other consumer", func(_ *sim.Thread, q *Queue) {
						if s, err := q.Take(nil, false); err == nil {
							q.Release(s)
						}
					})
				})
			})
		})
	}
}

// There is room when the producer begins, and until it ends.
func TestSimQueueSeesWhatWasGot(t *testing.T) {
	for _, slots := range []int{1, 2} {
		sim.Exhaust(t, 1, 2, sim.Options{}, func(w *sim.World) {
			attach := lateQueue(w, slots)
			full := attach(w.Process(7))
			for range slots {
				putOne(w, full)
			}
			one(w, attach, 0, "consumer", func(_ *sim.Thread, q *Queue) {
				getOne(w, q)
				one(w, attach, 1, "producer", func(_ *sim.Thread, q *Queue) { putOne(w, q) })
			})
		})
	}
}

// The same for what lies in blocks, which are claimed first: there is room when the
// producer begins, at the first slot, and from before another puts there at the second.
func TestSimQueueSeesWhatWasGotByLongPuts(t *testing.T) {
	sim.Exhaust(t, 1, 2, sim.Options{}, func(w *sim.World) {
		attach := lateQueueOf(w, QueueConfig{Slots: 2, Room: 16, Rows: 8, Blocks: 2, BlockSize: 64, MaxMessage: 64})
		full := attach(w.Process(7))
		for range 2 {
			putOne(w, full)
		}
		one(w, attach, 0, "consumer", func(_ *sim.Thread, q *Queue) {
			getOne(w, q)
			one(w, attach, 1, "producer of a long one", func(_ *sim.Thread, q *Queue) {
				if err := q.TryPut(make([]byte, 64)); err != nil {
					w.Fail("TryPut: %v", err)
				}
			})
			one(w, attach, 2, "other consumer", func(_ *sim.Thread, q *Queue) {
				getOne(w, q)
				one(w, attach, 3, "other producer", func(_ *sim.Thread, q *Queue) { putOne(w, q) })
			})
		})
	})
}

// A queue that was shut down while it was empty is not full.
func TestSimQueueShutIsNotFull(t *testing.T) {
	sim.Exhaust(t, 1, 2, sim.Options{}, func(w *sim.World) {
		attach := lateQueueOf(w, QueueConfig{Slots: 1, Room: 16, Rows: 8, Blocks: 2, BlockSize: 64, MaxMessage: 64})
		one(w, attach, 0, "producer of a long one", func(_ *sim.Thread, q *Queue) {
			if err := q.TryPut(make([]byte, 64)); err != nil && err != ErrShutdown {
				w.Fail("TryPut: %v", err)
			}
		})
		one(w, attach, 1, "consumer", func(_ *sim.Thread, q *Queue) {
			q.Shutdown()
			q.Take(nil, false)
		})
	})
}

// The room is behind a lease.
func TestSimQueueSeesWhatWasGotBehindALease(t *testing.T) {
	sim.Exhaust(t, 1, 2, sim.Options{}, func(w *sim.World) {
		attach := lateQueue(w, 2)
		full := attach(w.Process(7))
		putOne(w, full)
		if _, err := full.Take(nil, true); err != nil {
			w.Fail("Take: %v", err)
		}
		putOne(w, full)
		one(w, attach, 0, "consumer", func(_ *sim.Thread, q *Queue) {
			getOne(w, q)
			one(w, attach, 1, "producer", func(_ *sim.Thread, q *Queue) { putOne(w, q) })
		})
	})
}

// The last message has been thrown away: it is the end.
func TestSimQueueSeesTheEnd(t *testing.T) {
	for _, slots := range []int{1, 2} {
		sim.Exhaust(t, 1, 2, sim.Options{}, func(w *sim.World) {
			attach := lateQueue(w, slots)
			full := attach(w.Process(7))
			putOne(w, full)
			full.Shutdown()
			one(w, attach, 0, "consumer", func(_ *sim.Thread, q *Queue) {
				s, err := q.Take(nil, false)
				if err != nil {
					w.Fail("Take: %v", err)
				}
				q.Discard(s)
				one(w, attach, 1, "other", func(_ *sim.Thread, q *Queue) {
					if _, err := q.Take(nil, false); err != io.EOF {
						w.Fail("all is done, and Take: %v", err)
					}
				})
			})
		})
	}
}

// The last two messages are thrown away by two processes, of which neither makes a
// locked instruction after it, while one waits until nothing is undone.
func TestSimQueueJoinBesideDiscards(t *testing.T) {
	sim.Exhaust(t, 1, 2, sim.Options{}, func(w *sim.World) {
		attach := lateQueue(w, 2)
		full := attach(w.Process(7))
		for range 2 {
			putOne(w, full)
		}
		for i := range 2 {
			one(w, attach, i, "discards", func(_ *sim.Thread, q *Queue) {
				for {
					s, err := q.Take(nil, false)
					if err != nil {
						return
					}
					q.Discard(s)
				}
			})
		}
		p := w.Process(2)
		p.Immortal = true
		q := attach(p)
		p.Go("joiner", func(t *sim.Thread) {
			if err := q.Join(t); err != nil {
				w.Fail("Join: %v", err)
			}
		})
	})
}

// A producer that no Membarrier reaches, though it stores as one that is reached, is
// found by the first look after a moment.
func TestSimQueueFindsTheMissed(t *testing.T) {
	sim.Exhaust(t, 1, 2, sim.Options{Timers: true, NsStep: 1000}, func(w *sim.World) {
		c := QueueConfig{Slots: 2, Room: 16, Rows: 8}
		a := mem.Heap(c.Size())
		c.InitLap(a, NearWrap)
		attach := func(p *sim.Process) *Queue {
			env := p.Env()
			env.Misses = true
			q, err := AttachQueue(a, env)
			if err != nil {
				w.Fail("attach: %v", err)
			}
			return q
		}
		p := w.Process(0)
		p.Missed, p.Immortal = true, true
		put := attach(p)
		p.Go("producer", func(*sim.Thread) { putOne(w, put) })
		p = w.Process(1)
		p.Immortal = true
		get := attach(p)
		p.Go("consumer", func(t *sim.Thread) {
			from := t.Now()
			s, err := get.Take(t, false)
			if err != nil {
				w.Fail("Take: %v", err)
			}
			get.Release(s)
			if long := time.Duration(t.Now() - from); long > 100*time.Millisecond {
				w.Fail("it took %v", long)
			}
		})
	})
}
