//go:build tandem_sim

package engine_test

import (
	"testing"

	"example.com/tandem/internal/sim"
)

// Two goroutines of one process wait and both are notified: no schedule with
// two preemptions leaves one asleep.
func TestSimCondExhaustTwo(t *testing.T) {
	sim.Exhaust(t, 1, 2, sim.Options{}, func(w *sim.World) {
		o := newCondOracle(w, false)
		p := w.Process(0)
		for range 2 {
			p.Go("waiter", func(t *sim.Thread) {
				m, _ := o.lock(t)
				o.wait(t, o.attach(t), m, false)
				o.unlock(t, m)
			})
		}
		o.closer.Go("notifier", func(t *sim.Thread) { o.notify(t, 2) })
	})
}

// Somebody died with a notification while another waits. Who heals may die
// too, at any step: the one who waits is notified, once.
func TestSimCondExhaustHealer(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		healers, most, kills int
		repairs              bool
	}{
		{"and goes on elsewhere", 1, 2, 1, false},
		{"and another heals", 2, 1, 1, false},
		{"and another repairs the lock", 1, 1, 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sim.Exhaust(t, 1, tt.most, sim.Options{MaxKills: tt.kills}, func(w *sim.World) {
				o := newCondOracle(w, false)
				died := false
				heal := func(t *sim.Thread) {
					m, _ := o.lock(t)
					if !died { // what recovery leaves, but for its ring
						died = true
						o.immortal, o.given = true, 1
						*o.c.W64(512 + 128*7) = 1<<63 | 1<<40 | 1<<20 | 1
						*o.c.W64(384) |= 1 << 7
					}
					if _, err := o.attach(t).NotifyHere(0); err != nil {
						w.Fail("Notify: %v", err)
					}
					o.unlock(t, m)
				}
				o.onJoin = func() {
					o.onJoin = nil
					for i := range tt.healers {
						w.Process(1+i).Go("healer", heal)
					}
					if tt.repairs { // and knows nothing of the Cond
						w.Process(9).Go("repairer", func(t *sim.Thread) {
							m, _ := o.lock(t)
							o.unlock(t, m)
						})
					}
				}
				p := w.Process(0)
				p.Immortal = true
				p.Go("waiter", func(t *sim.Thread) {
					m, _ := o.lock(t)
					for !o.wait(t, o.attach(t), m, false) { // told of a dead healer
					}
					o.unlock(t, m)
				})
			})
		})
	}
}

// What a dead one had is dealt to one who dies just then. It comes to the
// other who waits, all the same.
func TestSimCondDealtToTheDying(t *testing.T) {
	sim.Explore(t, 6000, sim.Options{}, func(w *sim.World) {
		o := newCondOracle(w, false)
		dying, lives := w.Process(0), w.Process(1)
		lives.Immortal = true
		wait := func(t *sim.Thread) {
			m, _ := o.lock(t)
			if !o.wait(t, o.attach(t), m, false) {
				o.immortal = false // told that one died with the lock, it waits no more
			}
			o.unlock(t, m)
		}
		heal := func(t *sim.Thread) {
			m, _ := o.lock(t)
			o.immortal, o.given = true, 1
			*o.c.W64(512 + 128*7) = 1<<63 | 1<<40 | 1<<20 | 1
			*o.c.W64(384) |= 1 << 7
			if _, err := o.attach(t).NotifyHere(0); err != nil {
				w.Fail("Notify: %v", err)
			}
			o.unlock(t, m)
		}
		healer := w.Process(2)
		joined, killed := 0, false
		o.onJoin = func() {
			if joined++; joined == 2 {
				healer.Go("healer", heal)
			}
		}
		w.Always(func() error {
			if *o.c.W64(256) != 0 && !killed && w.Rand.IntN(3) == 0 {
				killed = true
				dying.Kill()
				healer.Stop(w.Rand.IntN(100)) // it may be recovered meanwhile
			}
			return nil
		})
		dying.Go("dying", wait)
		lives.Go("lives", wait)
	})
}
