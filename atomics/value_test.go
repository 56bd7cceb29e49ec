package atomics_test

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"example.com/tandem/atomics"
	"example.com/tandem/shm"
)

type (
	pair   struct{ A, B int32 }
	padded struct {
		A int8
		B int32
	}
	flags struct {
		Up, Down bool
		_        byte
		N        uint8
	}
	point   [4]int16
	celsius float64
	level   uint8
	stamp   time.Duration
	job     struct{ URL string }
	sample  struct { // with holes
		At   int64
		OK   bool
		Name [5]byte
		XYZ  [3]float32
		N    int16
	}
)

func value[T any](t testing.TB, r *shm.Region, name string, initial T) *atomics.Value[T] {
	t.Helper()
	v, err := atomics.OpenValue(r, name, initial)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func array[T any](t testing.TB, r *shm.Region, name string, n int) *atomics.Array[T] {
	t.Helper()
	a, err := atomics.OpenArray[T](r, name, n)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var notName = regexp.MustCompile("[^A-Za-z0-9._-]+")

// cellsOf runs every operation on a Value and on an Array of T, whose
// neighbouring cells must keep what they have.
func cellsOf[T comparable](t *testing.T, r *shm.Region, x, y, z T) {
	t.Run(fmt.Sprintf("%T", x), func(t *testing.T) {
		name := notName.ReplaceAllString(fmt.Sprintf("%T", x), "-")
		v := value(t, r, name, x)
		if got := v.Load(); got != x {
			t.Fatalf("initial: %v, want %v", got, x)
		}
		if got := value(t, r, name, y).Load(); got != x {
			t.Fatalf("opened again: %v, want %v", got, x)
		}
		if got := v.Swap(y); got != x {
			t.Errorf("Swap = %v, want %v", got, x)
		}
		if v.CompareAndSwap(x, z) || v.Load() != y {
			t.Errorf("CompareAndSwap of what is not there; now %v, want %v", v.Load(), y)
		}
		if !v.CompareAndSwap(y, z) || v.Load() != z {
			t.Errorf("CompareAndSwap of what is there; now %v, want %v", v.Load(), z)
		}
		if v.Store(x); v.Load() != x {
			t.Errorf("stored %v, loaded %v", x, v.Load())
		}
		if got := v.Update(func(is T) T {
			if is != x {
				t.Errorf("Update sees %v, want %v", is, x)
			}
			return y
		}); got != y || v.Load() != y {
			t.Errorf("Update = %v, now %v, want %v", got, v.Load(), y)
		}

		const n = 7
		a := array[T](t, r, name+"-array", n)
		var model [n]T
		same := func(op string) {
			t.Helper()
			for i, got := range a.All() {
				if got != model[i] {
					t.Errorf("after %s: cell %d = %v, want %v", op, i, got, model[i])
				}
			}
		}
		same("creation")
		for i := range n {
			a.Store(i, x)
			model[i] = x
			same("Store")
			if old := a.Swap(i, y); old != x {
				t.Errorf("Swap(%d) = %v, want %v", i, old, x)
			}
			model[i] = y
			same("Swap")
			if a.CompareAndSwap(i, x, z) || !a.CompareAndSwap(i, y, z) {
				t.Errorf("CompareAndSwap(%d)", i)
			}
			model[i] = z
			same("CompareAndSwap")
			if got := a.Update(i, func(T) T { return x }); got != x {
				t.Errorf("Update(%d) = %v", i, got)
			}
			model[i] = x
			same("Update")
		}
	})
}

func TestCells(t *testing.T) {
	r := region(t)
	cellsOf(t, r, false, true, false)
	cellsOf[int8](t, r, -128, 127, -1)
	cellsOf[uint8](t, r, 1, 255, 2)
	cellsOf[int16](t, r, -32768, 32767, -1)
	cellsOf[uint16](t, r, 1, 65535, 2)
	cellsOf[int32](t, r, math.MinInt32, math.MaxInt32, -1)
	cellsOf[uint32](t, r, 1, math.MaxUint32, 2)
	cellsOf[int64](t, r, math.MinInt64, math.MaxInt64, -1)
	cellsOf[uint64](t, r, 1, math.MaxUint64, 2)
	cellsOf(t, r, math.MinInt, math.MaxInt, -1)
	cellsOf[uint](t, r, 1, math.MaxUint, 2)
	cellsOf[float32](t, r, -0.5, math.MaxFloat32, float32(math.Inf(-1)))
	cellsOf(t, r, -0.5, math.MaxFloat64, math.Inf(-1))
	cellsOf[complex64](t, r, 1, 2i, 3)
	cellsOf(t, r, celsius(-1), 36.6, 100)
	cellsOf(t, r, time.Second, -time.Hour, 1)
	cellsOf(t, r, pair{1, -2}, pair{-1, 2}, pair{})
	cellsOf(t, r, padded{1, -2}, padded{-1, 2}, padded{})
	cellsOf(t, r, flags{true, false, 0, 9}, flags{false, true, 0, 255}, flags{})
	cellsOf(t, r, point{1, -2, 3, -4}, point{-1}, point{3: -1})
	cellsOf(t, r, [2]byte{1, 2}, [2]byte{255, 255}, [2]byte{0, 1})
	cellsOf(t, r, [2][2]bool{{true}}, [2][2]bool{{}, {true, true}}, [2][2]bool{})
	cellsOf(t, r, [3]byte{1, 2, 3}, [3]byte{255, 254, 253}, [3]byte{})
	cellsOf(t, r, [2]int64{1, -2}, [2]int64{-1, 2}, [2]int64{0, 1})
	cellsOf(t, r, complex(1, 2), complex(-1, 0), 3)
	cellsOf(t, r, sample{1, true, [5]byte{1}, [3]float32{1, 2, 3}, -1}, sample{At: -1, N: 9}, sample{})
	cellsOf(t, r, [20]pair{19: {1, 2}}, [20]pair{{3, 4}}, [20]pair{})
	cellsOf(t, r, [1000]byte{1, 999: 2}, [1000]byte{500: 1}, [1000]byte{})
	cellsOf(t, r, struct{ X struct{ Y [1]uint16 } }{}, struct{ X struct{ Y [1]uint16 } }{struct{ Y [1]uint16 }{[1]uint16{7}}}, struct{ X struct{ Y [1]uint16 } }{})
}

// adds checks Add and AddAt, wrapping round included.
func adds[T atomics.Number](t *testing.T, r *shm.Region, most T) {
	t.Run(fmt.Sprintf("%T", most), func(t *testing.T) {
		name := strings.ReplaceAll(fmt.Sprintf("%T", most), "atomics_test.", "named-")
		v := value(t, r, name, T(0))
		a := array[T](t, r, name+"-array", 5)
		want := T(0)
		for _, d := range []T{1, 2, most, most, 100, 0, 27, most / 2} {
			want += d
			if got := atomics.Add(v, d); got != want || v.Load() != want {
				t.Errorf("Add(%v) = %v, now %v, want %v", d, got, v.Load(), want)
			}
			if got := atomics.AddAt(a, 2, d); got != want || a.Load(2) != want {
				t.Errorf("AddAt(%v) = %v, now %v, want %v", d, got, a.Load(2), want)
			}
		}
		var minus T
		minus--
		want += minus
		if got := atomics.Add(v, minus); got != want {
			t.Errorf("Add(-1) = %v, want %v", got, want)
		}
		for _, i := range []int{0, 1, 3, 4} {
			if got := a.Load(i); got != 0 {
				t.Errorf("AddAt(2) changed cell %d to %v", i, got)
			}
		}
	})
}

func TestAdd(t *testing.T) {
	r := region(t)
	adds[int8](t, r, math.MaxInt8)
	adds[int16](t, r, math.MaxInt16)
	adds[int32](t, r, math.MaxInt32)
	adds[int64](t, r, math.MaxInt64)
	adds[int](t, r, math.MaxInt)
	adds[uint8](t, r, math.MaxUint8)
	adds[uint16](t, r, math.MaxUint16)
	adds[uint32](t, r, math.MaxUint32)
	adds[uint64](t, r, math.MaxUint64)
	adds[uint](t, r, math.MaxUint)
	adds[float32](t, r, math.MaxFloat32)
	adds[float64](t, r, math.MaxFloat64)
	adds[level](t, r, math.MaxUint8)
	adds[stamp](t, r, math.MaxInt64)
	adds[celsius](t, r, 0.25)
}

// Exactly, from many goroutines: integers of every width, floats, Update.
func TestAddConcurrent(t *testing.T) {
	const goroutines, rounds = 8, 3000
	r := region(t)
	i8, i16, i32, i64 := array[int8](t, r, "i8", 3), array[int16](t, r, "i16", 3), array[int32](t, r, "i32", 3), value(t, r, "i64", int64(5))
	f32, f64 := value(t, r, "f32", float32(0)), array[float64](t, r, "f64", 2)
	p := value(t, r, "pair", pair{})
	cas := value(t, r, "cas", padded{})
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range rounds {
				atomics.AddAt(i8, 0, 1)
				atomics.AddAt(i8, 1, -1)
				atomics.AddAt(i16, 2, 3)
				atomics.AddAt(i16, 1, -2)
				atomics.AddAt(i32, 1, -1)
				atomics.Add(i64, 7)
				atomics.Add(f32, 0.5)
				atomics.AddAt(f64, 1, 0.125)
				p.Update(func(p pair) pair { return pair{p.A + 1, p.B - 1} })
				for {
					if c := cas.Load(); cas.CompareAndSwap(c, padded{c.A + 1, c.B + 2}) {
						break
					}
				}
			}
		})
	}
	wg.Wait()
	const total = goroutines * rounds
	n := total
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"int8", [3]int8{i8.Load(0), i8.Load(1), i8.Load(2)}, [3]int8{int8(n), int8(-n), 0}},
		{"int16", [3]int16{i16.Load(0), i16.Load(1), i16.Load(2)}, [3]int16{0, int16(-2 * n), int16(3 * n)}},
		{"int32", i32.Load(1), int32(-total)},
		{"int64", i64.Load(), int64(5 + 7*total)},
		{"float32", f32.Load(), float32(total / 2)},
		{"float64", f64.Load(1), float64(total) / 8},
		{"pair", p.Load(), pair{total, -total}},
		{"padded", cas.Load(), padded{int8(n), 2 * total}},
	} {
		if tt.got != tt.want {
			t.Errorf("%s = %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

// Values are the same when their bytes are.
func TestCompareAndSwapByBytes(t *testing.T) {
	r := region(t)
	nan := math.NaN()
	otherNaN := math.Float64frombits(math.Float64bits(nan) ^ 1)
	minus := math.Copysign(0, -1)
	v := value(t, r, "float", nan)
	for _, tt := range []struct {
		name     string
		old, new float64
		want     bool
	}{
		{"NaN of other bits", otherNaN, 1, false},
		{"NaN", nan, 0, true},
		{"-0 for 0", minus, 1, false},
		{"0 for 0", 0, minus, true},
		{"0 for -0", 0, 1, false},
		{"-0 for -0", minus, nan, true},
	} {
		if got := v.CompareAndSwap(tt.old, tt.new); got != tt.want {
			t.Errorf("%s: CompareAndSwap = %v, want %v", tt.name, got, tt.want)
		}
	}

	// What lies between the fields does not count, and does not get in.
	dirty := func(fill byte, x padded) padded {
		b := (*[8]byte)(unsafe.Pointer(&x))
		copy(b[1:4], []byte{fill, fill, fill})
		return x
	}
	p := value(t, r, "padded", dirty(0xaa, padded{1, 2}))
	if !p.CompareAndSwap(dirty(0xbb, padded{1, 2}), dirty(0xcc, padded{3, 4})) {
		t.Error("padding made equal values differ")
	}
	p.Store(dirty(0xdd, padded{5, 6}))
	p.Swap(dirty(0xee, padded{5, 6}))
	p.Update(func(x padded) padded { return dirty(0xff, x) })
	if got := atomics.Word(p); got != 6<<32|5 {
		t.Errorf("the cell's bytes are %#x", got)
	}
	p.CompareAndSwap(padded{5, 6}, dirty(0x77, padded{7, 8}))
	if got := atomics.Word(p); got != 8<<32|7 {
		t.Errorf("the cell's bytes are %#x", got)
	}
	if got := atomics.Word(value(t, r, "initial", dirty(0x99, padded{1, 2}))); got != 2<<32|1 {
		t.Errorf("the new cell's bytes are %#x", got)
	}
}

func TestUpdatePanics(t *testing.T) {
	v := value(t, region(t), "v", int64(3))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was lost")
			}
		}()
		v.Update(func(int64) int64 { panic("no") })
	}()
	if got := atomics.Add(v, 1); got != 4 {
		t.Errorf("after the panic %d, want 4", got)
	}
}
