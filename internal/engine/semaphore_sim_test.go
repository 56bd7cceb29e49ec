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

func TestSimSemaphore(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    sim.Options
	}{
		{"alive", sim.Options{}},
		{"killed", sim.Options{KillEvery: 120, MaxKills: 5}},
		{"cancelled", sim.Options{CancelEvery: 60, SpuriousEvery: 200}},
		{"all", sim.Options{KillEvery: 150, MaxKills: 4, CancelEvery: 80, SpuriousEvery: 300}},
		{"stopped", sim.Options{KillEvery: 300, MaxKills: 3, StopEvery: 100, MaxStops: 3, StopFor: 300, CancelEvery: 200}},
		{"timers", sim.Options{KillEvery: 300, MaxKills: 3, StopEvery: 100, MaxStops: 3, StopFor: 300, Timers: true}},
	} {
		t.Run("guard "+tt.name, func(t *testing.T) { sim.Explore(t, 3000, tt.o, simGuard) })
		if !tt.o.Timers { // by which takers who find nothing are never stuck
			t.Run("signals "+tt.name, func(t *testing.T) { sim.Explore(t, 3000, tt.o, simSignals) })
		}
		t.Run("bound "+tt.name, func(t *testing.T) { sim.Explore(t, 3000, tt.o, simBound) })
	}
}

// A semaphoreOracle is a second opinion on how many permits there are, and on
// who has how many.
type semaphoreOracle struct {
	w       *sim.World
	a       mem.Area
	bounded bool
	initial int
	most    int
	ops     engine.Ops
	share   map[engine.Self]int // of the living: given less taken
	given   int                 // less taken, by the dead, who keep it
	doing   map[*sim.Thread]int // the change that a thread is at
	unclear map[bool]int        // of the dead: by how much more, or less, it may be
}

func newSemaphoreOracle(w *sim.World, initial int, bounded bool) *semaphoreOracle {
	o := &semaphoreOracle{w: w, a: mem.Heap(engine.SemaphoreSize(simRows)), bounded: bounded, initial: initial,
		share: map[engine.Self]int{}, doing: map[*sim.Thread]int{}, unclear: map[bool]int{}}
	kind := engine.KindSemaphore
	if o.most = engine.LedgerMax; bounded {
		o.most = initial
		kind = engine.KindBoundedSemaphore
	}
	o.ops, _ = engine.OpsOf(kind)
	engine.InitSemaphore(o.a, initial)
	w.Always(func() error { return o.ops.Check(o.a) })
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		for _, at := range o.dying(dead) { // once: a second recovery finds none
			o.unclear[at > 0] += at
		}
		if err := o.ops.Recover(o.a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	w.OnRecovered(func(dead engine.Self) {
		if n := o.share[dead]; n > 0 || !bounded && initial == 0 {
			o.given += n // nothing comes back, or nothing was held
		}
		delete(o.share, dead)
	})
	return o
}

// dying is what the dead one's threads were at, and forgets it.
func (o *semaphoreOracle) dying(dead engine.Self) (at []int) {
	for t, n := range o.doing {
		if t.Process().Self == dead {
			at = append(at, n)
			delete(o.doing, t)
		}
	}
	return at
}

func (o *semaphoreOracle) attach(t *sim.Thread) *engine.Semaphore {
	s, err := engine.AttachSemaphore(o.a, t.Env(), o.bounded)
	if err != nil {
		o.w.Fail("attach: %v", err)
	}
	return s
}

// value is what the words say at this instant, without a step.
func (o *semaphoreOracle) value() int { return int(*o.a.W64(128) & engine.LedgerMax) }

// at runs a change by n. Whoever is killed in it is at it still.
func (o *semaphoreOracle) at(t *sim.Thread, n int, change func() error) error {
	o.doing[t] = n
	err := change()
	delete(o.doing, t)
	return err
}

var errNone = errors.New("there was none")

// acquire takes one, in any way, and reports whether it did.
func (o *semaphoreOracle) acquire(t *sim.Thread, s *engine.Semaphore) bool {
	return o.at(t, -1, func() error {
		if s.AcquireNow() {
			o.share[t.Process().Self]--
			return nil
		}
		var err error
		if o.w.Rand.IntN(4) == 0 {
			err = o.try(s)
		} else {
			err = s.Acquire(t)
		}
		if err == nil {
			o.share[t.Process().Self]--
		}
		return err
	}) == nil
}

// try is one attempt, that fails only if there is none at that instant.
func (o *semaphoreOracle) try(s *engine.Semaphore) error {
	ok, err := s.TryAcquire()
	if err != nil {
		o.w.Fail("TryAcquire: %v", err)
	}
	if ok {
		return nil
	}
	if v := o.value(); v != 0 {
		o.w.Fail("TryAcquire takes none of %d", v)
	}
	return errNone
}

// release gives n, and reports whether it did. It is refused only if there
// are too many at that instant.
func (o *semaphoreOracle) release(t *sim.Thread, s *engine.Semaphore, n int) bool {
	who := t.Process().Self
	return o.at(t, n, func() error {
		o.share[who] += n // before others see it
		if s.ReleaseNow(n) {
			s.Wake(n)
			return nil
		}
		err := s.Release(n)
		if err == nil {
			return nil
		}
		o.share[who] -= n
		if v := o.value(); err != engine.ErrOverRelease || v+n <= o.most {
			o.w.Fail("Release of %d to %d: %v", n, v, err)
		}
		return err
	}) == nil
}

// exact compares the value, and who holds how many, at the end.
func (o *semaphoreOracle) exact() error {
	want := o.initial + o.given
	held := map[engine.Self]int{}
	for who, n := range o.share {
		want += n
		if n < 0 {
			held[who] = -n
		}
	}
	look := o.ops.Look(o.a)
	for _, h := range look.Holders {
		if held[h.Who] != h.N {
			return fmt.Errorf("%v holds %d, as is shown, and %d in truth", h.Who, h.N, held[h.Who])
		}
		delete(held, h.Who)
	}
	if len(held) > 0 {
		return fmt.Errorf("%v hold some and are not shown", held)
	}
	if look.Value != fmt.Sprint(want) {
		return fmt.Errorf("value %s, want %d", look.Value, want)
	}
	return nil
}

// So many permits guard so many things: never more holders than permits, none
// is lost whoever dies, and nobody is asleep for ever.
func simGuard(w *sim.World) {
	permits := 1 + w.Rand.IntN(3)
	o := newSemaphoreOracle(w, permits, w.Rand.IntN(2) == 0)
	w.AtEnd(o.exact)
	start := func(index int) {
		p := w.Process(index)
		for range 1 + w.Rand.IntN(2) {
			p.Go("holder", func(t *sim.Thread) {
				s := o.attach(t)
				for range 1 + w.Rand.IntN(4) {
					t.Context(w.Rand.IntN(2) == 0)
					if !o.acquire(t, s) {
						continue
					}
					all := 0
					for who, n := range o.share {
						if w.Alive(who) {
							all -= n
						}
					}
					if all > permits {
						w.Fail("%d holders of %d permits", all, permits)
					}
					for range w.Rand.IntN(4) {
						t.Step()
					}
					if !o.release(t, s, 1) {
						w.Fail("%v cannot give back what it has", t)
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
}

// Some give and others take: a signal is consumed once, whoever dies, and
// nobody sleeps while there is one.
func simSignals(w *sim.World) {
	o := newSemaphoreOracle(w, 0, false)
	w.AtEnd(func() error {
		if w.Kills() == 0 {
			return o.exact()
		}
		want, s := o.given, o.value()
		for _, n := range o.share {
			want += n
		}
		// A dead giver's share has what it was about to give, a dead taker's
		// has not what it was about to take.
		if s > want || s < want-o.unclear[true]+o.unclear[false] {
			return fmt.Errorf("value %d, want %d, or so (%v)", s, want, o.unclear)
		}
		return nil
	})
	for i := range 1 + w.Rand.IntN(2) {
		w.Process(i).Go("giver", func(t *sim.Thread) {
			s := o.attach(t)
			for range 1 + w.Rand.IntN(4) {
				o.release(t, s, 1+w.Rand.IntN(3))
				for range w.Rand.IntN(6) {
					t.Step()
				}
			}
		})
	}
	for i := range 1 + w.Rand.IntN(3) {
		p := w.Process(2 + i)
		for range 1 + w.Rand.IntN(2) {
			p.Go("taker", func(t *sim.Thread) {
				s := o.attach(t)
				for range 1 + w.Rand.IntN(5) {
					t.Context(w.Rand.IntN(2) == 0)
					o.acquire(t, s)
				}
			})
		}
	}
	w.OnStuck(func() bool { // more takers than signals
		if o.value() != 0 {
			return false
		}
		p := w.Process(5)
		p.Immortal = true
		p.Go("last giver", func(t *sim.Thread) { o.release(t, o.attach(t), 30) })
		return true
	})
}

// Whoever likes gives and takes: all at once or nothing, and never too many.
func simBound(w *sim.World) {
	bound := w.Rand.IntN(5)
	o := newSemaphoreOracle(w, bound, true)
	w.AtEnd(func() error {
		if w.Kills() == 0 {
			return o.exact()
		}
		return nil
	})
	for i := range 2 + w.Rand.IntN(3) {
		p := w.Process(i)
		for range 1 + w.Rand.IntN(2) {
			p.Go("anybody", func(t *sim.Thread) {
				s := o.attach(t)
				for range 1 + w.Rand.IntN(6) {
					if w.Rand.IntN(2) == 0 {
						o.release(t, s, 1+w.Rand.IntN(bound+1))
					} else if s.AcquireNow() || o.try(s) == nil {
						o.share[p.Self]--
					}
				}
			})
		}
	}
}

// One permit is released once: whoever is woken for it and gives up leaves it
// to another.
func TestSimSemaphoreGivesUp(t *testing.T) {
	sim.Explore(t, 10000, sim.Options{CancelEvery: 12}, func(w *sim.World) {
		o := newSemaphoreOracle(w, 0, false)
		w.AtEnd(o.exact)
		for i := range 3 {
			w.Process(i).Go("waiter", func(t *sim.Thread) {
				t.Context(i > 0)
				s := o.attach(t)
				if s.Acquire(t) == nil {
					o.share[t.Process().Self]--
					o.release(t, s, 1)
				}
			})
		}
		w.Process(3).Go("giver", func(t *sim.Thread) {
			s := o.attach(t)
			for range w.Rand.IntN(30) {
				t.Step()
			}
			o.release(t, s, 1)
			for range 20 {
				t.Step()
			}
		})
	})
}

// A permit that is there is taken within a sleeper's re-look at most, though
// processes are stopped with the wake-up in hand.
func TestSimSemaphoreStopped(t *testing.T) {
	const (
		relook = 500e6
		slack  = 400 * 2000 // steps of all others, in nanoseconds
	)
	opts := sim.Options{Timers: true, StopEvery: 40, MaxStops: 6, StopFor: 1_000_000, NsStep: 2000, CancelEvery: 500}
	sim.Explore(t, 3000, opts, func(w *sim.World) {
		o := newSemaphoreOracle(w, 1, true)
		w.AtEnd(o.exact)
		free, was := int64(0), true // since when it is
		w.Always(func() error {
			is := o.ops.Look(o.a).Len > 0
			if is && !was {
				free = w.Now()
			}
			was = is
			return nil
		})
		for i := range 2 + w.Rand.IntN(3) {
			w.Process(i).Go("holder", func(t *sim.Thread) {
				s := o.attach(t)
				for range 2 + w.Rand.IntN(6) {
					t.Context(w.Rand.IntN(4) == 0)
					stopped, start := t.Process().StoppedUntil(), w.Now()
					if s.Acquire(t) != nil {
						continue
					}
					o.share[t.Process().Self]--
					waited := w.Now() - max(start, free)
					if t.Process().StoppedUntil() == stopped && waited > relook+slack {
						w.Fail("%v waited %d µs for a permit that is there", t, waited/1000)
					}
					for range w.Rand.IntN(400) * w.Rand.IntN(2) {
						t.Step()
					}
					o.release(t, s, 1)
				}
			})
		}
	})
}
