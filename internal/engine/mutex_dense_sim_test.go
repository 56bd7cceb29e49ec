//go:build tandem_sim

package engine_test

import (
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/sim"
)

// Lockers that do nothing else, neither inside nor between: the lock goes from
// hand to hand so fast that one who frees it slowly finds its word back again,
// unless the sequence tells. And nobody leaves with a wake-up that is for all.
func TestSimMutexDense(t *testing.T) {
	for _, tt := range []struct {
		name            string
		o               sim.Options
		lockers, rounds int
	}{
		{"alive", sim.Options{}, 5, 1},
		{"cancelled", sim.Options{CancelEvery: 15}, 4, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sim.Explore(t, 30000, tt.o, func(w *sim.World) {
				o, p := newMutexOracle(w), w.Process(0)
				for i := range tt.lockers {
					p.Go("locker", func(t *sim.Thread) {
						m, err := engine.AttachMutex(o.a, t.Env())
						if err != nil {
							w.Fail("attach: %v", err)
						}
						for range tt.rounds {
							t.Context(i > 0)
							if lock(t, m) != nil {
								continue
							}
							o.took(t, false)
							o.leaves(t)
							if err := unlock(m); err != nil {
								w.Fail("Unlock: %v", err)
							}
						}
					})
				}
			})
		})
	}
}
