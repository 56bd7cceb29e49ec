//go:build tandem_sim

package engine_test

import (
	"fmt"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// Somebody is about to move the hint on when its round ends by a Reset, and
// does so in the next round, beside one who moves it there: no slot is passed
// over, and the hint never goes back.
func TestSimBarrierHint(t *testing.T) {
	const parties = 17
	stopped := 0
	sim.Exhaust(t, 1, 2, sim.Options{}, func(w *sim.World) {
		a := mem.Heap(engine.BarrierSize(parties))
		engine.InitBarrier(a, parties)
		attach := func(index int) *engine.Barrier {
			b, err := engine.AttachBarrier(a, w.Process(index).Env())
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		come := func(b *engine.Barrier, n int) { // without a step
			for range n {
				if _, err := b.Arrive(nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		come(attach(1), parties-1)
		*a.W64(128) = 2<<31 | 8 // nobody has moved it since
		hint := *a.W64(128)
		w.Always(func() error {
			if was := hint; int64(*a.W64(128)-was) < 0 {
				return fmt.Errorf("the hint was %#x and is %#x", was, *a.W64(128))
			}
			hint = *a.W64(128)
			return barrierOps.Check(a)
		})
		arrive := func(name string, b *engine.Barrier) func(t *sim.Thread) {
			return func(t *sim.Thread) {
				x, err := b.Arrive(t)
				if err != nil {
					w.Fail("%s: %v", name, err)
				}
				if x.Round() == 3 && x.Index() > 9 {
					w.Fail("%s comes as the %dth", name, x.Index())
				}
			}
		}
		helper, upsetter, comer := attach(2), attach(3), attach(4)
		w.Process(5).Go("helper", arrive("the helper", helper))
		w.Process(6).Go("comer", func(t *sim.Thread) {
			point := mem.Point
			mem.Point = nil // the next round begins, and eight have come to it
			if g, _ := upsetter.Round(); g == 2 {
				stopped++
				upsetter.Reset()
				come(upsetter, 8)
			}
			mem.Point = point
			arrive("the comer", comer)(t)
		})
		w.OnStuck(func() bool { return false })
	})
	if stopped == 0 {
		t.Error("no round was ever reset")
	}
}
