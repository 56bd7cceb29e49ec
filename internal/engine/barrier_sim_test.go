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

func TestSimBarrier(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    sim.Options
	}{
		{"alive", sim.Options{SpuriousEvery: 300}},
		{"killed", sim.Options{KillEvery: 100, MaxKills: 4}},
		{"cancelled", sim.Options{CancelEvery: 60, SpuriousEvery: 200}},
		{"all", sim.Options{KillEvery: 150, MaxKills: 3, CancelEvery: 100, SpuriousEvery: 300}},
		{"stopped", sim.Options{KillEvery: 300, MaxKills: 2, StopEvery: 60, MaxStops: 4, StopFor: 300, CancelEvery: 300}},
	} {
		// Nobody resets or aborts; somebody does.
		t.Run("quiet "+tt.name, func(t *testing.T) { sim.Explore(t, 2000, tt.o, func(w *sim.World) { simBarrier(w, tt.o, false) }) })
		t.Run("upset "+tt.name, func(t *testing.T) { sim.Explore(t, 2000, tt.o, func(w *sim.World) { simBarrier(w, tt.o, true) }) })
	}
}

// A barrierOracle knows every Wait.
type barrierOracle struct {
	w         *sim.World
	a         mem.Area
	parties   int
	upset     bool // there is a reason for errors
	upsetters bool // and it may be somebody who is no party
	waits     []*simWait
	rounds    map[uint64]*simRound
	shut      bool // no new Waits
	closers   int
}

type simWait struct {
	t     *sim.Thread
	begun int // the step
	over  bool
	round int // in which it has arrived, -1: not yet
	err   error
}

// A simRound is one that somebody has passed.
type simRound struct {
	first  int // when the first had passed it
	passed map[int]*simWait
	action int
}

func newBarrierOracle(w *sim.World, parties int) *barrierOracle {
	o := &barrierOracle{w: w, a: mem.Heap(engine.BarrierSize(parties)), parties: parties, rounds: map[uint64]*simRound{}}
	if w.Rand.IntN(2) == 0 {
		engine.InitBarrier(o.a, parties)
	} else {
		engine.InitBarrierLate(o.a, parties)
	}
	w.Always(func() error { return barrierOps.Check(o.a) })
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		if err := barrierOps.Recover(o.a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	w.OnStuck(o.stuck)
	w.AtEnd(func() error {
		if l := barrierOps.Look(o.a); len(l.Holders) > 0 {
			w.Fail("at the end %v has not left", l.Holders)
		}
		for g, r := range o.rounds {
			if n := len(r.passed); n > 0 && n != parties && (w.Kills() == 0 || n > parties) {
				w.Fail("%d of %d parties passed round %d", n, parties, g)
			}
		}
		if err := o.reasons(); err != nil {
			return err
		}
		return o.again()
	})
	return o
}

// reasons: in a world that nobody upsets, a round is broken only if one of its
// own parties died or gave up.
func (o *barrierOracle) reasons() error {
	if o.upsetters || o.closers > 0 {
		return nil
	}
	for _, x := range o.waits {
		if x.err != engine.ErrBroken || x.round < 0 {
			continue
		}
		known := false
		for _, y := range o.waits {
			if gone := y.over && y.err == sim.ErrCanceled || !y.over; gone && (y.round == x.round || y.round < 0) {
				known = true
			}
		}
		if !known {
			return fmt.Errorf("%v was told that round %d is broken, for no reason", x.t, x.round)
		}
	}
	return nil
}

// again: whatever has been, after a Reset all is as new.
func (o *barrierOracle) again() error {
	b, err := engine.AttachBarrier(o.a, engine.Env{Wake: o.w.Wake})
	if err != nil {
		return err
	}
	b.Reset()
	var round []engine.Arrival
	for range o.parties {
		a, err := b.Arrive(nil)
		if err != nil {
			return err
		}
		round = append(round, a)
	}
	for i := o.parties - 1; i >= 0; i-- {
		if a := round[i]; a.Index() != i {
			return fmt.Errorf("the %dth comes as the %dth", i, a.Index())
		} else if b.Last(a) {
			err = b.Trip(a)
		} else {
			_, err = b.Await(a, nil)
		}
		if err != nil {
			return err
		}
	}
	return barrierOps.Check(o.a)
}

// stuck is when all sleep: then there are too few for a round, or the parties
// of one died after it, and somebody must send home those who are left.
func (o *barrierOracle) stuck() bool {
	n := o.waiting()
	b, _ := engine.AttachBarrier(o.a, engine.Env{})
	if b.Broken() || n >= o.parties || n != b.Waiting() {
		o.w.Fail("%d sleep at a barrier of %d, which counts %d; broken: %v", n, o.parties, b.Waiting(), b.Broken())
		return false
	}
	if n == 0 {
		return false
	}
	o.shut = true
	p := o.w.Process(20 + o.closers)
	o.closers++
	p.Immortal = true
	p.Go("closer", func(t *sim.Thread) {
		o.upset = true
		o.attach(t).Abort()
	})
	return true
}

// waiting is how many live threads are in Wait.
func (o *barrierOracle) waiting() (n int) {
	for _, x := range o.waits {
		if !x.over && o.w.Alive(x.t.Process().Self) {
			n++
		}
	}
	return n
}

func (o *barrierOracle) attach(t *sim.Thread) *engine.Barrier {
	b, err := engine.AttachBarrier(o.a, t.Env())
	if err != nil {
		o.w.Fail("attach: %v", err)
	}
	return b
}

var errAction = errors.New("action failed")

// wait is Wait of package sync, and the oracle's part.
func (o *barrierOracle) wait(t *sim.Thread, action func(engine.Arrival) error) error {
	b, x := o.attach(t), &simWait{t: t, begun: o.w.Steps(), round: -1}
	o.waits = append(o.waits, x)
	a, err := b.Arrive(t)
	if err == nil {
		x.round = int(a.Round())
	}
	switch {
	case err != nil:
		if errors.Is(err, sim.ErrCanceled) {
			b.Abort()
		}
	case !b.Last(a):
		_, err = b.Await(a, t)
	default:
		if action != nil && b.Stands(a) {
			err = action(a)
		}
		if err != nil {
			b.Fail(a)
		} else {
			err = b.Trip(a)
		}
	}
	x.over, x.err = true, err
	if err == nil {
		o.passed(t, a, x)
	} else if !errors.Is(err, engine.ErrBroken) && !errors.Is(err, sim.ErrCanceled) && err != errAction {
		o.w.Fail("%v: %v", t, err)
	} else if !o.upset && o.w.Kills() == 0 {
		o.w.Fail("%v: %v, and nobody did anything", t, err)
	}
	return err
}

func (o *barrierOracle) round(a engine.Arrival) *simRound {
	r := o.rounds[a.Round()]
	if r == nil {
		r = &simRound{passed: map[int]*simWait{}}
		o.rounds[a.Round()] = r
	}
	return r
}

func (o *barrierOracle) passed(t *sim.Thread, a engine.Arrival, x *simWait) {
	r := o.round(a)
	if len(r.passed) == 0 {
		r.first = o.w.Steps()
		begun := 0 // who could be of this round
		for _, y := range o.waits {
			if y.begun <= r.first && (!y.over || y == x || !o.w.Alive(y.t.Process().Self)) {
				begun++
			}
		}
		if begun < o.parties {
			o.w.Fail("%v passed with %d of %d there", t, begun, o.parties)
		}
	}
	switch {
	case x.begun > r.first:
		o.w.Fail("%v began a wait when its round was over", t)
	case a.Index() < 0 || a.Index() >= o.parties || r.passed[a.Index()] != nil:
		o.w.Fail("%v passed as the %dth, and so did %v", t, a.Index(), r.passed[a.Index()])
	}
	r.passed[a.Index()] = x
}

// simBarrier is a barrier with perhaps more threads than parties, and perhaps
// such as break it and mend it.
func simBarrier(w *sim.World, opt sim.Options, upset bool) {
	parties := 1 + w.Rand.IntN(4)
	if w.Rand.IntN(16) == 0 {
		parties = 9 // the hint is in use
	}
	o := newBarrierOracle(w, parties)
	o.upset, o.upsetters = upset || opt.CancelEvery > 0, upset
	threads := parties + w.Rand.IntN(3)
	failing := upset && w.Rand.IntN(3) == 0
	start := func(index, threads int) {
		p := w.Process(index)
		for range threads {
			p.Go("party", func(t *sim.Thread) {
				for range 1 + w.Rand.IntN(5) {
					if o.shut {
						return
					}
					t.Context(w.Rand.IntN(2) == 0)
					var action func(engine.Arrival) error
					if w.Rand.IntN(3) == 0 {
						action = func(a engine.Arrival) error { return o.action(t, a, failing) }
					}
					o.wait(t, action)
					for range w.Rand.IntN(4) * w.Rand.IntN(2) {
						t.Step()
					}
				}
			})
		}
	}
	w.OnRecovered(func(dead engine.Self) {
		if w.Rand.IntN(2) == 0 && !o.shut {
			start(int(dead.Index), 1)
		}
	})
	for i := 0; threads > 0; i++ {
		n := min(threads, 1+w.Rand.IntN(2))
		start(i, n)
		threads -= n
	}
	if upset {
		w.Process(15).Go("upsetter", o.upsetter)
	}
}

func (o *barrierOracle) upsetter(t *sim.Thread) {
	for range 1 + o.w.Rand.IntN(6) {
		for range o.w.Rand.IntN(20) {
			t.Step()
		}
		b, there := o.attach(t), map[int]bool{} // the rounds of those who have come
		for _, x := range o.waits {
			there[x.round] = there[x.round] || !x.over && o.w.Alive(x.t.Process().Self)
		}
		reset := o.w.Rand.IntN(2) == 0
		if reset {
			b.Reset()
		} else {
			b.Abort()
		}
		if g, broken := b.Round(); there[int(g)] && (reset || !broken) {
			o.w.Fail("a round goes on after Abort, or Reset: %v", reset)
		}
		if n := b.Waiting(); n < 0 || n > o.parties {
			o.w.Fail("%d of %d wait", n, o.parties)
		}
	}
}

// action runs once a round, before anybody has passed it.
func (o *barrierOracle) action(t *sim.Thread, a engine.Arrival, failing bool) error {
	r := o.round(a)
	if r.action++; r.action > 1 || len(r.passed) > 0 {
		o.w.Fail("%v acts, after %d who did and %d who passed", t, r.action-1, len(r.passed))
	}
	for range o.w.Rand.IntN(6) {
		t.Step()
	}
	if len(r.passed) > 0 {
		o.w.Fail("%d passed while %v acted", len(r.passed), t)
	}
	if failing && o.w.Rand.IntN(3) == 0 {
		return errAction
	}
	return nil
}

// Tiny worlds under every schedule with a preemption or two, one of which may
// be a kill.
func TestSimBarrierExhaust(t *testing.T) {
	for _, tt := range []struct {
		name    string
		parties int
		waits   []int // of each thread, in a process of its own
		upset   string
		most    int
		kills   int
	}{
		{"one", 1, []int{2, 2}, "", 2, 0},
		{"one, reset", 1, []int{2, 1}, "r", 2, 0},
		{"two", 2, []int{2, 2}, "", 2, 0},
		{"two, killed", 2, []int{1, 1}, "", 2, 1},
		{"two, one too many", 2, []int{2, 1, 1}, "", 1, 1},
		{"two, reset", 2, []int{1, 1, 1}, "r", 1, 1},
		{"two, abort and reset", 2, []int{2, 2}, "ar", 1, 1},
		{"three", 3, []int{1, 1, 1}, "", 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sim.Exhaust(t, 1, tt.most, sim.Options{MaxKills: tt.kills}, func(w *sim.World) {
				o := newBarrierOracle(w, tt.parties)
				o.upset = tt.upset != ""
				o.upsetters = o.upset
				for i, n := range tt.waits {
					w.Process(i).Go("party", func(t *sim.Thread) {
						for range n {
							if !o.shut {
								o.wait(t, nil)
							}
						}
					})
				}
				w.Process(15).Go("upsetter", func(t *sim.Thread) {
					for _, c := range tt.upset {
						if b := o.attach(t); c == 'a' {
							b.Abort()
						} else {
							b.Reset()
						}
					}
				})
			})
		})
	}
}
