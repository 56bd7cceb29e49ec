//go:build tandem_sim

package engine_test

import (
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/sim"
)

var condOps, _ = engine.OpsOf(engine.KindCond)

func TestSimCond(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    sim.Options
	}{
		{"alive", sim.Options{}},
		{"killed", sim.Options{KillEvery: 250, MaxKills: 4}},
		{"killed soon", sim.Options{KillEvery: 60, MaxKills: 6}},
		{"cancelled", sim.Options{CancelEvery: 60, SpuriousEvery: 200}},
		{"all", sim.Options{KillEvery: 250, MaxKills: 4, CancelEvery: 100, SpuriousEvery: 300}},
		{"stopped", sim.Options{KillEvery: 400, MaxKills: 2, CancelEvery: 300, StopEvery: 150, MaxStops: 3, StopFor: 300, Timers: true}},
	} {
		t.Run(tt.name, func(t *testing.T) { sim.Explore(t, 2500, tt.o, func(w *sim.World) { simCond(w, tt.o.Timers) }) })
	}
}

// Notifiers that live, and waiters that live and are more than are notified:
// whoever else dies, each notification that was promised is taken, once.
func TestSimCondPromises(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    sim.Options
	}{
		{"killed", sim.Options{KillEvery: 150, MaxKills: 5}},
		{"killed in the end", sim.Options{KillEvery: 700, MaxKills: 5}},
		{"all", sim.Options{KillEvery: 200, MaxKills: 5, CancelEvery: 150, SpuriousEvery: 300}},
	} {
		t.Run(tt.name, func(t *testing.T) { sim.Explore(t, 2000, tt.o, simCondPromises) })
	}
}

func simCond(w *sim.World, timers bool) {
	o := newCondOracle(w, timers)
	start := func(index int) {
		p := w.Process(index)
		for range 1 + w.Rand.IntN(3) {
			p.Go("user", func(t *sim.Thread) {
				for range 1 + w.Rand.IntN(4) {
					t.Context(w.Rand.IntN(2) == 0)
					m, ok := o.lock(t)
					if !ok {
						continue
					}
					for range w.Rand.IntN(3) {
						switch w.Rand.IntN(5) {
						case 0, 1:
							o.wait(t, o.attach(t), m, w.Rand.IntN(2) == 0)
						case 2, 3:
							o.notifyLocked(t, 1+w.Rand.IntN(3))
						case 4:
							t.Step()
						}
					}
					o.unlock(t, m)
				}
			})
		}
	}
	w.OnRecovered(func(dead engine.Self) {
		if w.Rand.IntN(2) == 0 {
			start(int(dead.Index))
		}
	})
	for i := range 2 + w.Rand.IntN(3) {
		start(i)
	}
}

func simCondPromises(w *sim.World) {
	o := newCondOracle(w, false)
	o.immortal = true
	notifications := 1 + w.Rand.IntN(4)
	patient := w.Process(0)
	patient.Immortal = true
	ready := 0
	notifier := w.Process(1)
	notifier.Immortal = true
	notify := func(t *sim.Thread) {
		for range notifications {
			for range w.Rand.IntN(60) {
				t.Step()
			}
			o.notify(t, 1)
		}
	}
	for range notifications + 1 {
		patient.Go("patient", func(t *sim.Thread) {
			m, _ := o.lock(t)
			if ready++; ready == notifications+1 {
				notifier.Go("notifier", notify) // who waits for this one
			}
			for !o.wait(t, o.attach(t), m, false) { // told of a death with the lock
			}
			o.unlock(t, m)
		})
	}
	start := func(index int) {
		p := w.Process(index)
		for range 1 + w.Rand.IntN(3) {
			p.Go("mortal", func(t *sim.Thread) {
				for range 1 + w.Rand.IntN(3) {
					m, _ := o.lock(t)
					o.wait(t, o.attach(t), m, w.Rand.IntN(2) == 0)
					o.unlock(t, m)
				}
			})
		}
	}
	// The rest of those who wait are told by the closer, when all sleep.
	w.OnRecovered(func(dead engine.Self) {
		if w.Rand.IntN(2) == 0 {
			start(int(dead.Index))
		}
	})
	for i := range 1 + w.Rand.IntN(3) {
		start(2 + i)
	}
}
