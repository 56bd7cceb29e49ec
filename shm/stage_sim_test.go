//go:build tandem_sim

package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/wait"
)

// A stage on which the operations of two participants are put inside one
// another, access by access: interleave_sim_test.go.

// A simThread runs an operation up to an access, and on from there.
type simThread struct {
	next  func() (struct{}, bool)
	yield func(struct{}) bool
	n     int // accesses so far
	until int // it pauses before this one
}

var running *simThread // or nil: nobody's accesses are counted

func newSimThread(f func()) *simThread {
	t := &simThread{}
	t.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		f()
	})
	return t
}

// run reports whether the operation is over. Without until it runs to its end.
func (t *simThread) run(until int) (over bool) {
	t.until = until
	running = t
	_, ok := t.next()
	running = nil
	return !ok
}

func simPoint() {
	t := running
	if t == nil {
		return
	}
	if t.n++; t.n == t.until {
		t.yield(struct{}{})
	}
}

// unseen runs f with its accesses not counted, so that it runs at one instant.
func unseen(f func()) {
	t := running
	running = nil
	f()
	running = t
}

// Who is who on the stage.
const (
	theFirst     = iota // does the one operation
	theSecond           // does the other
	theKeeper           // has a, b and held open; does nothing
	theVictim           // holds a, b and held; dies, or closes
	theRescuer          // recovers the victim
	theDropper          // holds d, and has no handle on it any more
	theLatecomer        // died in an open that came too late
)

// A stage is a region before two operations. Of its objects a, b, c and d are
// live, held and gone are removed; c and gone are open nowhere.
type stage struct {
	*heapRegion
	t       testing.TB
	bytes   []byte
	entries map[string]region.Entry
	rs      map[int]*Region
	cores   []opened
	said    map[string]string // what the operations returned
	broken  bool              // somebody died in a collect: who takes the lock first repairs
	kept    *[]any            // or the collector's cleanups would run among them
}

type opened struct {
	who  uint32
	core *object.Core
}

func newStage(t testing.TB) *stage {
	s := &stage{heapRegion: newHeapRegion(t, 160<<10, 8, 10), t: t, entries: map[string]region.Entry{}, kept: new([]any)}
	maker := s.attach(theFirst)
	for _, n := range []string{"a", "gone", "b", "c", "held", "d"} {
		openOK(t, maker, sizedSpec(n, 3000))
	}
	w := words{region.On(s.Area, s.g)}
	for _, n := range []string{"a", "gone", "b", "c", "held", "d"} {
		e, _, err := w.Find(region.HashName(n), n)
		if err != nil {
			t.Fatal(err)
		}
		s.entries[n] = e
	}
	for who, names := range map[int][]string{theKeeper: {"a", "b", "held"}, theVictim: {"a", "b", "held"}, theDropper: {"d"}} {
		r := s.attach(uint32(who))
		for _, n := range names {
			c := openOK(t, r, lockOf(n))
			*s.kept = append(*s.kept, c)
			if who != theKeeper {
				if ok, err := testproc.Get(engine.AttachMutex(c.Area, c.Env))(t).TryLock(); !ok || err != nil {
					t.Fatal(ok, err)
				}
			}
		}
	}
	s.kill(maker)
	maker = s.attach(theFirst)
	for _, n := range []string{"gone", "held"} {
		e := s.entries[n]
		w.BeginChange() // Remove without its collect
		mem.Store32(w.Ent32(e.I, region.EntState), region.EntRemoved)
		if err := w.Unchain(w.Bucket(e.Hash), e.I); err != nil {
			t.Fatal(err)
		}
		mem.Store32(w.Ent32(e.I, region.EntNext), mem.Load32(w.Dir32(region.DirRemoved)))
		mem.Store32(w.Dir32(region.DirRemoved), e.I+1)
		mem.Add32(w.Dir32(region.DirLive), ^uint32(0))
		w.EndChange()
	}
	for _, n := range []string{"a", "b", "held"} {
		b := s.memory(n)
		for i := range b {
			b[i] = 0x5a
		}
	}
	checkOK(t, maker)
	s.bytes = s.image()
	return s
}

// memory is what lies behind the mutex of an object.
func (s *stage) memory(name string) []byte {
	e := s.entries[name]
	return s.Bytes(e.Off+engine.MutexSize, e.Words-engine.MutexSize)
}

// set brings everything back to the beginning.
func (s *stage) set() {
	for _, r := range s.rs {
		r.a.gate.Shut()
		*s.kept = append(*s.kept, r)
	}
	s.restore(s.bytes)
	s.rs, s.cores, s.said = map[int]*Region{}, nil, map[string]string{}
	for _, who := range []int{theFirst, theSecond, theDropper} {
		s.rs[who] = s.attach(uint32(who))
	}
	if w := (words{region.On(s.Area, s.g)}); s.broken {
		w.BeginChange()
		mem.Store32(w.Ent32(s.entries["gone"].I, region.EntState), region.EntVoid)
		garble(s.heapRegion, s.g.BucketsOff, s.g.HeapOff-s.g.BucketsOff)
	}
	d := s.entries["d"]
	s.rs[theDropper].a.uses.m = map[uint32]*use{d.I: {gen: d.Gen}}
}

func (s *stage) mutex(name string) *engine.Mutex {
	e := s.entries[name]
	return testproc.Get(engine.AttachMutex(s.Sub(e.Off, engine.MutexSize), engine.Env{Wake: wait.Wake}))(s.t)
}

func (s *stage) say(what string, err error) {
	said := fmt.Sprint(err)
	for _, known := range []error{fs.ErrNotExist, ErrNoSpace} {
		if errors.Is(err, known) {
			said = known.Error()
		}
	}
	s.said[what] = said
}

// open opens what is there, make makes it if need be.
func (s *stage) open(who int, name string) {
	r := *s.rs[who]
	r.existing = true
	s.opens(who, &r, lockOf(name))
}

func (s *stage) make(who int, name string, extra uint64) {
	s.opens(who, s.rs[who], sizedSpec(name, extra))
}

func (s *stage) opens(who int, r *Region, spec object.Spec) {
	c, err := r.OpenObject(spec)
	s.say(fmt.Sprint(who, " opens ", spec.Name), err)
	if err == nil {
		s.cores = append(s.cores, opened{uint32(who), c})
		*s.kept = append(*s.kept, c)
	}
}

// adopt opens a removed object by its entry.
func (s *stage) adopt(who int, name string) *object.Core {
	e := s.entries[name]
	c, err := s.rs[who].a.OpenUnnamed(lockOf(name), e.I, e.Gen)
	if name == "held" { // others are there, or not, between two steps of another's call
		s.said[fmt.Sprint(who, " adopts ", name)] = fmt.Sprint(err)
	}
	if err == nil {
		*s.kept = append(*s.kept, c)
	}
	return c
}

// bear makes an object without a name.
func (s *stage) bear(who int) *object.Core {
	c, err := s.rs[who].a.MakeUnnamed(sizedSpec("unnamed", 3000))
	s.say(fmt.Sprint(who, " makes one"), err)
	if err == nil {
		*s.kept = append(*s.kept, c)
	}
	return c
}

// bearOf makes one that may take the place of a removed one, as the shelf says.
func (s *stage) bearOf(who int, name string) {
	e := s.entries[name]
	mem.Store64(s.rs[who].a.ShelfPlace(0), region.ShelfWord(e.I, e.Gen))
	s.has(who, s.bear(who))
}

// has says that an object is to be there at the end.
func (s *stage) has(who int, c *object.Core) {
	if c != nil {
		s.cores = append(s.cores, opened{uint32(who), c})
	}
}

func (s *stage) drops(who int, c *object.Core) {
	if c != nil {
		s.rs[who].a.CloseUnnamed(c, true)
	}
}

func (s *stage) remove(who int, name string) {
	s.say(fmt.Sprint(who, " removes ", name), s.rs[who].Remove(name))
}

// An act is what one of them does.
type act struct {
	name  string
	locks bool // takes the directory's lock
	looks bool // takes it if it finds the directory changing
	of    int  // whose it is, where not anybody's
	few   bool // it is put into, and around, those only that take memory or give it back
	do    func(s *stage, who int)
}

var acts = []act{
	{name: "open a", looks: true, do: func(s *stage, who int) { s.open(who, "a") }},
	{name: "open c", looks: true, do: func(s *stage, who int) { s.open(who, "c") }},
	{name: "create", locks: true, do: func(s *stage, who int) { s.make(who, "new", 3000) }},
	{name: "remove a", locks: true, do: func(s *stage, who int) { s.remove(who, "a") }},
	{name: "remove c", locks: true, do: func(s *stage, who int) { s.remove(who, "c") }},
	{name: "remove d", locks: true, do: func(s *stage, who int) { s.remove(who, "d") }},
	{name: "replace c", locks: true, do: func(s *stage, who int) {
		s.remove(who, "c")
		s.make(who, "new", 6000)
		s.make(who, "newer", 3000) // one of the two gets c's entry
	}},
	{name: "collect", locks: true, do: (*stage).collect},
	{name: "collect and create", locks: true, do: func(s *stage, who int) {
		s.collect(who)
		s.make(who, "new", 3000)
	}},
	{name: "reclaim", locks: true, do: func(s *stage, who int) { s.rs[who].a.reclaim() }},
	{name: "recover", of: theVictim, do: func(s *stage, _ int) {
		w := words{region.On(s.Area, s.g)}
		rescuer := engine.Env{Self: engine.Self{Index: theRescuer, Epoch: 1}, Wake: wait.Wake}
		if !w.recoverObjects(rescuer, engine.Self{Index: theVictim, Epoch: 1}) {
			s.t.Error("recoverObjects = false")
		}
	}},
	{name: "close", of: theVictim, do: func(s *stage, _ int) {
		self := engine.Self{Index: theVictim, Epoch: 1}
		words{region.On(s.Area, s.g)}.leave(self, engine.Env{Self: self, Wake: wait.Wake}, func() {})
	}},
	{name: "make unnamed", few: true, locks: true, do: func(s *stage, who int) { s.has(who, s.bear(who)) }},
	{name: "make and close unnamed", few: true, locks: true, do: func(s *stage, who int) { s.drops(who, s.bear(who)) }},
	{name: "make of gone", few: true, locks: true, do: func(s *stage, who int) { s.bearOf(who, "gone") }},
	{name: "make of held", few: true, locks: true, do: func(s *stage, who int) { s.bearOf(who, "held") }},
	{name: "adopt gone", few: true, do: func(s *stage, who int) { s.has(who, s.adopt(who, "gone")) }},
	{name: "adopt held", few: true, do: func(s *stage, who int) { s.has(who, s.adopt(who, "held")) }},
	{name: "adopt c", few: true, do: func(s *stage, who int) { s.has(who, s.adopt(who, "c")) }},
	{name: "adopt and close gone", few: true, do: func(s *stage, who int) { s.drops(who, s.adopt(who, "gone")) }},
	{name: "sweep", of: theDropper, do: func(s *stage, _ int) { s.rs[theDropper].a.sweep() }},
	{name: "recover latecomer", of: theLatecomer, do: (*stage).recoverLatecomer},
}

// skips reports whether two acts are not put into one another.
func skips(x, y act) bool {
	if x.of != 0 && x.of == y.of {
		return true // nobody does that to one at a time
	}
	with := y
	if y.few {
		with = x
	}
	switch with.name {
	case "create", "collect and create", "reclaim", "recover", "remove c":
		return false
	}
	return x.few || y.few
}

func actOf(name string) act {
	for _, a := range acts {
		if a.name == name {
			return a
		}
	}
	panic(name)
}

func (s *stage) collect(who int) {
	a := s.rs[who].a
	l, err := a.lockDirectory()
	if err != nil {
		s.t.Fatal(err)
	}
	defer l.unlock()
	if err := a.collect(a.Geo.Objects); err != nil {
		s.t.Error(err)
	}
}

// recoverLatecomer is the recovery of one who looked c and gone up while they
// were live, set its bit, and died before it looked again. Nothing is to be
// found there, but while somebody is at work on an object, its memory stays.
func (s *stage) recoverLatecomer(int) {
	w := words{region.On(s.Area, s.g)}
	for _, n := range []string{"gone", "c"} {
		w.SetOpener(theLatecomer, s.entries[n].I)
	}
	w.EachOpen(theLatecomer, func(i uint32, kind engine.Kind, area mem.Area) error {
		var at region.Entry
		unseen(func() { at = w.Entry(i) })
		for range 4 {
			mem.Load64(area.W64(0))
		}
		unseen(func() {
			if e := w.Entry(i); e.State == region.EntFree || e.Gen != at.Gen || area != w.Words(&at) {
				s.t.Errorf("recovery was at work on %s, entry %d, %d bytes at %d; it is now in state %d, generation %d, was %d",
					at.Text(), i, at.Size, at.Off, e.State, e.Gen, at.Gen)
			}
		})
		return nil
	})
	w.ClearOpeners(theLatecomer)
}
