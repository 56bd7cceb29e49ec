//go:build tandem_sim

package shm

import (
	"fmt"
	"strings"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/wait"
)

// A nursery is a region with one object that has no name, which its maker has open.
type nursery struct {
	*heapRegion
	maker  *Region
	made   *object.Core
	before uint64 // free bytes
}

func newNursery(t *testing.T) *nursery {
	b := &nursery{heapRegion: newHeapRegion(t, 160<<10, 8, 10)}
	openOK(t, b.attach(0), sizedSpec("a", 3000))
	b.before = b.attach(0).a.FreeBytes()
	return b
}

func (b *nursery) make(t *testing.T) {
	b.maker = b.attach(1)
	c, err := b.maker.a.MakeUnnamed(sizedSpec("conn", 3000))
	if err != nil {
		t.Fatal(err)
	}
	b.made = c
}

// whole sees that nothing is left of what nobody has open, and that the rest is as it was.
func (b *nursery) whole(t *testing.T, what string, open bool) {
	t.Helper()
	r := b.attach(2)
	l, err := r.a.lockDirectory()
	if err != nil {
		t.Fatal(what, err)
	}
	r.a.ClearShelf()
	err = r.a.collect(r.a.Geo.Objects)
	l.unlock()
	if err != nil {
		t.Error(what, err)
	}
	checkOK(t, r)
	removed := 0
	for i := range b.g.Objects {
		if st := r.a.EntryState(i); st == region.EntRemoved {
			removed++
		} else if st == region.EntVoid {
			t.Errorf("%s: entry %d is void", what, i)
		}
	}
	if open != (removed == 1) || removed > 1 {
		t.Errorf("%s: %d objects without a name, open %v", what, removed, open)
	}
	if free := r.a.FreeBytes(); !open && free != b.before {
		t.Errorf("%s: %d bytes free, want %d", what, free, b.before)
	}
	if open && !mutexIs(b.made, 1) {
		t.Errorf("%s: the object is not what it was", what)
	}
	r.a.gate.Shut()
}

func mutexIs(c *object.Core, who uint32) bool {
	m, err := engine.AttachMutex(c.Area, engine.Env{Wake: wait.Wake})
	if err != nil {
		return false
	}
	is, held := m.Owner()
	return held && is.Index == who
}

func (b *nursery) hold(t *testing.T) {
	m, err := engine.AttachMutex(b.made.Area, b.made.Env)
	if err == nil {
		_, err = m.TryLock()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A death at each access of the making, the opening and the closing, and at each of the
// recovery after some of them: what the dead had open alone is gone, with its memory, once;
// what another has open is as it was.
func TestSimUnnamedDeaths(t *testing.T) {
	for _, tt := range []struct {
		name string
		made bool // by another, who has it open
		op   func(b *nursery, victim *attachment) error
	}{
		{"make", false, func(b *nursery, v *attachment) error {
			_, err := v.MakeUnnamed(sizedSpec("conn", 3000))
			return err
		}},
		{"make and close", false, func(b *nursery, v *attachment) error {
			c, err := v.MakeUnnamed(sizedSpec("conn", 3000))
			if err == nil {
				v.CloseUnnamed(c, true)
			}
			return err
		}},
		{"open", true, func(b *nursery, v *attachment) error {
			_, err := v.OpenUnnamed(lockOf("conn"), b.made.Entry, b.made.Ref.Generation)
			return err
		}},
		{"open and close", true, func(b *nursery, v *attachment) error {
			c, err := v.OpenUnnamed(lockOf("conn"), b.made.Entry, b.made.Ref.Generation)
			if err == nil {
				v.CloseUnnamed(c, true)
			}
			return err
		}},
		{"make again", false, func(b *nursery, v *attachment) error {
			_, err := v.MakeUnnamed(sizedSpec("next", 3000))
			return err
		}},
		{"make again and close", false, func(b *nursery, v *attachment) error {
			c, err := v.MakeUnnamed(sizedSpec("next", 3000))
			if err == nil {
				v.CloseUnnamed(c, false)
			}
			return err
		}},
	} {
		b := newNursery(t)
		if tt.made {
			b.make(t)
			b.hold(t)
		}
		if strings.HasPrefix(tt.name, "make again") {
			b.make(t)
			b.maker.a.CloseUnnamed(b.made, true)
		}
		image := b.image()
		deaths := 0
		for k := 1; ; k++ {
			b.restore(image)
			victim := b.attach(3)
			if !dies(k, func() {
				if err := tt.op(b, victim.a); err != nil {
					t.Errorf("%s: %v", tt.name, err)
				}
			}) {
				break
			}
			deaths++
			dead := b.image()
			for r := 1; ; r += 5 { // its recovery, too
				b.restore(dead)
				died := dies(r, func() { b.kill(victim) })
				b.kill(victim)
				b.whole(t, fmt.Sprintf("%s, dead at access %d, recovery at %d", tt.name, k, r), tt.made)
				if !died || t.Failed() {
					break
				}
			}
			if t.Failed() {
				return
			}
		}
		t.Logf("%s: %d deaths survived", tt.name, deaths)
	}
}

// A reference to what is gone opens nothing, and no bit is left of it: of an entry that is
// free, of one that is another's by now, with a name and without, of none.
func TestSimUnnamedStale(t *testing.T) {
	b := newNursery(t)
	b.make(t)
	entry, gen := b.made.Entry, b.made.Ref.Generation
	stale := func(what string, who *Region) {
		t.Helper()
		open := who.a.OpenCount(who.a.self.Index)
		if c, err := who.a.OpenUnnamed(lockOf("conn"), entry, gen); err != object.ErrStale {
			t.Errorf("%s: %v, %v", what, c, err)
		}
		if n := who.a.OpenCount(who.a.self.Index); n != open {
			t.Errorf("%s: %d objects open, were %d", what, n, open)
		}
	}
	b.maker.a.CloseUnnamed(b.made, true)
	b.maker.a.CloseUnnamed(b.made, true)
	b.whole(t, "closed", false)
	other := b.attach(4)
	stale("free", other)
	next, err := b.maker.a.MakeUnnamed(sizedSpec("conn", 3000))
	if err != nil || next.Entry != entry {
		t.Fatal(err, next.Entry, entry)
	}
	stale("the next one's", other)
	stale("the next one's, here", b.maker)
	b.maker.a.CloseUnnamed(b.made, true) // of the old one: nothing
	if !b.maker.a.IsOpener(1, entry) {
		t.Error("a second close of an old handle closed the next one's")
	}
	b.maker.a.CloseUnnamed(next, true)
	named := openOK(t, b.maker, sizedSpec("named", 3000))
	stale("a named one's", other)
	stale("a named one's, here", b.maker)
	named.KeepAlive()
	for _, i := range []uint32{b.g.Objects, ^uint32(0)} {
		if _, err := other.a.OpenUnnamed(lockOf("conn"), i, 1); err != object.ErrStale {
			t.Errorf("entry %d: %v", i, err)
		}
	}
	checkOK(t, other)
}

// Both ends may be one process's: the object is closed with the last handle.
func TestSimUnnamedTwice(t *testing.T) {
	b := newNursery(t)
	b.make(t)
	b.hold(t)
	c, err := b.maker.a.OpenUnnamed(lockOf("conn"), b.made.Entry, b.made.Ref.Generation)
	if err != nil || c.Whole() != b.made.Whole() {
		t.Fatal(err)
	}
	b.maker.a.CloseUnnamed(c, true)
	if !mutexIs(b.made, 1) || !b.maker.a.IsOpener(1, c.Entry) {
		t.Error("the first close ended it")
	}
	b.maker.a.CloseUnnamed(b.made, true)
	b.whole(t, "closed twice", false)
}

// What one handle has left there is given up with the last, whichever that is.
func TestSimUnnamedOwes(t *testing.T) {
	for _, owes := range []bool{true, false} {
		b := newNursery(t)
		b.make(t)
		b.hold(t)
		other := b.attach(4)
		also, err := other.a.OpenUnnamed(lockOf("conn"), b.made.Entry, b.made.Ref.Generation)
		if err != nil {
			t.Fatal(err)
		}
		c, err := b.maker.a.OpenUnnamed(lockOf("conn"), b.made.Entry, b.made.Ref.Generation)
		if err != nil {
			t.Fatal(err)
		}
		b.maker.a.CloseUnnamed(b.made, owes)
		b.maker.a.CloseUnnamed(c, false)
		if held := mutexIs(also, 1); held == owes {
			t.Errorf("owes %v: held %v", owes, held)
		}
		other.a.CloseUnnamed(also, false)
		b.whole(t, "closed", false)
	}
}
