//go:build tandem_sim

package engine_test

import (
	"encoding/binary"
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

// A wideValue is what the tests store: it tells which it is, and which it replaces, if
// it depends on that.
type wideValue struct{ id, based, again uint64 }

const wideWidth = uint64(unsafe.Sizeof(wideValue{}))

func (v wideValue) whole() bool { return v.again == v.id*0x9e3779b97f4a7c15^v.based }

// A wideOracle is a second opinion on which value each cell has, and has had.
type wideOracle struct {
	w     *sim.World
	a     mem.Area
	n     uint64
	now   []uint64 // ids
	ids   uint64
	calls map[*wideCall]bool
	wides map[*sim.Process]*engine.Wide
	last  *engine.Wide // for looking
}

// A wideCall is one that is under way, and what its cell has had meanwhile.
type wideCall struct {
	cell uint64
	had  map[uint64]bool
}

func newWideOracle(w *sim.World, n uint64, participants int, spares uint32) *wideOracle {
	o := &wideOracle{w: w, a: engine.HeapWide(n, wideWidth, participants, spares), n: n, now: make([]uint64, n),
		calls: map[*wideCall]bool{}, wides: map[*sim.Process]*engine.Wide{}}
	o.last, _ = engine.AttachWide(o.a, engine.KindArray, n, wideWidth, engine.Env{})
	w.Always(o.look)
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		if err := arrayOps.Recover(o.a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	w.AtEnd(func() error {
		var live []*engine.Wide
		for p, c := range o.wides {
			if w.Alive(p.Self) {
				c.Enter()
				live = append(live, c)
			}
		}
		return engine.Accounted(o.a, live...)
	})
	return o
}

// look is at what must always hold.
func (o *wideOracle) look() error {
	if err := o.values(); err != nil {
		return err
	}
	return arrayOps.Check(o.a)
}

// values is at the cells' bytes, past the scheduler.
func (o *wideOracle) values() error {
	for i := range o.n {
		b := o.last.Now(i)
		v := wideValue{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])}
		if !v.whole() {
			return fmt.Errorf("cell %d has %v", i, v)
		}
		if v.id == o.now[i] {
			continue
		}
		if v.based != 0 && v.based-1 != o.now[i] {
			return fmt.Errorf("cell %d: %d replaces %d, and should %d", i, v.id, o.now[i], v.based-1)
		}
		o.now[i] = v.id
		for c := range o.calls {
			if c.cell == i {
				c.had[v.id] = true
			}
		}
	}
	return nil
}

// value is a new one that depends on the one of id based-1, or on none.
func (o *wideOracle) value(based uint64) *wideValue {
	o.ids++
	return &wideValue{o.ids, based, o.ids*0x9e3779b97f4a7c15 ^ based}
}

// attach is the process's use of the cells, and the end of an earlier one.
func (o *wideOracle) attach(p *sim.Process) {
	c, err := engine.AttachWide(o.a, engine.KindArray, o.n, wideWidth, p.Env())
	if err != nil {
		o.w.Fail("attach: %v", err)
	}
	o.wides[p] = c
}

const (
	wideLoad = iota
	wideStore
	wideSwap
	wideCAS
	wideUpdate
	wideThings
)

// do is one operation on cell i.
func (o *wideOracle) do(t *sim.Thread, what int, i uint64) {
	c := o.wides[t.Process()]
	o.see()
	call := &wideCall{i, map[uint64]bool{o.now[i]: true}}
	o.calls[call] = true
	load := func() (v wideValue, s engine.Seen) {
		s, ok := c.Load(i, unsafe.Pointer(&v))
		if !ok || !v.whole() {
			o.w.Fail("%v loads %v, %v", t, v, ok)
		}
		if !call.had[v.id] {
			o.w.Fail("%v loads %d, which cell %d has not had", t, v.id, i)
		}
		return v, s
	}
	switch what {
	case wideLoad:
		load()
	case wideStore:
		if !c.Store(i, unsafe.Pointer(o.value(0))) {
			o.w.Fail("%v cannot store", t)
		}
	default:
		for tries := 0; ; tries++ {
			v, s := load()
			if what == wideCAS && tries > 0 && v.id%2 == 0 {
				break // it has another value by now
			}
			done, ok := c.Replace(i, s, unsafe.Pointer(o.value(v.id+1)))
			if !ok {
				o.w.Fail("%v cannot replace", t)
			}
			if done {
				break
			}
		}
	}
	o.see()
	delete(o.calls, call)
}

// see is values, where the running thread may have changed something.
func (o *wideOracle) see() {
	if err := o.values(); err != nil {
		o.w.Fail("%v", err)
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

// A writer that is stopped at any of its steps holds up nobody: others read, store and
// replace, as often as they like; and when it goes on it ends, and all is whole.
func TestSimWideStoppedAnywhere(t *testing.T) {
	for _, spares := range []uint32{1, 3} {
		for stop := 1; ; stop++ {
			a := engine.HeapWide(1, wideWidth, 3, spares)
			var us []*engine.Wide
			for i := range uint32(3) {
				c, err := engine.AttachWide(a, engine.KindArray, 1, wideWidth, engine.Env{Self: engine.Self{Index: i, Epoch: 1}})
				if err != nil {
					t.Fatal(err)
				}
				us = append(us, c)
			}
			ids := uint64(0)
			value := func() unsafe.Pointer {
				ids++
				return unsafe.Pointer(&wideValue{ids, 0, ids * 0x9e3779b97f4a7c15})
			}
			load := func(c *engine.Wide) (v wideValue, s engine.Seen) {
				s, ok := c.Load(0, unsafe.Pointer(&v))
				if !ok || !v.whole() {
					t.Fatalf("stopped at %d: Load = %v, %v", stop, v, ok)
				}
				return v, s
			}
			others := func() {
				for range 20 {
					for _, c := range us[1:] {
						x := value()
						if !c.Store(0, x) {
							t.Fatalf("stopped at %d: no Store", stop)
						}
						v, s := load(us[1])
						if v != *(*wideValue)(x) {
							t.Fatalf("stopped at %d: stored %v, loaded %v", stop, x, v)
						}
						if done, _ := c.Replace(0, s, value()); !done {
							t.Fatalf("stopped at %d: no Replace", stop)
						}
					}
				}
			}
			us[0].Store(0, value()) // so that it has a spare
			steps := 0
			at(func() bool { steps++; return steps == stop }, others)
			us[0].Store(0, value())
			last := ids
			if load(us[0]); steps >= stop {
				_, s := load(us[0])
				us[0].Replace(0, s, value())
			}
			mem.Point = nil
			if v, _ := load(us[2]); v.id < last-1 {
				t.Errorf("stopped at %d: after all %v, want %d", stop, v, last)
			}
			if err := engine.Accounted(a, us...); err != nil {
				t.Errorf("stopped at %d: %v", stop, err)
			}
			if steps < stop {
				break
			}
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

// A reader that is stopped at any of its steps, while the copies go from hand to hand, and
// processes end and others get their indexes, sees a value that was there, whole; and what
// it puts in place of that replaces no other.
func TestSimWideReaderStoppedAnywhere(t *testing.T) {
	for _, spares := range []uint32{1, 3} {
		for meanwhile := 1; meanwhile <= 12; meanwhile++ {
			for stop := 1; ; stop++ {
				a := engine.HeapWide(1, wideWidth, 3, spares)
				attach := func(i uint32) *engine.Wide {
					c, err := engine.AttachWide(a, engine.KindArray, 1, wideWidth, engine.Env{Self: engine.Self{Index: i, Epoch: 1}})
					if err != nil {
						t.Fatal(err)
					}
					return c
				}
				value := func(id uint64) unsafe.Pointer {
					return unsafe.Pointer(&wideValue{id, 0, id * 0x9e3779b97f4a7c15})
				}
				reader, writer, id := attach(0), attach(1), uint64(2)
				writer.Store(0, value(1))
				reader.Store(0, value(2)) // so that it has a spare
				had, replaced := map[uint64]bool{id: true}, false
				steps := 0
				at(func() bool { steps++; return steps == stop }, func() {
					replaced = reader.Now(0)[0] == 100
					for range meanwhile {
						id++
						had[id] = true
						writer.Store(0, value(id))
						if err := arrayOps.Recover(a, engine.Env{Wake: func(*uint32, int) int { return 0 }}, engine.Self{Index: 1, Epoch: 1}); err != nil {
							t.Fatal(err)
						}
						writer = attach(1)
					}
				})
				var v wideValue
				s, ok := reader.Load(0, unsafe.Pointer(&v))
				if !ok || !v.whole() || !had[v.id] {
					t.Fatalf("stopped at %d for %d stores: Load = %v, %v", stop, meanwhile, v, ok)
				}
				done, _ := reader.Replace(0, s, value(100))
				mem.Point = nil
				if done != (replaced || v.id == id) {
					t.Fatalf("stopped at %d for %d stores: %d was loaded, %d was there, Replace = %v", stop, meanwhile, v.id, id, done)
				}
				if steps < stop {
					break
				}
			}
		}
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
