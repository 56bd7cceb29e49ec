//go:build tandem_sim

package engine_test

import (
	"errors"
	"fmt"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

var onceOps, _ = engine.OpsOf(engine.KindOnce)

// One runs at a time, nobody after it is done, and nobody goes on before; and
// nobody sleeps who could run, or go on.
func TestSimOnce(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    sim.Options
	}{
		{"alive", sim.Options{}},
		{"killed", sim.Options{KillEvery: 100, MaxKills: 4}},
		{"killed soon", sim.Options{KillEvery: 15, MaxKills: 3}},
		{"cancelled", sim.Options{CancelEvery: 30, SpuriousEvery: 100}},
		{"stopped", sim.Options{KillEvery: 300, MaxKills: 2, StopEvery: 60, MaxStops: 3, StopFor: 300, Timers: true}},
		{"stopped for long", sim.Options{StopEvery: 40, MaxStops: 3, StopFor: 500}},
		{"all", sim.Options{KillEvery: 150, MaxKills: 3, CancelEvery: 80, SpuriousEvery: 200}},
	} {
		runs := 5000
		if tt.name == "stopped for long" {
			runs = 30000 // that others sleep meanwhile takes a coincidence or two
		}
		t.Run(tt.name, func(t *testing.T) { sim.Explore(t, runs, tt.o, simOnce) })
	}
}

// A onceOracle is a second opinion on who runs, and whether it is done.
type onceOracle struct {
	w      *sim.World
	a      mem.Area
	runner *sim.Thread
	done   bool // some run has succeeded: its Finish was called
	over   bool // and returned

	waiting map[*sim.Thread]bool
}

func newOnceOracle(w *sim.World) *onceOracle {
	o := &onceOracle{w: w, a: mem.Heap(engine.OnceSize), waiting: map[*sim.Thread]bool{}}
	engine.InitOnce(o.a)
	w.Always(func() error {
		l := onceOps.Look(o.a)
		if l.State == "done" && !o.done {
			return errors.New("it is done, and nobody has done it")
		}
		if l.State != "done" && o.over {
			return fmt.Errorf("it was done, and is %q", l.State)
		}
		return onceOps.Check(o.a)
	})
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		if err := onceOps.Recover(o.a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	// When it is done all go on, whoever of them is stopped.
	w.OnIdle(func() error {
		for t := range o.waiting {
			if p := t.Process(); o.over && w.Alive(p.Self) && !p.Stopped() {
				return fmt.Errorf("it is done, and %v sleeps", t)
			}
		}
		return nil
	})
	w.AtEnd(func() error {
		if l := onceOps.Look(o.a); l.Owner != nil {
			return fmt.Errorf("at the end: %+v", l)
		}
		return nil
	})
	return o
}

func (o *onceOracle) do(t *sim.Thread, steps int, success bool) {
	w := o.w
	once, err := engine.AttachOnce(o.a, t.Env())
	if err != nil {
		w.Fail("attach: %v", err)
	}
	o.waiting[t] = true
	run, err := once.Begin(t)
	delete(o.waiting, t)
	switch {
	case err != nil:
		if !errors.Is(err, sim.ErrCanceled) || run {
			w.Fail("Begin: %v, %v", run, err)
		}
		return
	case !run:
		if !o.done {
			w.Fail("%v goes on, and it is not done", t)
		}
		return
	case o.over:
		w.Fail("%v runs what is done", t)
	case o.runner != nil && w.Alive(o.runner.Process().Self):
		w.Fail("%v runs, and so does %v", t, o.runner)
	}
	o.runner = t
	for range steps {
		t.Step()
	}
	if l := onceOps.Look(o.a); l.Owner == nil || *l.Owner != t.Process().Self || l.State != "running" {
		w.Fail("%v runs, and it looks like %+v", t, l)
	}
	o.runner = nil
	o.done = o.done || success
	if err := once.Finish(success); err != nil {
		w.Fail("Finish: %v", err)
	}
	o.over = o.over || success
}

func simOnce(w *sim.World) {
	o := newOnceOracle(w)
	failures := w.Rand.IntN(6)
	start := func(index int) {
		p := w.Process(index)
		for range 1 + w.Rand.IntN(2) {
			p.Go("user", func(t *sim.Thread) {
				for range 1 + w.Rand.IntN(3) {
					t.Context(w.Rand.IntN(2) == 0)
					failures--
					o.do(t, w.Rand.IntN(6), failures < 0)
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

// Three users, of whom the first fails, and a death, under every schedule of
// two preemptions.
func TestSimOnceExhaust(t *testing.T) {
	for kills := range 2 {
		sim.Exhaust(t, 1, 2, sim.Options{MaxKills: kills}, func(w *sim.World) {
			o := newOnceOracle(w)
			failures := 1 - kills
			for i := range 3 {
				w.Process(i).Go("user", func(t *sim.Thread) {
					failures--
					o.do(t, 0, failures < 0)
				})
			}
		})
	}
}
