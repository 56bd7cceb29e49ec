//go:build tandem_sim

package engine_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

var arrayOps, _ = engine.OpsOf(engine.KindArray)

// Whoever dies, is stopped or closes: each value that a Load sees is whole, and was
// the cell's during the call; what depends on a value replaces that one; no copy is
// lost, and none has two owners.
func TestSimWide(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    sim.Options
	}{
		{"alive", sim.Options{}},
		{"killed", sim.Options{KillEvery: 60, MaxKills: 6}},
		{"killed soon", sim.Options{KillEvery: 15, MaxKills: 5}},
		{"stopped", sim.Options{KillEvery: 200, MaxKills: 3, StopEvery: 40, MaxStops: 4, StopFor: 200}},
	} {
		for _, spares := range []uint32{1, 3} {
			t.Run(fmt.Sprintf("%s, %d spares", tt.name, spares), func(t *testing.T) {
				sim.Explore(t, 3000, tt.o, func(w *sim.World) { simWide(w, spares) })
			})
		}
	}
}

func simWide(w *sim.World, spares uint32) {
	o := newWideOracle(w, 1+uint64(w.Rand.IntN(2)), 4, spares)
	start := func(index int) {
		p := w.Process(index)
		alone := w.Rand.IntN(2) == 0
		user := func(t *sim.Thread) {
			for range 1 + w.Rand.IntN(5) {
				if alone && w.Rand.IntN(6) == 0 {
					o.attach(p) // nothing of its is under way
				}
				o.do(t, w.Rand.IntN(wideThings), uint64(w.Rand.IntN(int(o.n))))
			}
		}
		p.Go("user", func(t *sim.Thread) {
			o.attach(p)
			if !alone {
				t.Go("another", user)
			}
			user(t)
		})
	}
	w.OnRecovered(func(dead engine.Self) {
		if w.Rand.IntN(3) > 0 {
			start(int(dead.Index))
		}
	})
	for i := range 2 + w.Rand.IntN(3) {
		start(i)
	}
}

// The smallest worlds in which a wrong step shows, and a death, under every schedule of
// two preemptions.
func TestSimWideExhaust(t *testing.T) {
	for kills := range 2 {
		for _, what := range [][][][]int{
			{{{wideStore, wideStore}, {wideStore}, {wideLoad}}, {{wideStore, wideSwap}, {wideUpdate}, {wideStore}}},
			{{{wideStore, wideStore}, {wideSwap}}},
		}[kills] {
			sim.Exhaust(t, 1, 2, sim.Options{MaxKills: kills}, func(w *sim.World) {
				o := newWideOracle(w, 1, 3, 1)
				for i, ops := range what {
					p := w.Process(i)
					p.Go("user", func(t *sim.Thread) {
						o.attach(p)
						for _, op := range ops {
							o.do(t, op, 0)
						}
					})
				}
			})
		}
	}
}

// What changes while it is looked at is not damaged: a copy goes from cell to cell, and
// back.
func TestSimWideCheckBesideStores(t *testing.T) {
	for every := 1; every < 12; every++ {
		a := engine.HeapWide(2, wideWidth, 2, 1)
		c, err := engine.AttachWide(a, engine.KindArray, 2, wideWidth, engine.Env{Self: engine.Self{Index: 1, Epoch: 1}})
		if err != nil {
			t.Fatal(err)
		}
		var v wideValue
		r := rand.New(rand.NewPCG(uint64(every), 1))
		steps := 0
		at(func() bool { steps++; return steps%every == 0 }, func() {
			for range 1 + r.IntN(3) {
				c.Store(r.Uint64N(2), unsafe.Pointer(&v))
			}
		})
		for range 300 {
			if err := arrayOps.Check(a); err != nil {
				t.Errorf("Stores at every %d steps: %v", every, err)
				break
			}
		}
		at(func() bool { return true }, func() { // a cell that never rests
			for range 3 {
				c.Store(1, unsafe.Pointer(&v))
			}
		})
		if err := arrayOps.Check(a); err != nil {
			t.Errorf("Stores at every step: %v", err)
		}
		mem.Point = nil
	}
}

// Whoever looks for a copy while others are always faster goes on until it has one.
func TestSimWideClaimLosesRaces(t *testing.T) {
	a := engine.HeapWide(1, wideWidth, 3, 1)
	c, err := engine.AttachWide(a, engine.KindArray, 1, wideWidth, engine.Env{Self: engine.Self{Index: 1, Epoch: 1}})
	if err != nil {
		t.Fatal(err)
	}
	// Of copies 2 to 4 the one that is free moves ahead of those who look, or with them.
	free, lost := uint64(2), 0
	take := func(k uint64) { *c.TagOf(k) = 3<<53 | (*c.TagOf(k)+1)&(1<<51-1) }
	take(3)
	take(4)
	at(func() bool { lost++; return lost < 300 }, func() {
		take(free)
		free = 2 + (free-1)%3
		*c.TagOf(free) &= 1<<51 - 1
	})
	v := wideValue{1, 0, 0x9e3779b97f4a7c15}
	ok := c.Store(0, unsafe.Pointer(&v))
	mem.Point = nil
	if !ok || lost < 300 {
		t.Errorf("after %d lost races Store = %v", lost, ok)
	}
}

// A reader whom writers overtake every time has them pause, and no longer than that.
func TestSimWideReaderInAHurry(t *testing.T) {
	for _, spares := range []uint32{1, 3} {
		a := engine.HeapWide(1, wideWidth, 3, spares)
		var us [2]*engine.Wide
		for i := range us {
			us[i], _ = engine.AttachWide(a, engine.KindArray, 1, wideWidth, engine.Env{Self: engine.Self{Index: uint32(i), Epoch: 1}})
		}
		v := wideValue{1, 0, 0x9e3779b97f4a7c15}
		hurry, attempts := us[1].Hurry(), 0
		at(func() bool { return *hurry == 0 && attempts < 1000 }, func() {
			attempts++
			for range spares + 1 {
				us[1].Store(0, unsafe.Pointer(&v))
			}
		})
		got := wideValue{}
		_, ok := us[0].Load(0, unsafe.Pointer(&got))
		mem.Point = nil
		if !ok || got != v || attempts < 8 || attempts > 100 {
			t.Errorf("%d spares: Load = %v, %v after it was overtaken %d times", spares, got, ok, attempts)
		}
		for _, is := range []uint64{*hurry, 1 << 63} { // the other is damage
			*hurry = is
			for left := uint64(16); left > 0; left-- {
				us[0].Store(0, unsafe.Pointer(&v))
				if *hurry != left-1 {
					t.Fatalf("%d spares: %d more Stores give way, want %d", spares, *hurry, left-1)
				}
			}
		}
	}
}
