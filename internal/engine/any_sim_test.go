//go:build tandem_sim

package engine_test

import (
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/sim"
)

// Calls that wait for several things, beside such as take them: however they die, are
// stopped or give up, nobody sleeps while there is what he waits for.
func TestSimAny(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    sim.Options
	}{
		{"alive", sim.Options{}},
		{"killed", sim.Options{KillEvery: 150, MaxKills: 4}},
		{"killed soon", sim.Options{KillEvery: 30, MaxKills: 3}},
		{"cancelled", sim.Options{CancelEvery: 60, SpuriousEvery: 150}},
		{"stopped", sim.Options{StopEvery: 60, MaxStops: 4, StopFor: 300}},
		{"all", sim.Options{KillEvery: 200, MaxKills: 3, CancelEvery: 100, SpuriousEvery: 200, StopEvery: 150, MaxStops: 3}},
	} {
		t.Run(tt.name, func(t *testing.T) { sim.Explore(t, 2500, tt.o, simAny) })
	}
}

func simAny(w *sim.World) {
	all := []engine.Kind{engine.KindSemaphore, engine.KindSemaphore, engine.KindQueue, engine.KindQueue, engine.KindEvent, engine.KindSPSC, engine.KindBroadcast,
		engine.KindPipe, engine.KindBoundedSemaphore}
	var kinds []engine.Kind
	for range 1 + w.Rand.IntN(3) {
		kinds = append(kinds, all[w.Rand.IntN(len(all))])
	}
	o := newAnyOracle(w, kinds...)
	start := func(index int) {
		p := o.process(index)
		for range 1 + w.Rand.IntN(2) {
			p.Go("user", func(t *sim.Thread) {
				for range 1 + w.Rand.IntN(5) {
					t.Context(w.Rand.IntN(2) == 0)
					switch w.Rand.IntN(7) {
					case 0, 1, 2:
						o.give(t, o.one())
					case 3, 4:
						o.take(t, o.one(), t)
					default:
						if x, _ := o.any(t, o.some()...); x != nil && w.Rand.IntN(3) != 0 {
							o.take(t, x, nil)
						}
					}
				}
			})
		}
	}
	w.OnRecovered(func(dead engine.Self) {
		if w.Rand.IntN(2) == 0 && dead.Index < 6 && !o.over {
			start(int(dead.Index))
		}
	})
	for i := range 2 + w.Rand.IntN(3) {
		start(i)
	}
}

// One that takes, and others that are woken for what it waits for, and whose contexts end
// in that moment.
func TestSimAnyLeaves(t *testing.T) {
	sim.Explore(t, 4000, sim.Options{CancelEvery: 20}, func(w *sim.World) {
		o := newAnyOracle(w, engine.KindSemaphore, engine.KindQueue)
		x := o.one()
		for i := range 2 {
			o.process(i).Go("looker", func(t *sim.Thread) {
				for range 3 {
					t.Context(true)
					o.any(t, o.things...)
				}
			})
		}
		o.process(2).Go("taker", func(t *sim.Thread) {
			for range 3 {
				o.take(t, x, t)
			}
		})
		o.process(3).Go("giver", func(t *sim.Thread) {
			for range 3 {
				for range 20 {
					t.Step()
				}
				if u, ok := x.use(t).(*engine.Semaphore); ok {
					u.Release(1)
				} else {
					o.give(t, x)
				}
			}
		})
	})
}

// The smallest worlds in which a wake-up can be eaten, under every schedule of so many
// preemptions: of two objects, one given to each; or two given to one.
func TestSimAnyExhaust(t *testing.T) {
	for _, tt := range []struct {
		name  string
		kinds []engine.Kind
		give  []int // objects, by processes of their own
		take  []int
		kills int
		n     int // preemptions and deaths
	}{
		{"one", []engine.Kind{engine.KindSemaphore, engine.KindSemaphore}, []int{0}, []int{0}, 0, 2},
		{"each", []engine.Kind{engine.KindSemaphore, engine.KindSemaphore}, []int{0, 1}, []int{1}, 0, 1},
		{"late", []engine.Kind{engine.KindQueue, engine.KindSemaphore}, []int{0}, nil, 0, 2},
		{"late behind", []engine.Kind{engine.KindSemaphore, engine.KindQueue}, []int{1}, nil, 0, 2},
		{"late spsc", []engine.Kind{engine.KindSPSC, engine.KindEvent}, []int{0}, nil, 0, 2},
		{"late pipe", []engine.Kind{engine.KindPipe, engine.KindEvent}, []int{0}, nil, 0, 2},
		{"pipe taken", []engine.Kind{engine.KindSemaphore, engine.KindPipe}, []int{1}, []int{1}, 0, 1},
		{"bounded", []engine.Kind{engine.KindBoundedSemaphore, engine.KindEvent}, []int{0}, []int{0}, 0, 1},
		{"broadcast", []engine.Kind{engine.KindEvent, engine.KindBroadcast}, []int{1}, nil, 0, 1},
		{"death", []engine.Kind{engine.KindSemaphore, engine.KindSemaphore}, []int{0}, []int{0}, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sim.Exhaust(t, 1, tt.n, sim.Options{MaxKills: tt.kills}, func(w *sim.World) {
				w.OnStuck(func() bool {
					w.Settled()
					return false
				})
				o := newAnyOracle(w, tt.kinds...)
				index := 0
				next := func() *sim.Process {
					index++
					p := o.process(index - 1)
					p.Immortal = true
					return p
				}
				waiter := next()
				waiter.Immortal = tt.kills == 0
				waiter.Go("waiter", func(t *sim.Thread) { o.any(t, o.things...) })
				for _, i := range tt.take {
					next().Go("taker", func(t *sim.Thread) { o.take(t, o.things[i], t) })
				}
				for _, i := range tt.give {
					next().Go("giver", func(t *sim.Thread) {
						if u, ok := o.things[i].use(t).(*engine.Semaphore); ok {
							u.Release(1)
						} else {
							o.give(t, o.things[i])
						}
					})
				}
			})
		})
	}
}
