package shm

import (
	"errors"
	"fmt"
	"runtime"
	gosync "sync"
	"weak"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
)

// A process has one Core for each object that it has open, whoever in it asked
// for it how often. uses is where it finds them again.
//
// A use stands exactly as long as the opener bit is set, both under uses.mu: it
// is made with the first Core, and outlives it. When a Core was collected, and
// no newer one made, the use ends if the object was removed meanwhile, and
// goes on if it is live: what this process holds in an object (a lock, a
// message it has not called TaskDone for) does not end with its handles, and
// must be found if it dies. The use of a live object that is removed later
// ends by sweep. Before a bit is cleared this process is recovered in that
// object as if it had died, for it has no way back to it.
type uses struct {
	mu    gosync.Mutex
	m     map[uint32]*use // by entry
	swept uint64          // dirSeq at the last sweep
}

type use struct {
	gen  uint64
	kind engine.Kind
	core weak.Pointer[object.Core]
}

// errStale says that a copy of an entry was out of date: look it up again.
var errStale = errors.New("removed meanwhile")

// use returns this process's Core of the live object that e was a copy of, if
// it is what s asks for.
func (a *attachment) use(s *object.Spec, e *entry) (*object.Core, error) {
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	u := a.uses.m[e.i]
	if u != nil && u.gen != e.gen {
		if u.gen > e.gen {
			return nil, errStale
		}
		return nil, fmt.Errorf("entry %d: was given to another object while it is open here: %w", e.i, ErrCorrupt)
	}
	if u != nil {
		if core := u.core.Value(); core != nil {
			return core, compare(s, core.Kind, core.Fields)
		}
	} else {
		a.setOpener(a.self.Index, e.i)
	}
	core, err := a.coreOf(s, e)
	if err != nil {
		if u == nil {
			a.clearOpener(a.self.Index, e.i)
		}
		return nil, err
	}
	a.noteUse(e, core)
	return core, nil
}

// coreOf makes a Core; the opener bit is set.
func (a *attachment) coreOf(s *object.Spec, e *entry) (*object.Core, error) {
	if !a.is(e) {
		return nil, errStale
	}
	fields, err := a.fieldsOf(e)
	if err != nil {
		return nil, err
	}
	if err := compare(s, e.kind, fields); err != nil {
		return nil, err
	}
	return a.newCore(s.Op, e, fields), nil
}

func (a *attachment) newCore(op string, e *entry, fields []object.Field) *object.Core {
	core := &object.Core{
		Op:      op,
		Region:  a.name,
		Name:    e.text(),
		Kind:    e.kind,
		Fields:  fields,
		Area:    a.area(e),
		Env:     a.env,
		List:    a.list,
		Ref:     object.Ref{Kind: uint32(e.kind), Object: e.text(), Generation: e.gen}.On(a.key()),
		Gate:    &a.gate,
		Closed:  a.gate.Flag(),
		Mapping: a.m,
		In:      a,
	}
	runtime.AddCleanup(core, func(c collected) { c.a.coreGone(c.i, c.gen) }, collected{a, e.i, e.gen})
	return core
}

type collected struct {
	a   *attachment // keeps the mapping, too
	i   uint32
	gen uint64
}

func (a *attachment) noteUse(e *entry, core *object.Core) {
	if a.uses.m == nil {
		a.uses.m = map[uint32]*use{}
	}
	a.uses.m[e.i] = &use{e.gen, e.kind, weak.Make(core)}
}

// coreGone runs when a Core of entry i was collected.
func (a *attachment) coreGone(i uint32, gen uint64) {
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	if u := a.uses.m[i]; u != nil && u.gen == gen {
		a.endUse(i, u)
	}
}

// endUse ends a use without a Core of an object that was removed; uses.mu is
// held. After Close there is nothing to do: the bits are cleared already, and
// the memory is this process's own.
func (a *attachment) endUse(i uint32, u *use) {
	if a.gate.Closed() || u.core.Value() != nil {
		return
	}
	if a.state(i) == entLive && mem.Load64(a.ent64(i, entGen)) == u.gen {
		return
	}
	e := a.read(i)
	if e.gen == u.gen && e.state == entRemoved && a.valid(&e) == nil {
		ops, ok := engine.OpsOf(e.kind)
		if !ok {
			return
		}
		if err := ops.Recover(a.area(&e), a.env, a.self); err != nil && !errors.Is(err, ErrCorrupt) {
			return
		}
	}
	a.clearOpener(a.self.Index, i)
	delete(a.uses.m, i)
}

// endUses ends all that can be, Conds last: who waits on one looks at its lock,
// too. uses.mu is held.
func (a *attachment) endUses() {
	for _, conds := range [...]bool{false, true} {
		for i, u := range a.uses.m {
			if (u.kind == engine.KindCond) == conds {
				a.endUse(i, u)
			}
		}
	}
}

// dropUse ends the use of entry i, which this process just removed.
func (a *attachment) dropUse(i uint32) {
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	if u := a.uses.m[i]; u != nil {
		a.endUse(i, u)
	}
}

// dropGarbage ends the uses of removed objects whose last handles are garbage
// that was not collected yet, by collecting it: a program that makes, drops and
// removes objects quickly would run out of room before the collector has
// reason to run. Nobody may look at a weak pointer meanwhile, since what the
// collector sees in use it keeps; hence the lock.
func (a *attachment) dropGarbage() {
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	removed := false
	for i, u := range a.uses.m {
		removed = removed || a.state(i) != entLive || mem.Load64(a.ent64(i, entGen)) != u.gen
	}
	if !removed {
		return
	}
	runtime.GC() // from here on weak pointers to garbage are nil
	a.endUses()
}

// sweep ends the uses of objects that other processes removed when this one
// had no handle on them any more. The guard calls it in every round; it costs
// some loads unless the directory has changed.
func (a *attachment) sweep() {
	if a.gate.Closed() || a.readOnly {
		return
	}
	a.disown()
	seq := mem.Load64(a.dir64(dirSeq))
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	if seq == a.uses.swept {
		return
	}
	a.endUses()
	a.uses.swept = seq
	if seq&1 != 0 {
		a.uses.swept = 0
	}
}
