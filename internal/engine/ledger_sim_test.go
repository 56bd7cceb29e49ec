//go:build tandem_sim

package engine_test

import (
	"fmt"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

func TestSimLedger(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    sim.Options
	}{
		{"alive", sim.Options{}},
		{"killed", sim.Options{KillEvery: 150, MaxKills: 5}},
		{"killed soon", sim.Options{KillEvery: 40, MaxKills: 8}},
		{"cancelled", sim.Options{CancelEvery: 80, SpuriousEvery: 200}},
		{"all", sim.Options{KillEvery: 200, MaxKills: 4, CancelEvery: 100, SpuriousEvery: 300}},
		{"stopped", sim.Options{KillEvery: 300, MaxKills: 3, StopEvery: 100, MaxStops: 3, StopFor: 300, Timers: true}},
	} {
		t.Run("permits "+tt.name, func(t *testing.T) { sim.Explore(t, 5000, tt.o, simPermits) })
		t.Run("accounts "+tt.name, func(t *testing.T) { sim.Explore(t, 5000, tt.o, simAccounts) })
	}
}

const simRows = 6

// A ledgerOracle knows what each living participant added to the value.
type ledgerOracle struct {
	w       *sim.World
	a       mem.Area
	initial int
	share   map[engine.Self]int
}

func newLedgerOracle(w *sim.World, initial, most int, give engine.Give) *ledgerOracle {
	o := &ledgerOracle{w: w, a: mem.Heap(engine.LedgerSize(simRows)), initial: initial, share: map[engine.Self]int{}}
	engine.InitLedger(o.a, initial)
	seq := 1<<29 - 1 - uint64(w.Rand.IntN(8)) // just short of the wrap of the changes' numbers
	*o.a.W64(0) |= seq << 35
	for i := range uint64(simRows) {
		*o.a.W64(128 * (1 + i)) = seq << 32
	}
	w.Always(func() error { return engine.CheckLedger(o.a) })
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		if err := o.attach(t).Recover(dead.Index, give, most); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	w.OnRecovered(func(dead engine.Self) { delete(o.share, dead) })
	w.AtEnd(func() error {
		l, err := engine.AttachLedger(o.a, engine.Env{})
		if err != nil {
			return err
		}
		want := initial
		held := map[int]int{}
		for who, n := range o.share {
			want += n
			held[int(who.Index)] = n
		}
		if got := l.Value(); got != want && give != engine.Forget {
			return fmt.Errorf("value %d, want %d", got, want)
		}
		for i := range simRows {
			if h, err := l.Held(uint32(i)); err != nil || h != held[i] {
				return fmt.Errorf("participant %d has a share of %d (%v), want %d", i, h, err, held[i])
			}
		}
		return nil
	})
	return o
}

func (o *ledgerOracle) attach(t *sim.Thread) *engine.Ledger {
	l, err := engine.AttachLedger(o.a, t.Env())
	if err != nil {
		o.w.Fail("attach: %v", err)
	}
	return l
}

// A semaphore: never more holders than permits, no permit lost, nobody asleep
// while there is one.
func simPermits(w *sim.World) {
	permits := 1 + w.Rand.IntN(3)
	o := newLedgerOracle(w, permits, permits, engine.GiveBack)
	start := func(index int) {
		p := w.Process(index)
		for range 1 + w.Rand.IntN(2) {
			p.Go("holder", func(t *sim.Thread) {
				l := o.attach(t)
				for range 1 + w.Rand.IntN(4) {
					t.Context(w.Rand.IntN(2) == 0)
					if _, err := l.Wait(t, -1, engine.Limits{Max: permits}); err != nil {
						continue
					}
					o.share[p.Self]--
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
					o.share[p.Self]++
					if out, err := l.Add(1, engine.Limits{Max: permits}); out != engine.Done || err != nil {
						w.Fail("release: %v, %v", out, err)
					}
					l.Bell.Ring(1)
					for range w.Rand.IntN(4) {
						t.Step()
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

// Any changes, small and large, with limits: the value is what the living
// added, and each one's share is its own.
func simAccounts(w *sim.World) {
	const most = 100_000
	give := engine.Undo
	if w.Rand.IntN(4) == 0 {
		give = engine.Forget
	}
	o := newLedgerOracle(w, 50_000, most, give)
	start := func(index int) {
		p := w.Process(index)
		threads := 1 + w.Rand.IntN(2)
		for range threads {
			p.Go("adder", func(t *sim.Thread) {
				l := o.attach(t)
				for range 1 + w.Rand.IntN(5) {
					d := w.Rand.IntN(5) - 2
					if w.Rand.IntN(3) == 0 {
						d = w.Rand.IntN(2000) - 1000
					}
					out, err := l.Add(d, engine.Limits{Max: most, HeldMin: -900, HeldMax: 900})
					if err != nil {
						w.Fail("add: %v", err)
					}
					if out == engine.Done {
						o.share[p.Self] += d
					} else if out != engine.Overdue {
						w.Fail("add %d: %v", d, out)
					}
					if s := o.share[p.Self] + d; out == engine.Overdue && threads == 1 && s >= -900 && s <= 900 {
						w.Fail("a share of %d is overdue", s)
					}
					if s := o.share[p.Self]; threads == 1 && (s < -900 || s > 900) {
						w.Fail("a share of %d", s)
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

// One permit, released once: whoever is woken for it and gives up leaves it to
// the other.
func TestSimLedgerGivesUp(t *testing.T) {
	sim.Explore(t, 10000, sim.Options{CancelEvery: 12}, func(w *sim.World) {
		o := newLedgerOracle(w, 0, 1, engine.Undo)
		for i := range 3 {
			w.Process(i).Go("waiter", func(t *sim.Thread) {
				t.Context(i > 0)
				l := o.attach(t)
				if _, err := l.Wait(t, -1, engine.Limits{Max: 1}); err != nil {
					return
				}
				l.Add(1, engine.Limits{Max: 1})
				l.Bell.Ring(1)
			})
		}
		p := w.Process(3)
		p.Go("giver", func(t *sim.Thread) {
			l := o.attach(t)
			for range w.Rand.IntN(30) {
				t.Step()
			}
			l.Add(1, engine.Limits{Max: 1})
			o.share[p.Self]++
			l.Bell.Ring(1)
			for range 20 {
				t.Step()
			}
		})
	})
}
