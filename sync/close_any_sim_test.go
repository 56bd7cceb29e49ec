//go:build tandem_sim

package sync

import (
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
	"example.com/tandem/shm"
)

// Whoever closes the region while it waits for one of several, or has been woken for one,
// takes nobody's permit with it, and is not told of what there is in the zeroes.
func TestSimCloseAny(t *testing.T) {
	o := sim.Leaving
	o.CancelEvery = 300
	sim.Explore(t, 4000, o, func(w *sim.World) {
		a, b := mem.Heap(engine.EventSize), mem.Heap(engine.SemaphoreSize(9))
		*a.W64(0) = 2 // it was set once
		engine.InitSemaphore(b, 0)
		simRecover(w, []engine.Kind{engine.KindEvent, engine.KindSemaphore}, []mem.Area{a, b})
		open := func(p *sim.Process) (*Event, *Semaphore) {
			e := &Event{handle: simHandle(p, engine.KindEvent, a), ev: *check(engine.AttachEvent(a, p.Env()))}
			s := &Semaphore{permits{handle: simHandle(p, engine.KindSemaphore, b)}}
			s.sem = *check(engine.AttachSemaphore(b, p.Env(), false))
			return e, s
		}
		ended := false
		for i := range 3 {
			p := w.Process(i)
			e, s := open(p)
			p.Go("looker", func(t *sim.Thread) {
				for range 3 {
					t.Context(true)
					n, err := shm.WaitAny(sim.Context, e, s)
					if err == nil && n == 0 && !ended {
						w.Fail("%v is told of an event that nobody has set", t)
					}
					if simEnded(w, err) {
						return
					}
				}
			})
			p.Go("taker", func(t *sim.Thread) {
				for range 2 {
					t.Context(true)
					if simEnded(w, s.Acquire(sim.Context)) {
						return
					}
				}
			})
		}
		p := w.Process(3)
		p.Immortal = true
		e, s := open(p)
		p.Go("giver", func(t *sim.Thread) {
			for range 5 {
				if simEnded(w, s.Release(1)) {
					return
				}
			}
		})
		w.OnStuck(func() bool {
			if s.sem.Value() > 0 || ended {
				return false // with somebody asleep: a wake-up is lost
			}
			ended = true
			p.Go("last", func(t *sim.Thread) {
				if err := e.Set(); err != nil {
					w.Fail("%v", err)
				}
				if err := s.Release(50); err != nil {
					w.Fail("%v", err)
				}
			})
			return true
		})
	})
}
