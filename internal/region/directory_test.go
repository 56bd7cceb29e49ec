package region

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
)

// make gives an object of so many bytes the first free entry, as its creator does.
func (w *Memory) make(t testing.TB, name string, n uint64) Entry {
	t.Helper()
	i := mem.Load32(w.Dir32(DirFree)) - 1
	to, ok, _, err := w.Place(n)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	next := w.NextFree(i)
	w.BeginChange()
	if err := w.Take(to); err != nil {
		t.Fatal(err)
	}
	mem.Store32(w.Dir32(DirFree), next)
	e := Entry{I: i, State: EntLive, Kind: engine.KindMutex, Gen: mem.Add64(w.Dir64(DirGen), 1), Hash: HashName(name),
		Off: to.Off, Size: n, Words: n, NameLen: uint32(len(name)), Since: 1}
	copy(e.Name[:], name)
	w.PutEntry(&e)
	head := w.Bucket(e.Hash)
	mem.Store32(w.Ent32(i, EntNext), mem.Load32(head))
	mem.Store32(head, i+1)
	mem.Add32(w.Dir32(DirLive), 1)
	mem.Store32(w.Ent32(i, EntState), EntLive)
	w.EndChange()
	return e
}

// sound fails if anything is wrong with the directory.
func (w *Memory) sound(t testing.TB) {
	t.Helper()
	if _, errs := NewDirCopy(w).Check(); errs != nil {
		t.Fatal(errors.Join(errs...))
	}
}

func TestDirectory(t *testing.T) {
	w := newMemory(t, 1<<20, 2, 12)
	w.sound(t)
	var made []Entry
	for k := range 12 { // of 16 buckets: some have more than one
		made = append(made, w.make(t, fmt.Sprint("object", k), 128*uint64(k+1)))
		w.sound(t)
	}
	if n := mem.Load32(w.Dir32(DirFree)); n != FreeEnd {
		t.Errorf("the table is full, and entry %d is free", n-1)
	}
	for _, e := range made {
		got, ok, stable, err := w.Lookup(e.Hash, e.Text())
		if !ok || !stable || err != nil || got.Gen != e.Gen || got.Text() != e.Text() || !w.Still(&got) || w.Words(&got).Size() != e.Size {
			t.Errorf("Lookup(%s) = %+v, %v, %v, %v", e.Text(), got, ok, stable, err)
		}
		if got, ok := w.Steady(e.I); !ok || got.Gen != e.Gen {
			t.Errorf("Steady(%d) = %+v, %v", e.I, got, ok)
		}
	}
	if _, ok, stable, err := w.Lookup(HashName("object"), "object"); ok || !stable || err != nil {
		t.Error("found what is not there:", ok, stable, err)
	}

	w.BeginChange() // by one who is slow, or dead
	if _, _, stable, _ := w.Lookup(made[0].Hash, "object0"); stable {
		t.Error("Lookup took a directory for still that is being changed")
	}
	if err := w.Unchain(w.Bucket(made[3].Hash), made[3].I); err != nil {
		t.Error(err)
	}
	if err := w.Unchain(w.Bucket(made[3].Hash), made[3].I); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Unchain of what is in no chain = %v, want ErrCorrupt", err)
	}
	if err := w.Repair(); err != nil { // the entry says that it is live
		t.Fatal(err)
	}
	w.sound(t)
	if _, ok, err := w.Find(made[3].Hash, "object3"); !ok || err != nil {
		t.Error("repair has lost a live object:", ok, err)
	}
	mem.Store32(w.Ent32(made[5].I, EntState), EntVoid)
	if err := w.Repair(); err != nil || w.EntryState(made[5].I) != EntRemoved {
		t.Errorf("of what was just being given back repair made state %d, %v", w.EntryState(made[5].I), err)
	}
	w.sound(t)
}

func TestOpeners(t *testing.T) {
	w := newMemory(t, 1<<20, 3, 70)
	for k := range 70 {
		w.make(t, fmt.Sprint("o", k), 128)
	}
	open := map[uint32][]uint32{0: {0, 63, 64}, 2: {63, 69}}
	for p, is := range open {
		for _, i := range is {
			w.SetOpener(p, i)
		}
	}
	for p, is := range open {
		var found []uint32
		if err := w.EachOpen(p, func(i uint32, k engine.Kind, a mem.Area) error {
			if k != engine.KindMutex || a.Size() != 128 {
				t.Errorf("entry %d: kind %v, %d bytes", i, k, a.Size())
			}
			found = append(found, i)
			return nil
		}); err != nil || !slices.Equal(found, is) || w.OpenCount(p) != len(is) {
			t.Errorf("participant %d has %v open, counted as %d, want %v; %v", p, found, w.OpenCount(p), is, err)
		}
	}
	if ps := w.Openers(63); !slices.Equal(ps, []uint32{0, 2}) || w.IsOpener(1, 63) || w.Opened(1) {
		t.Errorf("entry 63 is open in %v", ps)
	}
	mem.Store32(w.Ent32(69, EntState), EntRemoved)
	if err := w.Repair(); err != nil {
		t.Fatal(err)
	}
	if ps := w.RemovedOpenIn(); !slices.Equal(ps, []uint32{2}) {
		t.Errorf("removed objects are open in %v, want 2", ps)
	}
	w.ClearOpener(2, 63)
	w.ClearOpeners(0)
	if w.OpenCount(0) != 0 || w.OpenCount(2) != 1 {
		t.Error("bits of others were cleared, or not all of one's own")
	}
}

// Whatever is taken and put back, free runs and what is in use tile the heap.
func TestHeapTiles(t *testing.T) {
	const objects = 40
	w := newMemory(t, 1<<20, 1, objects)
	rnd := rand.New(rand.NewPCG(1, 2))
	var used []Extent
	for step := range 3000 {
		if len(used) < objects && rnd.IntN(5) > 1 {
			n := uint64(1+rnd.IntN(80)) * HeapUnit
			to, ok, free, err := w.Place(n)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				if all, largest := w.Pieces(); all != free || largest > free || w.FreeBytes() != free {
					t.Fatalf("step %d: %d bytes free, %d in all, %d in one piece", step, free, all, largest)
				}
				continue
			}
			if to.Size != n || to.Off%HeapUnit != 0 || n >= HeapPage && to.Off%HeapPage != 0 {
				t.Fatalf("step %d: place for %d bytes: %+v", step, n, to)
			}
			if err := w.Take(to); err != nil {
				t.Fatal(err)
			}
			used = append(used, to.Extent)
		} else if len(used) > 0 {
			k := rnd.IntN(len(used))
			run, err := w.Put(used[k])
			if err != nil || run.Off > used[k].Off || run.End() < used[k].End() {
				t.Fatalf("step %d: Put(%+v) = %+v, %v", step, used[k], run, err)
			}
			used = slices.Delete(used, k, k+1)
		}
		NewDirCopy(w).checkHeap(slices.Clone(used), func(format string, args ...any) { t.Fatalf("step %d: "+format, append([]any{step}, args...)...) })
	}
	for len(used) > 0 {
		if _, err := w.Put(used[0]); err != nil {
			t.Fatal(err)
		}
		used = used[1:]
	}
	if rows, err := w.Rows(); rows != 1 || err != nil || w.FreeBytes() != w.Geo.HeapSize() {
		t.Errorf("all is free, in %d runs, %v", rows, err)
	}
	for _, off := range []uint64{w.Geo.HeapOff, w.Geo.HeapOff + 128} {
		if _, err := w.Put(Extent{Off: off, Size: 128}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Put of what is free = %v, want ErrCorrupt", err)
		}
	}
}

func TestFieldsText(t *testing.T) {
	fields := []object.Field{{Name: "type", Value: ". int64 @0\nsize 8 align 8\n"}, {Name: "lock", Value: `a\nb\\`}, {Name: "empty"}, {Name: "equal", Value: "a=b"}}
	text := FieldsText(fields)
	if want := "type=. int64 @0\\nsize 8 align 8\\n\nlock=a\\\\nb\\\\\\\\\nempty=\nequal=a=b\n"; text != want {
		t.Errorf("FieldsText = %q, want %q", text, want)
	}
	w := newMemory(t, 1<<20, 1, 4)
	e := w.make(t, "o", 1024)
	e.Words, e.Fields = 128, uint32(len(text))
	copy(w.Bytes(e.Off+128, 1024-128), text)
	if got, err := w.Fields(&e); err != nil || !slices.Equal(got, fields) {
		t.Errorf("Fields = %q, %v, want %q", got, err, fields)
	}
	for _, bad := range []string{"no line", "=a\n", "line\n", "a=\xff\n"} {
		copy(w.Bytes(e.Off+128, 1024-128), bad)
		e.Fields = uint32(len(bad))
		if got, err := w.Fields(&e); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Fields of %q = %q, %v, want ErrCorrupt", bad, got, err)
		}
	}
	spec := object.Spec{Kind: engine.KindMutex, Fields: []object.Field{{Name: "lock", Value: "other"}, {Name: "empty", Value: "full"}}}
	if err := Compare(&spec, engine.KindMutex, fields); !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), "lock: other here,") || !strings.Contains(err.Error(), "empty: full here, none in the region") {
		t.Errorf("Compare = %v", err)
	}
}
