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

var mutexOps, _ = engine.OpsOf(engine.KindMutex)

func TestSimMutex(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    sim.Options
	}{
		{"alive", sim.Options{}},
		{"killed", sim.Options{KillEvery: 150, MaxKills: 4}},
		{"cancelled", sim.Options{CancelEvery: 60, SpuriousEvery: 200}},
		{"all", sim.Options{KillEvery: 200, MaxKills: 3, CancelEvery: 100, SpuriousEvery: 300}},
		{"timers", sim.Options{KillEvery: 300, MaxKills: 2, CancelEvery: 100, Timers: true}},
	} {
		t.Run(tt.name, func(t *testing.T) { sim.Explore(t, 10000, tt.o, simMutex) })
	}
}

// A mutexOracle is a second opinion on who holds the mutex.
type mutexOracle struct {
	w      *sim.World
	a      mem.Area
	holder *sim.Thread // between Lock's return and Unlock's call
	dirty  bool        // abandoned, as somebody was told
	freed  int64       // when the last Unlock returned
}

func (o *mutexOracle) took(t *sim.Thread, suspect bool) {
	if h := o.holder; h != nil {
		if o.w.Alive(h.Process().Self) {
			o.w.Fail("%v holds it, and so does %v", t, h)
		} else if !suspect {
			o.w.Fail("%v took it from %v, who died with it, and was not told", t, h)
		}
	}
	if suspect {
		if o.w.Kills() == 0 {
			o.w.Fail("%v was told of a death that was none", t)
		}
		o.dirty = true
	} else if o.dirty {
		o.w.Fail("%v was not told that nobody has repaired", t)
	}
	o.holder = t
}

func (o *mutexOracle) leaves(t *sim.Thread) {
	if o.holder != t {
		o.w.Fail("%v lost it to %v", t, o.holder)
	}
	o.holder = nil
}

func (o *mutexOracle) check() error {
	return mutexOps.Check(o.a)
}

func newMutexOracle(w *sim.World) *mutexOracle {
	o := &mutexOracle{w: w, a: mem.Heap(engine.MutexSize)}
	engine.InitMutex(o.a)
	w.Always(o.check)
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		if err := mutexOps.Recover(o.a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	w.AtEnd(func() error {
		l := mutexOps.Look(o.a)
		if l.Owner != nil || l.State == "offered" {
			return fmt.Errorf("at the end: %+v", l)
		}
		if o.holder != nil && l.State != "abandoned" {
			return fmt.Errorf("%v died with it, and the mutex says %q", o.holder, l.State)
		}
		return nil
	})
	return o
}

func simMutex(w *sim.World) {
	o := newMutexOracle(w)
	w.OnRecovered(func(dead engine.Self) {
		if w.Rand.IntN(2) == 0 {
			o.process(int(dead.Index))
		}
	})
	for i := range 2 + w.Rand.IntN(3) {
		o.process(i)
	}
}

func (o *mutexOracle) process(index int) {
	p := o.w.Process(index)
	for range 1 + o.w.Rand.IntN(2) {
		p.Go("locker", func(t *sim.Thread) {
			for range 1 + o.w.Rand.IntN(4) {
				o.round(t)
			}
		})
	}
}

func (o *mutexOracle) round(t *sim.Thread) {
	w := o.w
	m, err := engine.AttachMutex(o.a, t.Env())
	if err != nil {
		w.Fail("attach: %v", err)
	}
	t.Context(w.Rand.IntN(2) == 0)
	suspect := false
	switch w.Rand.IntN(8) {
	case 0:
		ok := false
		if ok, err = m.TryLock(); !ok && err == nil {
			return
		}
	case 1:
		suspect, err = m.Recover(t)
	default:
		err = m.Lock(t)
	}
	if errors.Is(err, engine.ErrOwnerDied) {
		if w.Kills() == 0 {
			w.Fail("%v: %v", t, err)
		}
		if w.Rand.IntN(2) == 0 {
			return
		}
		suspect, err = m.Recover(t)
	}
	if err != nil {
		if !errors.Is(err, sim.ErrCanceled) {
			w.Fail("%v: %v", t, err)
		}
		return
	}
	o.took(t, suspect)
	for range w.Rand.IntN(4) {
		t.Step()
	}
	if who, ok := m.Owner(); !ok || who != t.Process().Self {
		w.Fail("%v holds it, and the mutex says %v", t, who)
	}
	if suspect && w.Rand.IntN(3) > 0 {
		if err := m.MarkConsistent(); err != nil {
			w.Fail("MarkConsistent: %v", err)
		}
		o.dirty = false
	}
	for range w.Rand.IntN(3) {
		t.Step()
	}
	o.leaves(t)
	if err := m.Unlock(); err != nil {
		w.Fail("Unlock: %v", err)
	}
	o.freed = w.Now()
}
