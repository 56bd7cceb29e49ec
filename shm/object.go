package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"syscall"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
)

// openTries is how often an object may be removed between its being found and
// its being opened. Each time somebody removed it just then.
const openTries = 1000

// OpenObject finds or makes the object that s describes. It is what OpenMutex,
// OpenQueue and all their like call; a program has no use for it.
//
// It blocks while another process changes the directory, which is for
// microseconds, or as long as that process is stopped in it. Where it finds no
// room it has this process and others collect garbage, for removed objects that
// only garbage has open: for milliseconds, and two seconds at most beside the
// collections. A process that dies in it leaves no object, or a whole one; and one
// that was past its use (a pipe of which both ends are gone), or not. So does one that closes the
// region meanwhile: ErrClosed says that it is not open here.
func (r *Region) OpenObject(s object.Spec) (*object.Core, error) {
	core, err := r.openObject(&s)
	if closed := r.check(); closed != nil {
		if err == nil {
			core.Close()
		}
		err = closed // and not what was found in the zeroes
	}
	runtime.KeepAlive(r)
	if err != nil {
		return nil, r.objectError(s.Op, s.Name, err)
	}
	return core, nil
}

func (r *Region) objectError(op, name string, err error) error {
	return &Error{Op: op, Region: r.Name(), Object: name, Err: err}
}

// mayChange is nil where this handle may change the directory.
func (r *Region) mayChange(name string) error {
	if err := r.check(); err != nil {
		return err
	}
	if err := checkObjectName(name); err != nil {
		return err
	}
	if r.a.readOnly {
		return fmt.Errorf("the region was opened ReadOnly: %w", fs.ErrPermission)
	}
	return nil
}

func (r *Region) openObject(s *object.Spec) (*object.Core, error) {
	if err := r.mayChange(s.Name); err != nil {
		return nil, err
	}
	a := r.a
	hash := region.HashName(s.Name)
	var p *plan
	over := s.Over != nil && !r.existing && r.only == 0
	room := search{a: a, ctx: s.Until}
	var last error
	for range openTries {
		e, ok, err := a.locate(s, hash)
		if err != nil {
			return nil, err
		}
		if !ok || over {
			if r.existing {
				return nil, a.notExist(s.Name)
			}
			if p == nil {
				if p, err = planOf(s, r.a.Geo.Participants); err != nil {
					return nil, err
				}
			}
			core, err := a.create(s, hash, p)
			last = err
			if err == errPast || errors.Is(err, ErrNoSpace) && room.more(p.size) {
				continue
			}
			if err == errCollecting {
				a.uses.await()
				continue
			}
			if !errors.Is(err, fs.ErrExist) {
				return core, room.failed(err)
			}
			over = false
			continue // another was first
		}
		if r.only != 0 && e.Gen != r.only {
			return nil, fmt.Errorf("the one of generation %d was removed, and generation %d has the name: %w", r.only, e.Gen, fs.ErrNotExist)
		}
		core, err := a.use(s, &e)
		if last = err; !errors.Is(err, errStale) {
			return core, err
		}
	}
	return nil, inVain(last)
}

// inVain is the error of openTries tries, of which the last ended with err.
func inVain(err error) error {
	if errors.Is(err, ErrNoSpace) {
		return err
	}
	if err == errCollecting {
		return fmt.Errorf("in each of %d tries %w in this process: %w", openTries, err, syscall.EBUSY)
	}
	return fmt.Errorf("found and gone %d times: %w", openTries, ErrCorrupt)
}

// locate finds a live object, with the lock where it cannot do without.
func (a *attachment) locate(s *object.Spec, hash uint64) (region.Entry, bool, error) {
	e, ok, stable, err := a.Lookup(hash, s.Name)
	if stable && err == nil {
		return e, ok, nil
	}
	l, err := a.lockDirectoryUntil(s.Until)
	if err != nil {
		return e, false, err
	}
	defer l.unlock()
	return a.Find(hash, s.Name)
}

// A plan is what Create said of an object to be made.
type plan struct {
	fields []object.Field
	text   string
	words  uint64
	size   uint64 // from the heap
	zeroed uint64
	init   func(mem.Area)
}

func planOf(s *object.Spec, participants uint32) (*plan, error) {
	fields, words, init, err := s.Create(int(participants))
	if err != nil {
		return nil, err
	}
	p := &plan{fields: fields, text: region.FieldsText(fields), words: words, zeroed: s.Zeroed, init: init}
	if words > region.MaxSize || len(p.text) > region.MaxFields {
		return nil, fmt.Errorf("%d bytes and %d of description, more than any region holds: %w", words, len(p.text), ErrNoSpace)
	}
	p.size = max((words+uint64(len(p.text))+region.HeapUnit-1)&^(region.HeapUnit-1), region.HeapUnit)
	return p, nil
}

// create makes the object, or returns fs.ErrExist if it is there by now, and is not one
// that has had its day. All that takes long, and all that can fail for want of memory,
// comes before the directory changes; but what is Past goes first where there is no room, and
// who looks for some then finds that as well.
func (a *attachment) create(s *object.Spec, hash uint64, p *plan) (*object.Core, error) {
	l, err := a.lockDirectoryUntil(s.Until)
	if err != nil {
		return nil, err
	}
	defer l.unlock()
	old, found, err := a.Find(hash, s.Name)
	if err != nil {
		return nil, err
	}
	if found && (s.Over == nil || old.Kind != s.Kind || !s.Over(a.Words(&old))) {
		return nil, fs.ErrExist
	}
	e, to, err := a.newEntry(s, hash, p)
	full := found && s.Past && errors.Is(err, ErrNoSpace) && p.size <= a.Geo.HeapSize() // perhaps of the old one
	if err != nil && !full {
		return nil, err
	}
	if !a.uses.tryLock() { // perhaps for as long as a collection takes, for which nobody is to wait for the lock
		if !full {
			a.giveBack(to.Extent, to.Row)
		}
		return nil, errCollecting
	}
	defer a.uses.mu.Unlock()
	if found {
		if err := a.unname(&old, hash); err != nil {
			return nil, err
		}
		a.dropUse(old.I)
		a.askOpeners(old.I)
	}
	if full {
		return nil, errPast
	}
	if err := a.take(&e, to); err != nil {
		return nil, err
	}
	a.chain(a.Bucket(hash), e.I)
	mem.Add32(a.Dir32(region.DirLive), 1)
	mem.Store32(a.Ent32(e.I, region.EntState), region.EntLive) // from here on it is there
	a.EndChange()
	core := a.newCore(s.Op, &e, p.fields)
	a.noteUse(&e, core)
	return core.Handle(), nil
}

// newEntry finds an entry and memory for an object, and writes its words. Nothing is taken
// yet. The lock is held.
func (a *attachment) newEntry(s *object.Spec, hash uint64, p *plan) (e region.Entry, to region.Place, err error) {
	if err := a.collect(collectSome); err != nil {
		return e, to, err
	}
	i, to, err := a.room(p)
	if errors.Is(err, ErrNoSpace) {
		a.ClearShelf()
		if err := a.collect(a.Geo.Objects); err != nil {
			return e, to, err
		}
		i, to, err = a.room(p)
	}
	if err != nil {
		return e, to, err
	}
	a.write(p, to.Off)
	e, err = a.entryFor(s, hash, p, i, to.Extent)
	return e, to, err
}

// write writes an object's words and fields.
func (a *attachment) write(p *plan, off uint64) {
	p.init(a.Sub(off, p.words))
	copy(a.Bytes(off+p.words, uint64(len(p.text))), p.text)
}

// entryFor is the entry of an object that is about to be made. The lock is held.
func (a *attachment) entryFor(s *object.Spec, hash uint64, p *plan, i uint32, to region.Extent) (region.Entry, error) {
	e := region.Entry{
		I: i, State: region.EntLive, Kind: s.Kind, Gen: mem.Load64(a.Dir64(region.DirGen)) + 1, Hash: hash,
		Off: to.Off, Size: to.Size, Words: p.words, Fields: uint32(len(p.text)),
		Since: time.Now().UnixNano(), NameLen: uint32(len(s.Name)),
	}
	copy(e.Name[:], s.Name)
	if e.Gen == 0 || e.Gen > region.MaxGen {
		return e, fmt.Errorf("the last generation given is %d: %w", e.Gen-1, ErrCorrupt)
	}
	return e, nil
}

// take begins the change that makes an object, and takes its entry and its memory. What is
// left is its chain and its state. The lock is held.
func (a *attachment) take(e *region.Entry, to region.Place) error {
	next := a.NextFree(e.I)
	a.BeginChange()
	if err := a.Take(to); err != nil {
		return err
	}
	mem.Store32(a.Dir32(region.DirFree), next)
	mem.Store64(a.Dir64(region.DirGen), e.Gen)
	a.PutEntry(e)
	a.SetOpener(a.self.Index, e.I)
	return nil
}

// chain puts entry i first in the chain that begins at head.
func (a *attachment) chain(head *uint32, i uint32) {
	mem.Store32(a.Ent32(i, region.EntNext), mem.Load32(head))
	mem.Store32(head, i+1)
}

// room finds an entry and memory for an object, zeroed as it is to be. Neither is taken
// yet.
func (a *attachment) room(p *plan) (i uint32, to region.Place, err error) {
	size := p.size
	if i, err = a.freeEntry(); err != nil {
		return 0, to, err
	}
	to, ok, free, err := a.Place(size)
	if err != nil {
		return 0, to, err
	}
	if !ok {
		return 0, to, a.noSpace(size, free, nil)
	}
	if err := a.provide(to.Extent, p.zeroed); err != nil {
		a.giveBack(to.Extent, to.Row)
		if noRoom(err) {
			return 0, to, a.noSpace(size, a.FreeBytes(), err)
		}
		return 0, to, fmt.Errorf("allocate %d bytes: %w", size, err)
	}
	return i, to, nil
}

// freeEntry is the first entry that is not in use.
func (a *attachment) freeEntry() (uint32, error) {
	n := mem.Load32(a.Dir32(region.DirFree))
	if n == region.FreeEnd {
		removed, _, who := a.stillOpen()
		return 0, fmt.Errorf("%w: an entry needed, %d objects of at most %d in the region (Options.Objects, when it was made), and %d removed ones or connections that somebody has open%s",
			ErrNoSpace, mem.Load32(a.Dir32(region.DirLive)), a.Geo.Objects, removed, who)
	}
	if n == 0 || n > a.Geo.Objects || a.EntryState(n-1) != region.EntFree {
		return 0, fmt.Errorf("chain of free entries: link to %d of %d: %w", n, a.Geo.Objects, ErrCorrupt)
	}
	return n - 1, nil
}

// Remove takes an object's name away, as unlink(2) does a file's: the name is
// free at once, processes that have the object open go on with it, and its
// memory comes back after the last of them has closed it, dropped its handles,
// or died. fs.ErrNotExist if there is no such object.
//
// It blocks as OpenObject does. A process that dies in it has removed the
// object or has not.
func (r *Region) Remove(name string) error {
	err := r.remove(name)
	if closed := r.check(); closed != nil && err != nil {
		err = closed // and not what was found in the zeroes, where there is nothing to remove
	}
	runtime.KeepAlive(r)
	if err != nil {
		return r.objectError("region.Remove", name, err)
	}
	return nil
}

func (r *Region) remove(name string) error {
	if err := r.mayChange(name); err != nil {
		return err
	}
	a := r.a
	l, err := a.lockDirectory()
	if err != nil {
		return err
	}
	defer l.unlock()
	hash := region.HashName(name)
	e, ok, err := a.Find(hash, name)
	if err != nil {
		return err
	}
	if !ok {
		return a.notExist(name)
	}
	if err := a.unname(&e, hash); err != nil {
		return err
	}
	if a.uses.mu.TryLock() {
		a.dropUse(e.I)
		a.uses.mu.Unlock()
	} else { // perhaps for as long as a collection takes, for which nobody is to wait for the lock
		a.tidySoon()
	}
	a.askOpeners(e.I)
	return a.collect(1)
}

// unname takes the live object's name away. The lock is held.
func (a *attachment) unname(e *region.Entry, hash uint64) error {
	a.BeginChange()
	mem.Store32(a.Ent32(e.I, region.EntState), region.EntRemoved) // from here on it is gone
	if err := a.Unchain(a.Bucket(hash), e.I); err != nil {
		return err
	}
	a.chain(a.Dir32(region.DirRemoved), e.I)
	mem.Add32(a.Dir32(region.DirLive), ^uint32(0))
	a.EndChange()
	a.nextCollected = 0 // it is the first of its chain
	return nil
}

// askOpeners tells those who have the removed object i open: some may have no handle on it
// any more, and nothing else tells them.
func (a *attachment) askOpeners(i uint32) {
	for _, p := range a.Openers(i) {
		if p != a.self.Index {
			a.ring(p)
		}
	}
}
