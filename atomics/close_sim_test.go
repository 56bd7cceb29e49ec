//go:build tandem_sim

package atomics

import (
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
