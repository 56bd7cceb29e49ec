//go:build tandem_sim

package engine_test

import (
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// One who has waited for long says so, and who comes stands back for it: for
// its patience if it is stopped, and that once.
func TestSimSemaphoreStarving(t *testing.T) {
	const (
		starving = 140 // its offset
		patience = 1_000_000
	)
	sim.Explore(t, 2000, sim.Options{Timers: true, NsStep: 500}, func(w *sim.World) {
		o := newSemaphoreOracle(w, 0, false)
		w.AtEnd(o.exact)
		take := func(t *sim.Thread, s *engine.Semaphore) int64 {
			begun := w.Now()
			if !s.AcquireNow() {
				if err := s.Acquire(t); err != nil {
					w.Fail("Acquire: %v", err)
				}
			}
			o.share[t.Process().Self]--
			return w.Now() - begun
		}
		waits := w.Process(0)
		waits.Go("waiter", func(t *sim.Thread) { take(t, o.attach(t)) })
		w.Process(1).Go("giver", func(t *sim.Thread) {
			var never uint32
			s := o.attach(t)
			t.SleepUntil(&never, 0, w.Now()+2*patience)
			s.Bell.Ring(1)
			t.SleepUntil(&never, 0, w.Now()+patience)
			if mem.Load32(o.a.W32(starving)) == 0 {
				w.Fail("one who waits has been passed over, and does not say so")
			}
			waits.Stop(20_000)
			o.release(t, s, 2)
			if s.AcquireNow() {
				w.Fail("who made the last change does not stand back")
			}
			w.Process(2).Go("newcomer", func(t *sim.Thread) {
				s := o.attach(t)
				if took := take(t, s); took < patience*9/10 {
					w.Fail("it stood back for %d µs", took/1000)
				}
				if took := take(t, s); took > patience/2 {
					w.Fail("it stood back again, for %d µs", took/1000)
				}
				o.release(t, s, 1)
			})
		})
	})
}
