package atomics_test

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"example.com/tandem/atomics"
	"example.com/tandem/shm"
)

func TestArrayLength(t *testing.T) {
	r := region(t)
	a := array[int16](t, r, "a", 5)
	for _, n := range []int{0, 5} {
		if got := array[int16](t, r, "a", n).Len(); got != 5 {
			t.Errorf("opened with %d: length %d, want 5", n, got)
		}
	}
	if got := array[int16](t, r.Existing(), "a", 0).Len(); got != 5 {
		t.Errorf("Existing: length %d", got)
	}
	a.Store(4, 7)
	if got := array[int16](t, r, "a", 0).Load(4); got != 7 {
		t.Errorf("the other handle sees %d, want 7", got)
	}
}

func TestOutOfRangePanicsAsASliceDoes(t *testing.T) {
	a := array[int32](t, region(t), "a", 3)
	for _, i := range []int{-1, 3, 1 << 40} {
		for name, f := range map[string]func(){
			"Load":           func() { a.Load(i) },
			"Store":          func() { a.Store(i, 1) },
			"Swap":           func() { a.Swap(i, 1) },
			"CompareAndSwap": func() { a.CompareAndSwap(i, 0, 1) },
			"Update":         func() { a.Update(i, func(int32) int32 { return 1 }) },
			"AddAt":          func() { atomics.AddAt(a, i, 1) },
		} {
			slice := func() (err any) { defer func() { err = recover() }(); _ = make([]int32, 3)[i]; return nil }()
			got := func() (err any) { defer func() { err = recover() }(); f(); return nil }()
			if e, ok := got.(runtime.Error); !ok || e.Error() != slice.(runtime.Error).Error() {
				t.Errorf("%s(%d) panics with %v, want %v", name, i, got, slice)
			}
		}
	}
}

func TestCopyAndAll(t *testing.T) {
	a := array[uint8](t, region(t), "a", 6)
	if n := a.CopyFrom([]uint8{1, 2, 3}); n != 3 {
		t.Errorf("CopyFrom of three = %d", n)
	}
	long := []uint8{9, 9, 9, 9, 9, 9, 9, 9}
	if n := a.CopyTo(long); n != 6 || !slices.Equal(long, []uint8{1, 2, 3, 0, 0, 0, 9, 9}) {
		t.Errorf("CopyTo = %d, %v", n, long)
	}
	if n := a.CopyFrom(long); n != 6 {
		t.Errorf("CopyFrom of eight = %d", n)
	}
	if n := a.CopyTo(long[:2]) + a.CopyTo(nil) + a.CopyFrom(nil); n != 2 {
		t.Errorf("copied %d", n)
	}
	var got []string
	for i, x := range a.All() {
		got = append(got, fmt.Sprint(i, x))
		if i == 3 {
			break
		}
	}
	if !slices.Equal(got, []string{"0 1", "1 2", "2 3", "3 0"}) {
		t.Errorf("All = %q", got)
	}
}

func TestSlice(t *testing.T) {
	r := region(t)
	s, err := atomics.OpenSlice[job2](r, "s", 1000)
	if err != nil {
		t.Fatal(err)
	}
	data := s.Data()
	if len(data) != 1000 || cap(data) != 1000 {
		t.Fatalf("%d elements, room for %d", len(data), cap(data))
	}
	for i := range data {
		if data[i] != (job2{}) {
			t.Fatalf("element %d of a new slice is %v", i, data[i])
		}
		data[i] = job2{int64(i), [5]byte{byte(i)}}
	}
	again, err := atomics.OpenSlice[job2](r, "s", 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Data(); &got[0] != &data[0] || !slices.Equal(got, data) {
		t.Error("the second handle has other memory")
	}
	empty, err := atomics.OpenSlice[struct{}](r, "empty", 5)
	if err != nil || len(empty.Data()) != 5 {
		t.Errorf("a slice of nothing: %v", err)
	}
}

// The slice is what keeps the memory, when all handles are gone.
func TestSliceOutlivesItsHandle(t *testing.T) {
	r := region(t)
	data := func() []int64 {
		s, err := atomics.OpenSlice[int64](r, "s", 100)
		if err != nil {
			t.Fatal(err)
		}
		return s.Data()
	}()
	data[7] = 42
	for range 5 {
		runtime.GC()
	}
	s, err := atomics.OpenSlice[int64](r, "s", 100)
	if err != nil {
		t.Fatal(err)
	}
	if s.Data()[7] != 42 {
		t.Error("the object was made anew under a slice in use")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		runtime.GC()
	}
	for i := range data {
		if data[i] != 0 {
			t.Fatalf("after Close element %d is %d", i, data[i])
		}
		data[i] = 1
	}
}

type handles struct {
	V *atomics.Value[pair]
	A *atomics.Array[float32]
	S *atomics.Slice[int64]
}

func TestHandlesTravel(t *testing.T) {
	r := region(t)
	h := handles{V: value(t, r, "v", pair{1, 2}), A: array[float32](t, r, "a", 3)}
	var err error
	if h.S, err = atomics.OpenSlice[int64](r, "s", 4); err != nil {
		t.Fatal(err)
	}
	h.A.Store(2, 0.5)
	h.S.Data()[3] = 9
	b, err := cbor.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var got handles
	if err := cbor.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.V.Load() != (pair{1, 2}) || got.A.Load(2) != 0.5 || got.S.Data()[3] != 9 {
		t.Error("the handles that arrived are on something else")
	}
	h.V.Store(pair{3, 4})
	if got.V.Load() != (pair{3, 4}) {
		t.Error("the two handles are on two values")
	}

	v, _ := h.V.MarshalBinary()
	a, _ := h.A.MarshalBinary()
	gone := value(t, r, "gone", pair{})
	g, _ := gone.MarshalBinary()
	if err := r.Remove("gone"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		into encoding.BinaryUnmarshaler
		b    []byte
		want error
	}{
		{"an array's", new(atomics.Value[pair]), a, shm.ErrMismatch},
		{"a value's", new(atomics.Slice[int64]), v, shm.ErrMismatch},
		{"of another type", new(atomics.Value[int64]), v, shm.ErrMismatch},
		{"of another size", new(atomics.Array[float64]), a, shm.ErrMismatch},
		{"of what was removed", new(atomics.Value[pair]), g, fs.ErrNotExist},
		{"no handle", new(atomics.Value[pair]), []byte("nonsense"), nil},
	} {
		if err := tt.into.UnmarshalBinary(tt.b); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("a handle %s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := new(atomics.Value[pair]).MarshalBinary(); err == nil {
		t.Error("a handle that nobody opened travels")
	}
}

func TestLock(t *testing.T) {
	r := region(t)
	v := value(t, r, "v", int64(0))
	other := value(t, r, "v", int64(0))
	ctx := t.Context()
	if err := v.Unlock(); !errors.Is(err, shm.ErrNotLocked) {
		t.Errorf("Unlock of a free lock = %v", err)
	}
	if err := v.MarkConsistent(); !errors.Is(err, shm.ErrNotLocked) {
		t.Errorf("MarkConsistent of a free lock = %v", err)
	}
	if err := v.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	if ok, err := other.TryLock(); ok || err != nil {
		t.Errorf("TryLock of a held lock = %v, %v", ok, err)
	}
	// The cells take no part.
	other.Store(3)
	if got := atomics.Add(other, 1); got != 4 || v.Load() != 4 {
		t.Errorf("beside the lock: %d", got)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := other.Lock(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock with a context that has ended = %v", err)
	}
	if _, err := other.Recover(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Recover with a context that has ended = %v", err)
	}
	if err := other.Unlock(); err != nil { // another goroutine of this process may
		t.Errorf("Unlock by the other handle = %v", err)
	}
	if suspect, err := other.Recover(ctx); suspect || err != nil {
		t.Errorf("Recover of a healthy lock = %v, %v", suspect, err)
	}
	if err := other.Unlock(); err != nil {
		t.Error(err)
	}
	if ok, err := array[int8](t, r, "a", 1).TryLock(); !ok || err != nil {
		t.Errorf("TryLock of an array = %v, %v", ok, err)
	}
}
