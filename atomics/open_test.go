package atomics_test

import (
	"errors"
	"io/fs"
	"math"
	"strings"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/shm"
)

func TestOpenErrors(t *testing.T) {
	r := region(t)
	value(t, r, "value", int64(1))
	array[pair](t, r, "array", 3)
	value(t, r, "wide", sample{})
	slice, err := atomics.OpenSlice[job2](r, "slice", 3)
	if err != nil || len(slice.Data()) != 3 {
		t.Fatal(err)
	}
	open := func(_ any, err error) error { return err }
	for _, tt := range []struct {
		name string
		err  error
		want error
		says []string
	}{
		{"string", open(atomics.OpenValue(r, "x", "")), shm.ErrNotPlain, []string{"string"}},
		{"a string inside", open(atomics.OpenValue(r, "x", job{})), shm.ErrNotPlain, []string{"atomics.OpenValue", "/x", "field job.URL is a string"}},
		{"array of pointers", open(atomics.OpenArray[*int](r, "x", 2)), shm.ErrNotPlain, []string{"atomics.OpenArray", "*int"}},
		{"slice of maps", open(atomics.OpenSlice[struct{ M map[int]int }](r, "x", 2)), shm.ErrNotPlain, []string{"atomics.OpenSlice", "field M is a map[int]int"}},
		{"more than there are copies", open(atomics.OpenArray[[2]int64](r, "x", 1<<30)), shm.ErrNoSpace, nil},
		{"negative", open(atomics.OpenArray[int8](r, "x", -1)), fs.ErrInvalid, []string{"length -1"}},
		{"negative", open(atomics.OpenSlice[int8](r, "x", -1)), fs.ErrInvalid, []string{"length -1"}},
		{"length 0 and nothing there", open(atomics.OpenArray[int8](r, "x", 0)), fs.ErrNotExist, nil},
		{"length 0 and nothing there", open(atomics.OpenSlice[int8](r, "x", 0)), fs.ErrNotExist, nil},
		{"existing and nothing there", open(atomics.OpenValue(r.Existing(), "valeu", int64(0))), fs.ErrNotExist, []string{"valeu"}},
		{"more than there are addresses", open(atomics.OpenArray[int64](r, "x", math.MaxInt)), shm.ErrNoSpace, nil},
		{"more than there is memory", open(atomics.OpenSlice[int64](r, "x", 1<<50)), shm.ErrNoSpace, nil},
		{"other type", open(atomics.OpenValue(r, "value", uint64(0))), shm.ErrMismatch, []string{"int64", "uint64"}},
		{"other size", open(atomics.OpenValue(r, "value", int8(0))), shm.ErrMismatch, []string{"int64", "int8"}},
		{"a field of another type", open(atomics.OpenArray[struct {
			A int32
			B float32
		}](r, "array", 3)), shm.ErrMismatch, []string{"B", "int32", "float32"}},
		{"other length", open(atomics.OpenArray[pair](r, "array", 4)), shm.ErrMismatch, []string{"length", "3", "4"}},
		{"other length", open(atomics.OpenSlice[job2](r, "slice", 2)), shm.ErrMismatch, []string{"length", "3", "2"}},
		{"a word, and it is wide", open(atomics.OpenValue(r, "wide", int64(0))), shm.ErrMismatch, []string{"field At", "not here"}},
		{"wide, and it is a word", open(atomics.OpenValue(r, "value", sample{})), shm.ErrMismatch, []string{"int64"}},
		{"other kind", open(atomics.OpenValue(r, "array", int64(0))), shm.ErrMismatch, []string{"array", "value"}},
		{"other kind", open(atomics.OpenSlice[pair](r, "array", 3)), shm.ErrMismatch, []string{"array", "slice"}},
	} {
		var e *shm.Error
		if !errors.Is(tt.err, tt.want) || !errors.As(tt.err, &e) {
			t.Errorf("%s: %v, want a *shm.Error with %v", tt.name, tt.err, tt.want)
			continue
		}
		for _, s := range tt.says {
			if !strings.Contains(tt.err.Error(), s) {
				t.Errorf("%s: %q does not say %q", tt.name, tt.err, s)
			}
		}
	}
	if _, err := atomics.OpenValue(r.Existing(), "value", int64(9)); err != nil {
		t.Errorf("Existing, and it is: %v", err)
	}
	// The names of types and what is said in other words do not matter.
	if v, err := atomics.OpenValue(r, "value", stamp(9)); err != nil || v.Load() != 1 {
		t.Errorf("the same type by another name: %v", err)
	}
}

type job2 struct {
	ID   int64
	Data [5]byte
}

func TestNothingAllocates(t *testing.T) {
	r := region(t)
	v := value(t, r, "v", int64(0))
	w := value(t, r, "w", padded{})
	b := array[byte](t, r, "b", 100)
	f := value(t, r, "f", float32(0))
	s, err := atomics.OpenSlice[pair](r, "s", 10)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 100)
	wide, long := value(t, r, "wide", sample{}), array[[500]byte](t, r, "long", 3)
	longs := make([][500]byte, 3)
	ctx := t.Context()
	for _, tt := range []struct {
		name string
		f    func()
	}{
		{"Add", func() { atomics.Add(v, 1) }},
		{"Add float32", func() { atomics.Add(f, 1) }},
		{"AddAt", func() { atomics.AddAt(b, 5, 1) }},
		{"Load", func() { v.Load() }},
		{"Store", func() { w.Store(padded{1, 2}) }},
		{"Swap", func() { w.Swap(padded{1, 3}) }},
		{"CompareAndSwap", func() { w.CompareAndSwap(padded{1, 3}, padded{}) }},
		{"Update", func() { v.Update(func(x int64) int64 { return x * 2 }) }},
		{"wide Load", func() { wide.Load() }},
		{"wide Store", func() { wide.Store(sample{At: 1, OK: true}) }},
		{"wide Swap", func() { wide.Swap(sample{At: 2}) }},
		{"wide CompareAndSwap", func() { wide.CompareAndSwap(sample{At: 2}, sample{At: 3}) }},
		{"wide Update", func() { wide.Update(func(x sample) sample { x.At++; return x }) }},
		{"long CopyTo, CopyFrom", func() { long.CopyTo(longs); long.CopyFrom(longs) }},
		{"CopyTo", func() { b.CopyTo(dst) }},
		{"CopyFrom", func() { b.CopyFrom(dst) }},
		{"All", func() {
			for range b.All() {
			}
		}},
		{"Data", func() { s.Data() }},
		{"Lock, Unlock", func() {
			if v.Lock(ctx) != nil || v.Unlock() != nil {
				t.Error("Lock, Unlock")
			}
		}},
		{"TryLock, Unlock", func() { b.TryLock(); b.Unlock() }},
	} {
		if n := testing.AllocsPerRun(100, tt.f); n != 0 {
			t.Errorf("%s allocates %v times", tt.name, n)
		}
	}
}

// After Close cells read as zero, whatever was stored before or is stored now.
func TestAfterClose(t *testing.T) {
	r := region(t)
	v, p, a := value(t, r, "v", int64(7)), value(t, r, "p", padded{1, 2}), array[int16](t, r, "a", 3)
	a.Store(1, 9)
	s, err := atomics.OpenSlice[int32](r, "s", 4)
	if err != nil {
		t.Fatal(err)
	}
	data := s.Data()
	data[2] = 5
	if err := v.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := v.Load(); got != 0 {
			t.Errorf("Load = %d", got)
		}
		if got := v.Swap(3); got != 0 {
			t.Errorf("Swap = %d", got)
		}
		v.Store(4)
		p.Store(padded{3, 4})
		if got := atomics.Add(v, 5); got != 5 {
			t.Errorf("Add = %d", got)
		}
		if p.CompareAndSwap(padded{1, 2}, padded{}) || !p.CompareAndSwap(padded{}, padded{1, 2}) {
			t.Error("CompareAndSwap found something else than zero")
		}
		if got := v.Update(func(x int64) int64 { return x + 1 }); got != 1 {
			t.Errorf("Update = %d", got)
		}
		if a.Len() != 3 || a.Load(1) != 0 || atomics.AddAt(a, 1, 2) != 2 || a.Swap(1, 7) != 0 || a.Update(2, func(x int16) int16 { return x + 3 }) != 3 || a.CompareAndSwap(0, 1, 2) {
			t.Error("the array is not zero")
		}
		a.Store(0, 8)
		buf := []int16{1, 2, 3}
		if n := a.CopyFrom(buf); n != 3 {
			t.Errorf("CopyFrom = %d", n)
		}
		if n := a.CopyTo(buf); n != 3 || buf[0]|buf[1]|buf[2] != 0 {
			t.Errorf("CopyTo = %d, %v", n, buf)
		}
		if data[2] != 0 || s.Data()[2] != 0 {
			t.Error("the slice is not zero")
		}
	}
	data[1] = 6 // nowhere
	ok, err := v.TryLock()
	suspect, recErr := v.Recover(t.Context())
	for op, err := range map[string]error{"Lock": v.Lock(t.Context()), "TryLock": err, "Recover": recErr, "MarkConsistent": v.MarkConsistent(), "Unlock": v.Unlock()} {
		var e *shm.Error
		if !errors.Is(err, shm.ErrClosed) || !errors.As(err, &e) || e.Op != "value."+op || e.Object != "v" {
			t.Errorf("%s = %v, want ErrClosed", op, err)
		}
	}
	if ok || suspect {
		t.Errorf("TryLock %v, Recover %v", ok, suspect)
	}
	if _, err := atomics.OpenValue(r, "v", int64(0)); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("OpenValue = %v, want ErrClosed", err)
	}
}
