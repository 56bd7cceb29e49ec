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

var eventOps, _ = engine.OpsOf(engine.KindEvent)

// Whoever waits when a Set begins is released by it, however soon a Clear
// follows, and nobody returns who was not.
func TestSimEvent(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    sim.Options
	}{
		{"alive", sim.Options{}},
		{"killed", sim.Options{KillEvery: 100, MaxKills: 4}},
		{"killed soon", sim.Options{KillEvery: 12, MaxKills: 3}},
		{"cancelled", sim.Options{CancelEvery: 40, SpuriousEvery: 100}},
		{"stopped", sim.Options{StopEvery: 30, MaxStops: 3, StopFor: 400}},
		{"all", sim.Options{KillEvery: 150, MaxKills: 3, CancelEvery: 80, SpuriousEvery: 200, StopEvery: 100, MaxStops: 2}},
	} {
		t.Run(tt.name, func(t *testing.T) { sim.Explore(t, 5000, tt.o, simEvent) })
	}
}

// An eventOracle counts the Sets of the world, and knows who waits.
type eventOracle struct {
	w *sim.World
	a mem.Area

	begun   int // Sets that were called
	setting map[*sim.Thread]bool
	waiting map[*eventWatch]bool
	left    map[*eventWatch]bool // who waited when the last pulse of despair came
	last    uint64
}

func newEventOracle(w *sim.World) *eventOracle {
	o := &eventOracle{w: w, a: mem.Heap(engine.EventSize), setting: map[*sim.Thread]bool{}, waiting: map[*eventWatch]bool{}}
	engine.InitEvent(o.a)
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		if err := eventOps.Recover(o.a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	w.Always(func() error {
		now := *o.a.W64(0)
		if now>>1 < o.last>>1 || now>>1 > uint64(o.begun) {
			return fmt.Errorf("the word goes from %#x to %#x, after %d Sets", o.last, now, o.begun)
		}
		o.last = now
		return eventOps.Check(o.a)
	})
	// When nobody can run, nobody sleeps who was released: but for those whom
	// a process that is stopped has yet to wake, if no other Set has come since.
	w.OnIdle(func() error {
		for s := range o.waiting {
			if p := s.Process(); s.due && w.Alive(p.Self) && !p.Stopped() {
				return fmt.Errorf("%v sleeps after a Set that began later has returned", s.Thread)
			}
		}
		for t := range o.setting {
			if t.Process().Stopped() {
				return nil
			}
		}
		for s := range o.waiting {
			if p := s.Process(); w.Alive(p.Self) && !p.Stopped() && s.looked && *o.a.W64(0) != s.first {
				return fmt.Errorf("%v sleeps for %#x, and the word is %#x", s.Thread, s.first, *o.a.W64(0))
			}
		}
		return nil
	})
	return o
}

func (o *eventOracle) attach(t *sim.Thread) *engine.Event {
	e, err := engine.AttachEvent(o.a, t.Env())
	if err != nil {
		o.w.Fail("attach: %v", err)
	}
	return e
}

func (o *eventOracle) set(t *sim.Thread) {
	o.begun++
	o.setting[t] = true
	defer delete(o.setting, t)
	var there []*eventWatch
	for s := range o.waiting {
		if s.looked {
			there = append(there, s)
		}
	}
	if err := o.attach(t).Set(); err != nil {
		o.w.Fail("Set: %v", err)
	}
	for _, s := range there {
		s.due = true
	}
}

func (o *eventOracle) clear(t *sim.Thread) {
	if err := o.attach(t).Clear(); err != nil {
		o.w.Fail("Clear: %v", err)
	}
}

// An eventWatch is a Wait's sleeper, and notes at its first Spin what E1 found.
type eventWatch struct {
	*sim.Thread
	o      *eventOracle
	looked bool
	first  uint64
	due    bool // a Set that was called since has returned
}

func (s *eventWatch) Spin() bool {
	if !s.looked {
		s.looked, s.first = true, *s.o.a.W64(0)
	}
	return s.Thread.Spin()
}

// wait is Wait. Between its last look and its return nobody else runs, so the
// word says whether it returned what it had to.
func (o *eventOracle) wait(t *sim.Thread) error {
	s := &eventWatch{Thread: t, o: o}
	o.waiting[s] = true
	defer delete(o.waiting, s)
	err := o.attach(t).Wait(s)
	now := *o.a.W64(0)
	switch {
	case err != nil && !errors.Is(err, sim.ErrCanceled):
		o.w.Fail("Wait: %v", err)
	case err != nil && now != s.first:
		o.w.Fail("%v gives up at %#x, which it found at %#x", t, now, s.first)
	case err == nil && s.looked && now>>1 == s.first>>1, err == nil && !s.looked && now&1 == 0:
		o.w.Fail("%v goes on at %#x, which it found at %#x", t, now, s.first)
	}
	return err
}

// pulse is for when all sleep who are left: it must release each of them.
func (o *eventOracle) pulse() bool {
	for s := range o.waiting {
		if o.left[s] {
			return false
		}
	}
	o.left = map[*eventWatch]bool{}
	for s := range o.waiting {
		o.left[s] = true
	}
	o.begun++
	closer := o.w.Process(10 + o.begun)
	closer.Immortal = true
	closer.Go("closer", func(t *sim.Thread) {
		o.begun--
		o.set(t)
		o.clear(t)
	})
	return true
}

func simEvent(w *sim.World) {
	o := newEventOracle(w)
	start := func(index int) {
		p := w.Process(index)
		for range 1 + w.Rand.IntN(2) {
			p.Go("user", func(t *sim.Thread) {
				for range 1 + w.Rand.IntN(5) {
					t.Context(w.Rand.IntN(2) == 0)
					switch w.Rand.IntN(6) {
					case 0, 1:
						o.set(t)
						if w.Rand.IntN(2) == 0 {
							o.clear(t)
						}
					case 2:
						o.clear(t)
					default:
						o.wait(t)
					}
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
	w.OnStuck(o.pulse)
}

// Pulses, each begun when all waiters sleep, or are about to: each waiter
// returns once for each.
func TestSimEventPulses(t *testing.T) {
	for name, o := range map[string]sim.Options{
		"alive":    {},
		"spurious": {SpuriousEvery: 20},
		"stopped":  {StopEvery: 25, MaxStops: 4, StopFor: 200},
	} {
		t.Run(name, func(t *testing.T) { sim.Explore(t, 5000, o, simPulses) })
	}
}

func simPulses(w *sim.World) {
	const pulses = 4
	o := newEventOracle(w)
	waiters := 1 + w.Rand.IntN(3)
	over := 0 // pulses
	for i := range waiters {
		w.Process(i).Go("waiter", func(t *sim.Thread) {
			for r := range pulses {
				for over < r {
					t.Spin()
				}
				o.wait(t)
			}
		})
	}
	w.Process(waiters).Go("setter", func(t *sim.Thread) {
		for r := range pulses {
			for there := 0; there < waiters; t.Spin() {
				there = 0
				for s := range o.waiting {
					if s.looked && s.first>>1 == uint64(r) {
						there++
					}
				}
			}
			o.set(t)
			o.clear(t)
			over++
		}
	})
}

// Waiters, and two pulses, or one and a death, under every schedule of two
// preemptions.
func TestSimEventExhaust(t *testing.T) {
	for kills := range 2 {
		sim.Exhaust(t, 1, 2, sim.Options{MaxKills: kills}, func(w *sim.World) {
			o := newEventOracle(w)
			for i := range 2 {
				p := w.Process(i)
				p.Immortal = true
				p.Go("waiter", func(t *sim.Thread) { o.wait(t) })
			}
			for i := range 2 - kills {
				w.Process(2+i).Go("setter", func(t *sim.Thread) {
					o.set(t)
					o.clear(t)
				})
			}
			w.OnStuck(func() bool {
				w.Settled()
				return o.pulse()
			})
		})
	}
}
