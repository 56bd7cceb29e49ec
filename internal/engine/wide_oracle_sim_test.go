//go:build tandem_sim

package engine_test

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

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
