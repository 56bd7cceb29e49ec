//go:build tandem_sim

package engine_test

import (
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/sim"
)

// A share that is within its limits all the time is never said to be outside,
// by whichever thread, while the tenancy comes and goes.
func TestSimLedgerOverdue(t *testing.T) {
	sim.Exhaust(t, 1, 2, sim.Options{}, func(w *sim.World) {
		o := newLedgerOracle(w, 10, 1000, engine.Undo)
		one, two := w.Process(0), w.Process(1)
		add := func(p *sim.Process, l *engine.Ledger, d int) {
			if out, err := l.Add(d, engine.Limits{Max: 1000, HeldMin: -9, HeldMax: 900}); out != engine.Done || err != nil {
				w.Fail("add %d: %v, %v", d, out, err)
			}
			o.share[p.Self] += d
		}
		l, err := engine.AttachLedger(o.a, one.Env())
		if err != nil {
			t.Fatal(err)
		}
		add(one, l, 1) // it is the tenant
		one.Go("adder", func(t *sim.Thread) { add(one, o.attach(t), -1) })
		two.Go("adder", func(t *sim.Thread) { add(two, o.attach(t), 500) })
		one.Go("adder", func(t *sim.Thread) { add(one, o.attach(t), -2) })
	})
}

// Every schedule with few preemptions, and a kill anywhere, of a change or two
// by two threads of one process and by another process: what a tenancy's base
// and a late settler could spoil.
func TestSimLedgerExhaust(t *testing.T) {
	for _, tt := range []struct {
		name        string
		preemptions int
		o           sim.Options
		first       []int // the changes of each thread of process 0
		second      []int // and of process 1
		others      []int
	}{
		{"alive", 3, sim.Options{}, []int{-1, 2}, []int{-3}, []int{-1}},
		{"a tenant's thread", 3, sim.Options{}, []int{-1}, []int{-3, 1}, []int{-1, 4}},
		{"killed", 2, sim.Options{MaxKills: 1}, []int{-1, 2}, []int{-3}, []int{-1, -1}},
		{"killed twice", 2, sim.Options{MaxKills: 2}, []int{-1}, nil, []int{-1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sim.Exhaust(t, 1, tt.preemptions, tt.o, func(w *sim.World) {
				o := newLedgerOracle(w, 10, 20, engine.Undo)
				adder := func(p *sim.Process, ds []int) {
					if ds == nil {
						return
					}
					p.Go("adder", func(t *sim.Thread) {
						l := o.attach(t)
						for _, d := range ds {
							if !l.AddNow(d, max(0, -d), 20-max(0, d)) {
								if out, err := l.Add(d, engine.Limits{Max: 20}); out != engine.Done || err != nil {
									w.Fail("add: %v, %v", out, err)
								}
							}
							o.share[p.Self] += d
						}
					})
				}
				one, two := w.Process(0), w.Process(1)
				adder(one, tt.first)
				adder(one, tt.second)
				adder(two, tt.others)
			})
		})
	}
}
