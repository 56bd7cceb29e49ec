package shm

import (
	"errors"
	"fmt"
	"runtime"
	gosync "sync"
	"sync/atomic"
	"time"
	"weak"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
)

// A process has one whole Core for each object that it has open, however many
// of its calls asked for that. uses is where it finds them again.
//
// A use stands exactly as long as the opener bit is set, both under uses.mu: it
// is made with the first Core, and outlives it. When a Core was collected, and
// no newer one made, the use ends if the object was removed meanwhile, and
// goes on if it is live: what this process holds in an object (a lock, a
// message it has not called TaskDone for) does not end with its handles, and
// must be found if it dies. The use of a live object that is removed later
// ends by sweep. (What ends with the last Core of a live object, in some kinds, unhold
// gives up.) Before a bit is cleared this process is recovered in that
// object as if it had died, for it has no way back to it.
type uses struct {
	mu     gosync.Mutex
	m      map[uint32]*use // by entry
	ended  uint64          // so many uses have
	begun  atomic.Uint64   // so many times has garbage been collected for their sake
	swept  atomic.Uint64   // dirSeq at the last sweep
	rested time.Time       // before that nothing is collected because others ask for it
	alarm  *time.Timer     // at which something is to be looked at again; nil: nothing is
	due    time.Time       // when that is
	deaf   map[uint32]debt // by record: answers that were waited for in vain
}

type use struct {
	gen  uint64
	kind engine.Kind
	core weak.Pointer[object.Core]
	kept looked // of a removed object: all handles were closed, and something reached one
	seen looked // the same of a live one in which something goes with the last handle
	idle bool   // no handle is left, and what goes with the last one was given up

	unnamed bool // it ends with its last handle: object_unnamed.go
	owes    bool // this process may have something in it yet; of one that is unnamed
}

// A looked is how often the collector has found that something reaches a closed handle. That
// may have been the very call that closed it, or one that was just ended: so it looks a few
// times, ever later, and then leaves it to the program's own collections.
type looked struct {
	n     int
	again time.Time
}

const (
	looksMost = 4
	looksNext = 10 * time.Millisecond // after the first; eight times as long after each
)

func (l *looked) isDue() bool { return l.n < looksMost && !time.Now().Before(l.again) }

func (l *looked) count() {
	l.again = time.Now().Add(looksNext << min(3*l.n, 20))
	l.n++
}

// errStale says that a copy of an entry was out of date: look it up again.
var errStale = errors.New("removed meanwhile")

// errPast says that an object which was of no use any more had the room, perhaps, and has gone.
var errPast = errors.New("what was there has gone")

// errCollecting says that uses.mu is held, for which a holder of the
// directory's lock does not wait.
var errCollecting = errors.New("a collection is going on")

// usesTries is how often one looks whether mu is free, a microsecond apart: a call that
// opens or closes has it for less.
const usesTries = 50

// tryLock takes mu for a holder of the directory's lock. It reports false if a collection
// is going on.
func (u *uses) tryLock() bool {
	for range usesTries {
		if u.mu.TryLock() {
			return true
		}
		mem.RelaxMicro()
	}
	runtime.Gosched()
	return u.mu.TryLock()
}

// await waits until nobody has mu.
func (u *uses) await() {
	u.mu.Lock()
	defer u.mu.Unlock()
}

// use returns this process's Core of the live object that e was a copy of, if
// it is what s asks for.
func (a *attachment) use(s *object.Spec, e *region.Entry) (*object.Core, error) {
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	u := a.uses.m[e.I]
	if u != nil && u.gen != e.Gen {
		if u.gen > e.Gen {
			return nil, errStale
		}
		return nil, fmt.Errorf("entry %d: was given to another object while it is open here: %w", e.I, ErrCorrupt)
	}
	if u != nil {
		if core := u.core.Value(); core != nil {
			if err := region.Compare(s, core.Kind, core.Fields); err != nil {
				return nil, err
			}
			u.seen = looked{}
			return core.Handle(), nil
		}
	} else {
		a.SetOpener(a.self.Index, e.I)
	}
	core, err := a.coreOf(s, e)
	if err != nil {
		if u == nil {
			a.ClearOpener(a.self.Index, e.I)
			a.reclaimSoon() // if it was removed meanwhile: the bit may have been the last
		}
		return nil, err
	}
	a.noteUse(e, core)
	return core.Handle(), nil
}

// coreOf makes a Core; the opener bit is set.
func (a *attachment) coreOf(s *object.Spec, e *region.Entry) (*object.Core, error) {
	if !a.Still(e) {
		return nil, errStale
	}
	fields, err := a.Fields(e)
	if err != nil {
		return nil, err
	}
	if err := region.Compare(s, e.Kind, fields); err != nil {
		return nil, err
	}
	return a.newCore(s.Op, e, fields), nil
}

func (a *attachment) newCore(op string, e *region.Entry, fields []object.Field) *object.Core {
	i, gen, kind := e.I, e.Gen, e.Kind
	core := &object.Core{
		Op:      op,
		Region:  a.name,
		Name:    e.Text(),
		Kind:    e.Kind,
		Fields:  fields,
		Area:    a.Words(e),
		Env:     a.env.Within(a.gate.Here),
		List:    a.list,
		Ref:     object.Ref{Kind: uint32(e.Kind), Object: e.Text(), Generation: e.Gen}.On(a.key()),
		Gate:    &a.gate,
		Closed:  a.gate.Flag(),
		Mapping: a.m,
		In:      a,
		Entry:   e.I,
		Unused:  func() { a.handlesClosed(i, gen, kind) },
	}
	runtime.AddCleanup(core, func(c collected) { c.a.coreGone(c.i, c.gen) }, collected{a, i, gen})
	return core
}

// handlesClosed is told when all handles on an object are closed. Of one that is live nothing
// ends, in most kinds: if it is removed just now, who removes it finds that after its state
// has changed, as this call looks at that after the last handle was closed.
func (a *attachment) handlesClosed(i uint32, gen uint64, kind engine.Kind) {
	if ops, _ := engine.OpsOf(kind); ops.Unheld != nil || !a.isLive(i, gen) {
		a.tidySoon()
	}
}

type collected struct {
	a   *attachment // keeps the mapping, too
	i   uint32
	gen uint64
}

func (a *attachment) noteUse(e *region.Entry, core *object.Core) {
	if a.uses.m == nil {
		a.uses.m = map[uint32]*use{}
	}
	a.uses.m[e.I] = &use{gen: e.Gen, kind: e.Kind, core: weak.Make(core)}
}

// coreGone runs when a Core of entry i was collected.
func (a *attachment) coreGone(i uint32, gen uint64) {
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	if u := a.uses.m[i]; u != nil && u.gen == gen {
		a.endUse(i, u)
	}
}

// endUse ends a use without a Core of an object that was removed, or what ends of one
// that is live; uses.mu is held. After Close there is nothing to do: the bits are cleared already, and
// the memory is this process's own. The call that takes a bit away sees to the
// memory: the bit may have been the last.
func (a *attachment) endUse(i uint32, u *use) {
	a.unhold(i, u)
	if a.gate.Closed() || a.isLive(i, u.gen) || u.core.Value() != nil {
		return
	}
	if a.end(i, u, true) {
		a.reclaimSoon()
	}
}

// end ends a use of a removed object that nobody here touches any more. It reports false
// if it cannot. Its bit may have been the last: what is to be done then is the caller's.
// What this process owes there is recovered.
func (a *attachment) end(i uint32, u *use, owes bool) bool {
	e := a.Entry(i)
	if owes && e.Gen == u.gen && e.State == region.EntRemoved && a.Valid(&e) == nil {
		ops, ok := engine.OpsOf(e.Kind)
		if !ok {
			return false
		}
		if err := ops.Recover(a.Words(&e), a.env, a.self); err != nil && !errors.Is(err, ErrCorrupt) {
			return false
		}
	}
	a.ClearOpener(a.self.Index, i)
	delete(a.uses.m, i)
	a.uses.ended++
	return true
}

// unhold gives up what this process has in a live object only for as long as it has a
// handle on it, if it has none any more; uses.mu is held.
func (a *attachment) unhold(i uint32, u *use) {
	ops, _ := engine.OpsOf(u.kind)
	if ops.Unheld == nil || u.idle || a.gate.Closed() || u.core.Value() != nil || !a.isLive(i, u.gen) {
		return
	}
	if e := a.Entry(i); a.Valid(&e) == nil {
		u.idle = true
		ops.Unheld(a.Words(&e), a.env, a.self)
	}
}

// isLive reports whether the object of a generation in entry i is not removed.
func (a *attachment) isLive(i uint32, gen uint64) bool {
	return a.EntryState(i) == region.EntLive && mem.Load64(a.Ent64(i, region.EntGen)) == gen
}

// endUses ends all that can be, Conds last: a waiter on one looks at its lock,
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

// dropUse ends the use of entry i, which this process just removed; uses.mu is
// held. If there are only closed handles left, the call that closed the last
// found a live object, and has not had the collector look.
func (a *attachment) dropUse(i uint32) {
	u := a.uses.m[i]
	if u == nil {
		return
	}
	a.endUse(i, u)
	if core := u.core.Value(); core != nil && !core.InUse() {
		a.tidySoon()
	}
}

// dropGarbage is for a call that finds no room: a program that makes, drops and
// removes objects quickly would run out of it before the collector has reason
// to run. It returns how many uses have ended in this process at all. Of many calls at once
// a few do it, and the others find it done.
func (a *attachment) dropGarbage() (ended uint64) {
	begun := a.uses.begun.Load()
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	if a.uses.begun.Load() == begun { // else one was begun since, and is over
		a.drop()
	}
	return a.uses.ended
}

// sweep is what the guard does in every round: it has the uses of objects ended
// that were removed meanwhile, and requests of others answered (ask.go). It
// costs some loads unless there is something to do, and does not block.
func (a *attachment) sweep() {
	if a.gate.Closed() || a.readOnly {
		return
	}
	a.disown()
	switch {
	case mem.Load64(a.Dir64(region.DirSeq)) == a.uses.swept.Load() && !a.owes():
	case a.fd == nil: // a region in ordinary memory: it has no guard
		a.tidy()
	default:
		a.tidySoon()
	}
}
