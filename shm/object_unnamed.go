package shm

import (
	"errors"
	"runtime"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
)

// Objects without a name. Their entry is Removed from the beginning: no chain of names has
// it, and the memory comes back as that of all removed objects does, when no opener bit is
// left, exactly once, whoever dies when. What the entry has for a name is what it is called.
//
//	M1  memory, words and entry  M2 own opener bit  M3 Removed, by the last store of the
//	    making
//	O1  own opener bit  O2 look at the entry: Removed, and of that generation; if not, the
//	    bit goes
//	C1  recovery of this process in the object, if this was its last handle, and not all of
//	    them have said that it has nothing there any more  C2 the bit
//
// Who makes one tells others {entry, generation}, which hold nothing: of O1 and a collect's
// second look at the bits one comes second, so the object is still there or O2 says that it
// is not (internal/region/directory.go). From M2 to the last C2, or its equal in the
// recovery of the dead, there is a bit.
//
// All three are under uses.mu, as the uses of objects with names are. There a bit that was
// set for nothing is told from one that stands for a newer object in the entry, which is
// this process's own.
//
// A use ends by CloseUnnamed, at once. Of what was forgotten, with no call of it, it ends
// when the collector finds the Core.

var _ object.Home = (*attachment)(nil)

// MakeUnnamed is Home's.
func (a *attachment) MakeUnnamed(s object.Spec) (*object.Core, error) {
	if a.gate.Closed() {
		return nil, ErrClosed
	}
	p, err := planOf(&s, a.Geo.Participants)
	if err != nil {
		return nil, err
	}
	core, err := a.makeUnnamed(&s, p)
	if a.gate.Closed() {
		if err == nil {
			a.CloseUnnamed(core, true)
		}
		return nil, ErrClosed
	}
	return core, err
}

func (a *attachment) makeUnnamed(s *object.Spec, p *plan) (*object.Core, error) {
	room := search{a: a, ctx: s.Until}
	var last error
	for range openTries {
		core, err := a.tryUnnamed(s, p)
		switch last = err; {
		case errors.Is(err, ErrNoSpace) && room.more(p.size):
		case err == errCollecting:
			a.uses.await()
		default:
			return core, room.failed(err)
		}
	}
	return nil, inVain(last)
}

func (a *attachment) tryUnnamed(s *object.Spec, p *plan) (*object.Core, error) {
	l, err := a.lockDirectoryUntil(s.Until)
	if err != nil {
		return nil, err
	}
	defer l.unlock()
	if !a.uses.tryLock() { // before memory is taken: connections come and go quickly
		return nil, errCollecting
	}
	defer a.uses.mu.Unlock()
	if core, err := a.again(s, p); core != nil || err != nil {
		return core, err
	}
	e, to, err := a.newEntry(s, region.HashName(s.Name), p) // M1
	if err != nil {
		return nil, err
	}
	e.State = region.EntRemoved
	if err := a.take(&e, to); err != nil { // M2
		return nil, err
	}
	a.chain(a.Dir32(region.DirRemoved), e.I)
	mem.Store32(a.Ent32(e.I, region.EntState), region.EntRemoved) // M3
	a.EndChange()
	return a.unnamed(s, &e, p.fields), nil
}

// unnamed is a first handle; uses.mu is held, and the bit set.
func (a *attachment) unnamed(s *object.Spec, e *region.Entry, fields []object.Field) *object.Core {
	core := a.newCore(s.Op, e, fields)
	core.Unused = nil // who closes handles sees to it
	a.noteUse(e, core)
	a.uses.m[e.I].unnamed = true
	return core.Handle()
}

// OpenUnnamed is Home's.
func (a *attachment) OpenUnnamed(s object.Spec, i uint32, gen uint64) (*object.Core, error) {
	if a.gate.Closed() {
		return nil, ErrClosed
	}
	if i >= a.Geo.Objects || gen == 0 {
		return nil, object.ErrStale
	}
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	u := a.uses.m[i]
	if u != nil && (u.gen != gen || !u.unnamed) {
		return nil, object.ErrStale
	}
	if u != nil {
		if core := u.core.Value(); core != nil {
			if core.Kind != s.Kind {
				return nil, object.ErrStale
			}
			return core.Handle(), nil
		}
	} else {
		a.SetOpener(a.self.Index, i) // O1
	}
	e := region.Entry{I: i, State: region.EntRemoved, Gen: gen}
	err := object.ErrStale
	if a.Still(&e) { // O2
		e = a.Entry(i)
		var fields []object.Field
		if err = a.Valid(&e); err == nil {
			fields, err = a.Fields(&e)
		}
		if err == nil {
			if e.Kind == s.Kind {
				return a.unnamed(&s, &e, fields), nil
			}
			err = object.ErrStale
		}
	}
	if u == nil {
		a.ClearOpener(a.self.Index, i)
		a.reclaimSoon() // the bit may have been the last
	}
	return nil, err
}

// CloseUnnamed is Home's.
func (a *attachment) CloseUnnamed(c *object.Core, owes bool) {
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	c.Close()
	w := c.Whole()
	u := a.uses.m[w.Entry]
	if u == nil || u.gen != w.Ref.Generation || a.gate.Closed() {
		return
	}
	u.owes = u.owes || owes
	if w.InUse() {
		return
	}
	if a.end(w.Entry, u, u.owes) { // C1, C2
		a.shelve(w.Entry, u.gen)
	}
	runtime.KeepAlive(w)
}

// Named is Home's.
func (a *attachment) Named(c *object.Core, f func() error) (bool, error) {
	l, err := a.lockDirectory()
	if err != nil {
		return false, err
	}
	defer l.unlock()
	e, found, err := a.Find(region.HashName(c.Name), c.Name)
	if err != nil || !found || e.I != c.Entry || e.Gen != c.Ref.Generation {
		return false, err
	}
	return true, f()
}

// IsDead is Home's.
func (a *attachment) IsDead(who engine.Self) bool {
	if who.Index >= a.Geo.Participants {
		return true
	}
	r := a.rec(who.Index)
	w := r.Word()
	if region.EpochOf(w) != who.Epoch || !region.Present(w) {
		return true
	}
	if who == a.self || a.fd == nil || !a.proven(r, w) {
		return false
	}
	a.declare(r, w, false)
	a.recoverDead(r, who.Epoch, true)
	return true
}

// PIDOf is Home's.
func (a *attachment) PIDOf(who engine.Self) int {
	if who.Index < a.Geo.Participants {
		if p, w := a.rec(who.Index).read(); region.EpochOf(w) == who.Epoch && region.StateOf(w) != region.StFree {
			return p.PID
		}
	}
	return 0
}
