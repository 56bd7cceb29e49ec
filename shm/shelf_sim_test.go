//go:build tandem_sim

package shm

import (
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
)

func (b *nursery) bears(t *testing.T, s object.Spec) *object.Core {
	t.Helper()
	if b.maker == nil {
		b.maker = b.attach(1)
	}
	c, err := b.maker.a.MakeUnnamed(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *nursery) closes(cs ...*object.Core) {
	for _, c := range cs {
		b.maker.a.CloseUnnamed(c, false)
	}
}

// What is on the shelf is taken for the next, in its place, by whoever makes one of the
// kind and the size; and for no other.
func TestSimShelf(t *testing.T) {
	b := newNursery(t)
	first := b.bears(t, sizedSpec("conn", 3000))
	b.holdThis(t, first)
	b.maker.a.CloseUnnamed(first, true)
	other := b.bears(t, sizedSpec("conn", 3200))
	if other.Entry == first.Entry {
		t.Error("another size, in its place")
	}
	longer := b.bears(t, sizedSpec("conn", 3000, object.Field{Name: "x", Value: "yz"}))
	if longer.Entry == first.Entry {
		t.Error("another description, in its place")
	}
	second, err := b.attach(4).a.MakeUnnamed(sizedSpec("next", 3000)) // which looks whether it is zero
	if err != nil || second.Entry != first.Entry || second.Ref.Generation <= longer.Ref.Generation || second.Area != first.Area {
		t.Fatalf("%v, %+v after %+v", err, second, first)
	}
	if e := b.maker.a.Entry(second.Entry); e.State != region.EntRemoved || e.Text() != "next" || e.Gen != second.Ref.Generation {
		t.Errorf("entry %+v", e)
	}
	if c, err := b.maker.a.OpenUnnamed(lockOf("conn"), first.Entry, first.Ref.Generation); err != object.ErrStale {
		t.Errorf("the former: %v, %v", c, err)
	}
	third := b.bears(t, sizedSpec("conn", 3000))
	if third.Entry == first.Entry {
		t.Error("what somebody has open, again")
	}
	b.closes(other, longer)
	if c := b.bears(t, sizedSpec("conn", 3000)); c.Entry == other.Entry || c.Entry == longer.Entry {
		t.Error("what is larger, in its place")
	} else {
		b.closes(c)
	}
	b.closes(third)
	b.kill(b.attach(4))
	b.whole(t, "all gone", false)
}

func (b *nursery) holdThis(t *testing.T, c *object.Core) {
	b.made = c
	b.hold(t)
}

// Only so many are kept; of one that is open to somebody nothing is; where there is no room
// nothing stays.
func TestSimShelfIsBounded(t *testing.T) {
	b := &nursery{heapRegion: newHeapRegion(t, 512<<10, 8, 64)}
	openOK(t, b.attach(0), sizedSpec("a", 3000))
	b.before = b.attach(0).a.FreeBytes()
	var all []*object.Core
	for range region.ShelfPlaces + 3 {
		all = append(all, b.bears(t, sizedSpec("conn", 3000)))
	}
	also, err := b.attach(4).a.OpenUnnamed(sizedSpec("conn", 3000), all[0].Entry, all[0].Ref.Generation)
	if err != nil {
		t.Fatal(err)
	}
	b.closes(all...)
	a := b.maker.a
	if s := a.Shelf(); s.Empty() || s.Has(all[0].Entry, all[0].Ref.Generation) || !s.Has(all[1].Entry, all[1].Ref.Generation) {
		t.Errorf("the shelf: %#x", s)
	}
	left := func() (n int) {
		for i := range b.g.Objects {
			if a.EntryState(i) == region.EntRemoved {
				n++
			}
		}
		return n
	}
	l, err := a.lockDirectory()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.collect(a.Geo.Objects); err != nil {
		t.Error(err)
	}
	l.unlock()
	if n := left(); n != region.ShelfPlaces+1 {
		t.Errorf("%d are kept, with one that is open", n)
	}
	if a.toReclaim() {
		t.Error("there is something to reclaim but what is kept")
	}
	big := openOK(t, b.maker, sizedSpec("big", a.FreeBytes()+4096))
	if n := left(); n != 1 {
		t.Errorf("%d are kept though there was no room", n)
	}
	big.KeepAlive()
	also.KeepAlive()
	checkOK(t, b.maker)
}

// A shelf that says anything harms nobody.
func TestSimShelfScribbled(t *testing.T) {
	b := newNursery(t)
	b.make(t)
	b.hold(t)
	live := b.attach(0).a
	for k, word := range []uint64{
		^uint64(0), 1 << 32, region.ShelfWord(b.g.Objects, 1), region.ShelfWord(b.g.Objects-1, 0), // none, free
		region.ShelfWord(0, mem.Load64(live.Ent64(0, region.EntGen))), // live
		region.ShelfWord(b.made.Entry, b.made.Ref.Generation),         // open
		region.ShelfWord(b.made.Entry, b.made.Ref.Generation+1),       // another's
		region.ShelfWord(b.made.Entry, b.made.Ref.Generation+1<<32),   // as good as open
	} {
		mem.Store64(live.ShelfPlace(k), word)
	}
	c := b.bears(t, sizedSpec("conn", 3000))
	if c.Entry == b.made.Entry || c.Entry == 0 || !mutexIs(b.made, 1) {
		t.Errorf("entry %d", c.Entry)
	}
	for k, want := range map[int]bool{4: false, 5: true, 6: false} {
		if is := mem.Load64(live.ShelfPlace(k)) != 0; is != want {
			t.Errorf("place %d is taken %v", k, is)
		}
	}
	b.closes(c)
	b.whole(t, "scribbled", true)
	if _, err := engine.AttachMutex(b.made.Area, engine.Env{}); err != nil {
		t.Error(err)
	}
}
