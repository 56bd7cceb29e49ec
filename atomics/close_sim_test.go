//go:build tandem_sim

package atomics

import (
	"fmt"
	"reflect"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/plain"
	"example.com/tandem/internal/sim"
)

// Close at every access of every call on a cell's lock, as in package sync.
func TestSimCloseLock(t *testing.T) {
	attach := func(a mem.Area, env engine.Env) *engine.Mutex {
		mu, err := engine.AttachMutex(a, env)
		if err != nil {
			panic(err)
		}
		return mu
	}
	sim.ExploreClosing(t, 8000, sim.LockKind{Kind: engine.KindMutex, Size: engine.MutexSize, Init: engine.InitMutex,
		Open: func(p *sim.Process, a mem.Area) sim.RobustLock {
			core := p.Core(engine.KindMutex, a)
			return &locker{core: core, mu: attach(a, core.Env), shared: sharedOf(core), closed: core.Closed}
		},
		Owner: func(a mem.Area) (engine.Self, bool) { return attach(a, engine.Env{}).Owner() }})
}

// A cell is what it is until the region is gone: while the region is being
// closed its cells are read and changed as before.
func TestSimCloseCells(t *testing.T) {
	t.Run("8 bytes", simCloseCells[int64])
	t.Run("4 bytes", simCloseCells[uint32])
	t.Run("2 bytes", simCloseCells[int16])
	t.Run("a float", simCloseCells[float64])
}

func simCloseCells[T Number](t *testing.T) {
	counts := map[string]func(*Value[T]) T{
		"Load, Store":          func(v *Value[T]) T { n := v.Load() + 1; v.Store(n); return n },
		"Swap":                 func(v *Value[T]) T { n := v.Swap(0) + 1; v.Store(n); return n },
		"CompareAndSwap":       func(v *Value[T]) T { n := v.Load(); v.CompareAndSwap(n, n+1); return n + 1 },
		"CompareAndSwap of no": func(v *Value[T]) T { v.CompareAndSwap(0, 9); n := v.Load() + 1; v.Store(n); return n },
		"Update":               func(v *Value[T]) T { return v.Update(func(n T) T { return n + 1 }) },
		"Add":                  func(v *Value[T]) T { return Add(v, 1) },
	}
	for name, count := range counts {
		t.Run(name, func(t *testing.T) {
			sim.Explore(t, 1000, sim.Options{CloseEvery: 60, MaxCloses: 1}, func(w *sim.World) {
				p := w.Process(0)
				v, cell := simValue[T](p, 1)
				p.Go("counter", func(t *sim.Thread) {
					for n := T(2); n < 100; n++ {
						got := count(v)
						if p.Gone() {
							return
						}
						if got != n || *cell != n {
							w.Fail("%v after %v ones: told %v, and it is %v", name, n, got, *cell)
						}
					}
				})
			})
		})
	}
}

// simValue is a Value on heap memory, and the cell itself.
func simValue[T Number](p *sim.Process, initial T) (*Value[T], *T) {
	typ := reflect.TypeFor[T]()
	described, err := plain.Describe(typ)
	if err != nil {
		panic(err)
	}
	size, _ := engine.CellsSize(engine.KindValue, 1, uint64(described.Size))
	a := mem.Heap(size)
	engine.InitCells(a, engine.KindValue, 1, uint64(described.Size), scalar(typ))
	w := row{core: p.Core(engine.KindValue, a), typ: described}
	if err := w.attach(w.core, engine.KindValue); err != nil {
		panic(err)
	}
	cell := (*T)(w.base)
	*cell = initial
	return &Value[T]{w.handle()}, cell
}

// A wide is whole if all of it follows from the first.
type wideSim [3]uint64

func wideOfN(n uint64) wideSim { return wideSim{n, ^n, n * 3} }

// A process closes the region in the middle of its calls: what they say is of the
// region or zero, and whole; what they did is done or not; and nobody else is hurt.
func TestSimCloseWide(t *testing.T) {
	sim.Explore(t, 20000, sim.Options{CloseEvery: 60, MaxCloses: 2, CloseFor: 20}, func(w *sim.World) {
		typ, err := plain.Describe(reflect.TypeFor[wideSim]())
		if err != nil {
			panic(err)
		}
		size, _ := engine.WideSize(1, uint64(typ.Size), 3)
		a := mem.Heap(size)
		engine.InitWide(a, engine.KindValue, 1, uint64(typ.Size), 3)
		first := wideOfN(0)
		engine.SetWide(a, engine.KindValue, bytesOf(&first))
		w.Share(a)
		w.OnDeath(func(t *sim.Thread, dead engine.Self) {
			if err := valueOps.Recover(a, t.Env(), dead); err != nil {
				w.Fail("recovery: %v", err)
			}
		})
		least, most := uint64(0), uint64(0) // how many have counted
		var count func() uint64
		took := false // somebody has gone with what its Swap took
		for i := range 3 {
			p := w.Process(i)
			p.Immortal = i == 0
			at := row{core: p.Core(engine.KindValue, a), typ: typ}
			if err := at.attach(at.core, engine.KindValue); err != nil {
				w.Fail("attach: %v", err)
			}
			v := &Value[wideSim]{at.handle()}
			if i == 0 {
				count = func() uint64 { return v.Load()[0] }
			}
			whole := func(x wideSim) wideSim {
				if x != wideOfN(x[0]) && (x != wideSim{} || !p.Gone()) {
					w.Fail("%v, and gone is %v", x, p.Gone())
				}
				return wideOfN(x[0] + 1)
			}
			for range 1 + w.Rand.IntN(2) {
				p.Go("counter", func(t *sim.Thread) {
					for range 2 + w.Rand.IntN(5) {
						most++
						switch w.Rand.IntN(3) {
						case 0:
							v.Update(whole)
						case 1:
							for x := v.Load(); !v.CompareAndSwap(x, whole(x)); x = v.Load() {
							}
						case 2: // a Swap takes it all, and gives it back
							x := v.Swap(wideOfN(0))
							whole(x)
							v.Update(func(now wideSim) wideSim { whole(now); return wideOfN(now[0] + x[0] + 1) })
							if p.Gone() { // with what it took
								took = true
							}
						}
						if !p.Gone() {
							least++
						}
					}
				})
			}
		}
		w.AtEnd(func() error {
			if n := count(); n < least && !took || n > most {
				return fmt.Errorf("%d, of %d to %d", n, least, most)
			}
			return valueOps.Check(a)
		})
	})
}

var valueOps, _ = engine.OpsOf(engine.KindValue)
