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

var rwOps, _ = engine.OpsOf(engine.KindRWMutex)

func TestSimRWMutex(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    sim.Options
	}{
		{"alive", sim.Options{}},
		{"killed", sim.Options{KillEvery: 150, MaxKills: 5}},
		{"cancelled", sim.Options{CancelEvery: 60, SpuriousEvery: 200}},
		{"all", sim.Options{KillEvery: 200, MaxKills: 4, CancelEvery: 100, SpuriousEvery: 300}},
		{"stopped", sim.Options{KillEvery: 300, MaxKills: 3, StopEvery: 100, MaxStops: 3, StopFor: 300, Timers: true}},
	} {
		t.Run(tt.name, func(t *testing.T) { sim.Explore(t, 6000, tt.o, simRWMutex) })
	}
}

// An rwOracle is a second opinion on who is inside.
type rwOracle struct {
	w       *sim.World
	a       mem.Area
	writer  *sim.Thread // between Lock's return and Unlock's call
	readers map[*sim.Thread]bool
	threads map[engine.Self]int

	untold    bool // a writer died inside, and nobody was told
	dirty     bool // somebody was told, and nobody has repaired
	abandoned bool // at the last check
	reasons   map[engine.Self]bool
	between   map[engine.Self]bool // died in a call
	recovered []engine.Self        // since the last check
	writes    int
}

// Where a thread stands.
const (
	rwOutside = iota
	rwWrites
	rwReads
	rwBetween // in a call
)

func newRWOracle(w *sim.World) *rwOracle {
	o := &rwOracle{w: w, a: mem.Heap(engine.RWMutexSize(simRows)), readers: map[*sim.Thread]bool{},
		threads: map[engine.Self]int{}, reasons: map[engine.Self]bool{}, between: map[engine.Self]bool{}}
	engine.InitRWMutex(o.a)
	w.Always(o.check)
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		if o.between[dead] && o.inside() == dead { // by now all that it stored is seen
			o.untold, o.reasons[dead] = true, true
		}
		delete(o.between, dead)
		if err := rwOps.Recover(o.a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	w.OnRecovered(func(dead engine.Self) { o.recovered = append(o.recovered, dead) })
	w.AtEnd(func() error {
		l := rwOps.Look(o.a)
		if l.Owner != nil || l.Holders != nil || o.inside() != (engine.Self{}) {
			return fmt.Errorf("at the end: %+v, entered %v", l, o.inside())
		}
		if got, want := l.State, (map[bool]string{true: "abandoned"})[o.untold || o.dirty]; got != want {
			return fmt.Errorf("at the end it is %q, not %q", got, want)
		}
		return nil
	})
	return o
}

// inside is who is inside by the word that says so.
func (o *rwOracle) inside() engine.Self {
	e := mem.Load64(o.a.W64(128))
	if e == 0 {
		return engine.Self{}
	}
	return engine.Self{Index: uint32(e&2047) - 1, Epoch: uint32(e >> 32)}
}

// check finds an abandonment for which nobody died.
func (o *rwOracle) check() error {
	abandoned := rwOps.Look(o.a).State == "abandoned"
	if abandoned && !o.abandoned && len(o.reasons) == 0 {
		return errors.New("abandoned, and no writer died inside")
	}
	o.abandoned = abandoned
	for _, dead := range o.recovered {
		delete(o.reasons, dead)
	}
	o.recovered = o.recovered[:0]
	return rwOps.Check(o.a)
}

// died is told of a thread's death, where it stood.
func (o *rwOracle) died(t *sim.Thread, at int) {
	self := t.Process().Self
	delete(o.readers, t)
	if at == rwWrites {
		o.writer = nil
	}
	switch at {
	case rwWrites:
		o.untold, o.reasons[self] = true, true
	case rwBetween:
		o.between[self] = true
	}
}

func (o *rwOracle) writes1(t *sim.Thread, suspect bool) {
	if o.writer != nil {
		o.w.Fail("%v writes, and so does %v", t, o.writer)
	}
	for r := range o.readers {
		o.w.Fail("%v writes, and %v reads", t, r)
	}
	if !suspect && (o.untold || o.dirty) {
		o.w.Fail("%v was not told: untold %v, dirty %v", t, o.untold, o.dirty)
	}
	if suspect {
		o.untold, o.dirty = false, true
	}
	o.writer = t
	o.writes++
}

func (o *rwOracle) reads1(t *sim.Thread) {
	if o.writer != nil {
		o.w.Fail("%v reads, and %v writes", t, o.writer)
	}
	if o.untold || o.dirty {
		o.w.Fail("%v reads what nobody has repaired", t)
	}
	o.readers[t] = true
}

func simRWMutex(w *sim.World) {
	o := newRWOracle(w)
	w.OnRecovered(func(dead engine.Self) {
		if w.Rand.IntN(2) == 0 {
			o.process(int(dead.Index))
		}
	})
	for i := range 2 + w.Rand.IntN(3) {
		o.process(i)
	}
}

func (o *rwOracle) process(index int) {
	p := o.w.Process(index)
	for range 1 + o.w.Rand.IntN(2) {
		o.threads[p.Self]++
		p.Go("user", func(t *sim.Thread) {
			for range 1 + o.w.Rand.IntN(4) {
				o.round(t, o.w.Rand.IntN(11))
			}
		})
	}
}

func (o *rwOracle) attach(t *sim.Thread) *engine.RWMutex {
	l, err := engine.AttachRWMutex(o.a, t.Env())
	if err != nil {
		o.w.Fail("attach: %v", err)
	}
	return l
}

// round is one call that locks, and what belongs to it.
func (o *rwOracle) round(t *sim.Thread, what int) {
	w, at := o.w, rwOutside
	defer func() {
		if !w.Alive(t.Process().Self) {
			o.died(t, at)
		}
	}()
	l := o.attach(t)
	t.Context(w.Rand.IntN(2) == 0)
	var err error
	ok, reader, suspect := true, what >= 6, false
	at = rwBetween
	switch what {
	case 0:
		ok, err = l.TryLock()
	case 1:
		suspect, err = l.Recover(t)
	case 2, 3, 4:
		err = lock(t, l)
	case 5:
		o.misuse(t, l)
		return
	case 6:
		ok, err = l.TryRLock()
	default:
		if !l.RLockNow() { // as a handle does
			err = l.RLock(t)
		}
	}
	if errors.Is(err, engine.ErrOwnerDied) {
		if !o.untold && !o.dirty && len(o.reasons) == 0 {
			// It may have been repaired since; but somebody must have died.
			if w.Kills() == 0 {
				w.Fail("%v: %v", t, err)
			}
		}
		if w.Rand.IntN(2) == 0 {
			return
		}
		suspect, err = l.Recover(t)
		ok, reader = true, false
	}
	if err != nil {
		if !errors.Is(err, sim.ErrCanceled) {
			w.Fail("%v: %v", t, err)
		}
		return
	}
	if !ok {
		return
	}
	if reader {
		o.reads1(t)
		at = rwReads
		for range w.Rand.IntN(6) {
			t.Step()
		}
		delete(o.readers, t)
		at = rwBetween
		if err := l.RUnlock(); err != nil {
			w.Fail("RUnlock: %v", err)
		}
		return
	}
	o.writes1(t, suspect)
	at = rwWrites
	for range w.Rand.IntN(4) {
		t.Step()
	}
	if who, ok := l.Owner(); !ok || who != t.Process().Self {
		w.Fail("%v writes, and the owner is %v", t, who)
	}
	if suspect && w.Rand.IntN(3) > 0 {
		o.dirty = false // whoever comes from here on may find it whole
		if err := l.MarkConsistent(); err != nil {
			w.Fail("MarkConsistent: %v", err)
		}
	}
	for range w.Rand.IntN(3) {
		t.Step()
	}
	o.writer = nil
	at = rwBetween
	if err := l.Unlock(); err != nil {
		w.Fail("Unlock: %v", err)
	}
}

// misuse unlocks what this process does not hold.
func (o *rwOracle) misuse(t *sim.Thread, l *engine.RWMutex) {
	if o.threads[t.Process().Self] > 1 {
		return
	}
	for name, f := range map[string]func() error{"Unlock": l.Unlock, "RUnlock": l.RUnlock, "MarkConsistent": l.MarkConsistent} {
		if err := f(); !errors.Is(err, engine.ErrNotLocked) && !errors.Is(err, engine.ErrNotOwner) {
			o.w.Fail("%s of what it does not hold: %v", name, err)
		}
	}
}

// Every schedule of one reader and one writer with few preemptions, and a
// death of either.
func TestSimRWMutexExhaust(t *testing.T) {
	for name, writers := range map[string]int{"a reader and a writer": 1, "a reader and two writers": 2} {
		t.Run(name, func(t *testing.T) {
			sim.Exhaust(t, 1, 4-writers, sim.Options{MaxKills: 1}, func(w *sim.World) {
				o := newRWOracle(w)
				w.Process(0).Go("reader", func(t *sim.Thread) { o.round(t, 7) })
				for i := range writers {
					w.Process(1+i).Go("writer", func(t *sim.Thread) { o.round(t, 2) })
				}
			})
		})
	}
}

// With writers who lock again and again, readers get in, and the other way
// round.
func TestSimRWMutexStarving(t *testing.T) {
	stood, passes, most, reads := uint64(0), 0, 0, 0
	o := sim.Options{Timers: true, NsStep: 20_000, CancelEvery: 300, KillEvery: 4000, MaxKills: 1}
	sim.Explore(t, 4000, o, func(w *sim.World) {
		o := newRWOracle(w)
		waiting := 1 + w.Rand.IntN(3)
		for i := range waiting {
			p := w.Process(i)
			p.Immortal = true
			p.Go("reader", func(t *sim.Thread) {
				defer func() { waiting-- }()
				for range 2 {
					before := o.writes
					o.round(t, 7)
					passes += o.writes - before
					most = max(most, o.writes-before)
					reads++
				}
			})
		}
		for i := range 2 {
			w.Process(3+i).Go("hog", func(t *sim.Thread) {
				l := o.attach(t)
				at := rwBetween
				defer func() {
					if !w.Alive(t.Process().Self) {
						o.died(t, at)
					}
				}()
				for waiting > 0 {
					if o.writes%40 == 0 {
						t.Spin() // a scheduler lets everybody run some time
					}
					if lock(t, l) != nil {
						return
					}
					o.writes1(t, false)
					at = rwWrites
					t.Step()
					o.writer = nil
					at = rwBetween
					if err := l.Unlock(); err != nil {
						w.Fail("Unlock: %v", err)
					}
				}
			})
		}
		w.AtEnd(func() error { stood += mem.Load64(o.a.W64(208)); return nil })
	})
	if stood == 0 {
		t.Error("no writer ever stood back")
	}
	t.Logf("%d times a writer stood back; %d reads were passed %d times, one of them %d times", stood, reads, passes, most)
}
