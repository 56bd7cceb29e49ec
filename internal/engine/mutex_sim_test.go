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
	lasts  map[engine.Self]*engine.Mutex // a process's handle, that its threads share
	holder *sim.Thread                   // between Lock's return and Unlock's call
	dirty  bool                          // abandoned, as somebody was told
	held   bool                          // at the last check
	freed  int64                         // since when it may be free
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
	o.freed = o.w.Now()
}

func (o *mutexOracle) check() error {
	held := mutexOps.Look(o.a).Owner != nil
	if o.held && !held {
		o.freed = o.w.Now()
	}
	o.held = held
	return mutexOps.Check(o.a)
}

func newMutexOracle(w *sim.World) *mutexOracle {
	o := &mutexOracle{w: w, a: mem.Heap(engine.MutexSize), lasts: map[engine.Self]*engine.Mutex{}}
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

// lock locks as a handle does: at once, or else with a wait.
func lock(t *sim.Thread, l interface {
	LockNow() bool
	Lock(engine.Sleeper) error
}) error {
	if l.LockNow() {
		return nil
	}
	return l.Lock(t)
}

// unlock unlocks as a handle does.
func unlock(m *engine.Mutex) error {
	if m.UnlockGuess() {
		return nil
	}
	return m.Unlock()
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

// handle is the process's that lasts, and remembers, or one of its own.
func (o *mutexOracle) handle(t *sim.Thread) *engine.Mutex {
	self := t.Process().Self
	if m := o.lasts[self]; m != nil && o.w.Rand.IntN(4) > 0 {
		return m
	}
	m, err := engine.AttachMutex(o.a, t.Env())
	if err != nil {
		o.w.Fail("attach: %v", err)
	}
	o.lasts[self] = m
	return m
}

func (o *mutexOracle) round(t *sim.Thread) {
	w := o.w
	m, err := o.handle(t), error(nil)
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
		err = lock(t, m)
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
	if err := unlock(m); err != nil {
		w.Fail("Unlock: %v", err)
	}
	o.freed = w.Now()
}

// Stopped processes hold up nobody who could have the lock, but while they
// hold it: not for longer than patience where an offer was made to them, and
// not for longer than a sleeper's re-look where a plain wake-up was.
func TestSimMutexStopped(t *testing.T) {
	o := sim.Options{Timers: true, StopEvery: 40, MaxStops: 6, StopFor: 1_000_000, NsStep: 2000, CancelEvery: 500}
	sim.Explore(t, 5000, o, simMutexStopped)
}

func simMutexStopped(w *sim.World) {
	const (
		relook = 500e6
		slack  = 400 * 2000 // steps of all others, in nanoseconds
	)
	o := newMutexOracle(w)
	for i := range 2 + w.Rand.IntN(3) {
		w.Process(i).Go("locker", func(t *sim.Thread) {
			m, err := engine.AttachMutex(o.a, t.Env())
			if err != nil {
				w.Fail("attach: %v", err)
			}
			for range 2 + w.Rand.IntN(6) {
				t.Context(w.Rand.IntN(4) == 0)
				stopped := t.Process().StoppedUntil()
				start := w.Now()
				err := lock(t, m)
				if err != nil {
					continue
				}
				o.took(t, false)
				waited := w.Now() - max(start, o.freed)
				limit := int64(relook)
				if start > o.freed {
					limit = 1e6
				}
				if t.Process().StoppedUntil() == stopped && waited > limit+slack {
					w.Fail("%v waited %d µs for a free lock, of at most %d", t, waited/1000, limit/1000)
				}
				for range w.Rand.IntN(400) * w.Rand.IntN(2) {
					t.Step()
				}
				o.leaves(t)
				if err := unlock(m); err != nil {
					w.Fail("Unlock: %v", err)
				}
				o.freed = w.Now()
			}
		})
	}
}

// With somebody who locks again and again, those who sleep are served by offers.
func TestSimMutexOffers(t *testing.T) {
	offers := uint64(0)
	o := sim.Options{Timers: true, NsStep: 20_000, CancelEvery: 300, KillEvery: 4000, MaxKills: 1}
	sim.Explore(t, 5000, o, func(w *sim.World) {
		o := newMutexOracle(w)
		waiting := 1 + w.Rand.IntN(3)
		for i := range waiting {
			p := w.Process(i)
			p.Immortal = true
			p.Go("waiter", func(t *sim.Thread) {
				defer func() { waiting-- }()
				for range 2 {
					o.round(t)
				}
			})
		}
		w.Process(waiting).Go("hog", func(t *sim.Thread) {
			m, _ := engine.AttachMutex(o.a, t.Env())
			for n := 0; waiting > 0; n++ {
				if lock(t, m) != nil {
					return
				}
				o.took(t, false)
				t.Step()
				o.leaves(t)
				if err := unlock(m); err != nil {
					w.Fail("Unlock: %v", err)
				}
			}
		})
		w.AtEnd(func() error { offers += mem.Load64(o.a.W64(80)); return nil })
	})
	if offers == 0 {
		t.Error("nobody was ever offered the lock")
	}
	t.Logf("%d offers", offers)
}
