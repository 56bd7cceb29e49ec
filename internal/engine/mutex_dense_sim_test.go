//go:build tandem_sim

package engine_test

import (
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/sim"
)

// Lockers who do nothing else, neither inside nor between: the lock goes from
// hand to hand so fast that whoever frees it slowly finds it as it was, unless
// the sequence tells. And nobody has a wake-up and leaves with it.
func TestSimMutexDense(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    sim.Options
	}{
		{"alive", sim.Options{}},
		{"cancelled", sim.Options{CancelEvery: 15}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sim.Explore(t, 20000, tt.o, func(w *sim.World) {
				o := newMutexOracle(w)
				for i := range 4 {
					w.Process(i).Go("locker", func(t *sim.Thread) {
						m, err := engine.AttachMutex(o.a, t.Env())
						if err != nil {
							w.Fail("attach: %v", err)
						}
						for range 2 {
							t.Context(i > 0)
							if m.Lock(t) != nil {
								continue
							}
							o.took(t, false)
							o.leaves(t)
							if err := m.Unlock(); err != nil {
								w.Fail("Unlock: %v", err)
							}
						}
					})
				}
			})
		})
	}
}
