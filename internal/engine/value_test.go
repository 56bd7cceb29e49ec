package engine

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"example.com/tandem/internal/mem"
)

func newCells(t *testing.T, k Kind, n, width uint64, s Scalar) mem.Area {
	t.Helper()
	size, ok := CellsSize(k, n, width)
	if !ok {
		t.Fatalf("no size for %d cells of %d bytes", n, width)
	}
	a := mem.Heap(size)
	InitCells(a, k, n, width, s)
	return a
}

func TestCellsLayout(t *testing.T) {
	for _, tt := range []struct {
		kind     Kind
		n, width uint64
		size     uint64
		at       uintptr
	}{
		{KindValue, 1, 1, 200, 192},
		{KindValue, 1, 8, 200, 192},
		{KindArray, 3, 2, 200, 192},
		{KindArray, 5, 8, 232, 192},
		{KindSlice, 3, 24, 136, 64},
		{KindSlice, 1 << 40, 0, 64, 64},
		{KindSlice, 0, 4, 64, 64},
	} {
		size, ok := CellsSize(tt.kind, tt.n, tt.width)
		if !ok || size != tt.size {
			t.Errorf("CellsSize(%d, %d, %d) = %d, %v; want %d", tt.kind, tt.n, tt.width, size, ok, tt.size)
			continue
		}
		a := newCells(t, tt.kind, tt.n, tt.width, ScalarUint)
		p, err := AttachCells(a, tt.kind, tt.n, tt.width)
		if err != nil {
			t.Errorf("AttachCells(%d, %d, %d) = %v", tt.kind, tt.n, tt.width, err)
			continue
		}
		if at := uintptr(p) - uintptr(a.Ptr(0, 0)); at != tt.at {
			t.Errorf("cells of kind %d begin at %d, want %d", tt.kind, at, tt.at)
		}
		ops, _ := OpsOf(tt.kind)
		if err := ops.Check(a); err != nil {
			t.Errorf("Check of a new kind %d = %v", tt.kind, err)
		}
		for _, wrong := range [][2]uint64{{tt.n + 1, tt.width}, {tt.n, tt.width + 1}} {
			if _, err := AttachCells(a, tt.kind, wrong[0], wrong[1]); !errors.Is(err, ErrCorrupt) {
				t.Errorf("AttachCells of %d cells of %d as %v = %v", tt.n, tt.width, wrong, err)
			}
		}
	}
	for _, n := range []uint64{math.MaxUint64, math.MaxInt64, math.MaxInt64 - 100, 1 << 60} {
		for _, width := range []uint64{1, 8} {
			if size, ok := CellsSize(KindArray, n, width); ok && (width > 1 || size > math.MaxInt64 || size < n) {
				t.Errorf("CellsSize of %d cells of %d = %d", n, width, size)
			}
		}
	}
}

// Whatever another process wrote over the line: an error, no panic.
func TestCellsCorrupt(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, k := range []Kind{KindValue, KindArray, KindSlice} {
		ops, _ := OpsOf(k)
		damage := []func(a mem.Area, line uint64){
			func(a mem.Area, line uint64) { *a.W64(line) = math.MaxUint64 },
			func(a mem.Area, line uint64) { *a.W64(line) = 1 << 61 },
			func(a mem.Area, line uint64) { *a.W64(line) = 5 },
			func(a mem.Area, line uint64) { *a.W32(line + 8) = 1 << 30 },
			func(a mem.Area, line uint64) { *a.W32(line + 8) = math.MaxUint32 },
		}
		for i, d := range damage {
			a := newCells(t, k, 1, 4, ScalarInt)
			line := uint64(128)
			if k == KindSlice {
				line = 0
			}
			d(a, line)
			if err := ops.Check(a); !errors.Is(err, ErrCorrupt) {
				t.Errorf("kind %d, damage %d: Check = %v", k, i, err)
			}
			if l := ops.Look(a); l.State != "corrupt" {
				t.Errorf("kind %d, damage %d: Look = %+v", k, i, l)
			}
			if _, err := AttachCells(a, k, 1, 4); !errors.Is(err, ErrCorrupt) {
				t.Errorf("kind %d, damage %d: AttachCells = %v", k, i, err)
			}
		}
		env := Env{Wake: func(*uint32, int) int { return 0 }}
		for size := uint64(0); size <= 200; size += 8 {
			for range 20 {
				a := mem.Heap(size)
				for i := uint64(0); i+8 <= size; i += 8 {
					if r.IntN(2) == 0 {
						*a.W64(i) = r.Uint64()
					}
				}
				ops.Check(a)
				ops.Look(a)
				ops.Recover(a, env, Self{Index: 3, Epoch: 1})
				AttachCells(a, k, 1, 4)
			}
		}
	}
}

// Two cells would fit where a Value is, but it is one.
func TestCellsValueIsOne(t *testing.T) {
	a := newCells(t, KindValue, 1, 4, ScalarInt)
	*a.W64(128) = 2
	ops, _ := OpsOf(KindValue)
	if err := ops.Check(a); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Check = %v", err)
	}
	if l := ops.Look(a); l.State != "corrupt" {
		t.Errorf("Look = %+v", l)
	}
}

func TestCellsLook(t *testing.T) {
	look := func(k Kind, s Scalar, width uint64, vs ...uint64) Look {
		a := newCells(t, k, uint64(len(vs)), width, s)
		p, err := AttachCells(a, k, uint64(len(vs)), width)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range vs {
			StoreCell(unsafe.Add(p, uintptr(i)*uintptr(width)), uintptr(width), v)
		}
		ops, _ := OpsOf(k)
		return ops.Look(a)
	}
	for _, tt := range []struct {
		look  Look
		value string
		n     int
	}{
		{look(KindValue, ScalarInt, 1, 0xff), "-1", 0},
		{look(KindValue, ScalarInt, 2, 0x8000), "-32768", 0},
		{look(KindValue, ScalarInt, 8, 42), "42", 0},
		{look(KindValue, ScalarUint, 1, 0xff), "255", 0},
		{look(KindValue, ScalarFloat, 8, math.Float64bits(0.1)), "0.1", 0},
		{look(KindValue, ScalarFloat, 4, uint64(math.Float32bits(0.1))), "0.1", 0},
		{look(KindValue, ScalarBool, 1, 1), "true", 0},
		{look(KindValue, ScalarBool, 1, 7), "0x07", 0},
		{look(KindValue, ScalarBytes, 4, 0xabc), "0x00000abc", 0},
		{look(KindValue, 77, 2, 1), "0x0001", 0},
		{look(KindArray, ScalarUint, 2, 1, 2, 3), "1 2 3", 3},
		{look(KindArray, ScalarUint, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9), "1 2 3 4 5 6 7 8 …", 9},
	} {
		if tt.look.Value != tt.value || tt.look.Len != tt.n {
			t.Errorf("Look = %q, %d; want %q, %d", tt.look.Value, tt.look.Len, tt.value, tt.n)
		}
	}
	a := newCells(t, KindSlice, 7, 24, ScalarBytes)
	if ops, _ := OpsOf(KindSlice); ops.Look(a).Len != 7 || ops.Name != "slice" || !strings.HasPrefix(KindArray.String(), "array") {
		t.Errorf("Look of a slice = %+v", ops.Look(a))
	}
}
