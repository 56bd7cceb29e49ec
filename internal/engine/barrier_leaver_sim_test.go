//go:build tandem_sim

package engine_test

import (
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// One that was of a round and does not leave it, as when it is stopped, holds
// up who comes for the next round of its bank. But these are told of an Abort,
// and of a Reset, after which the other bank is theirs.
func TestSimBarrierLeaverStopped(t *testing.T) {
	held := 0
	opt := sim.Options{SpuriousEvery: 400, CancelEvery: 200, StopEvery: 200, MaxStops: 2}
	sim.Explore(t, 3000, opt, func(w *sim.World) {
		parties := 2 + w.Rand.IntN(2)
		o := &barrierOracle{w: w, a: mem.Heap(engine.BarrierSize(parties)), parties: parties,
			rounds: map[uint64]*simRound{}, upset: true, upsetters: true}
		engine.InitBarrier(o.a, parties)
		w.Always(func() error { return barrierOps.Check(o.a) })
		w.OnStuck(func() bool {
			b, err := engine.AttachBarrier(o.a, engine.Env{})
			if err != nil || b.Broken() || o.closers == 20 {
				return false // that they sleep on is wrong
			}
			if o.waiting() > parties {
				held++
			}
			o.closers++
			o.shut = w.Rand.IntN(3) == 0 || o.closers == 20
			w.Process(20+o.closers).Go("upsetter", func(t *sim.Thread) {
				b := o.attach(t)
				b.Abort()
				if !o.shut {
					b.Reset()
				}
			})
			return true
		})
		w.Process(0).Go("stopped", func(t *sim.Thread) {
			if _, err := o.attach(t).Arrive(t); err != nil {
				w.Fail("the first comes: %v", err)
			}
			o.waits = append(o.waits, &simWait{t: t, round: 2})
			for i := range parties + w.Rand.IntN(2) {
				w.Process(1+i).Go("party", func(t *sim.Thread) {
					for !o.shut {
						t.Context(w.Rand.IntN(4) == 0)
						o.wait(t, nil)
						if w.Rand.IntN(8) == 0 {
							return
						}
					}
				})
			}
		})
	})
	if held == 0 {
		t.Error("nobody was ever held up")
	}
}
