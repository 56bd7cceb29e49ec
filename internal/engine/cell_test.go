package engine

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"example.com/tandem/internal/mem"
)

var widths = []uintptr{1, 2, 4, 8}

func cut(v uint64, width uintptr) uint64 { return v << (64 - 8*width) >> (64 - 8*width) }

// A row of cells against a plain slice, one operation at a time: every cell
// does as it is told and no neighbour changes.
func TestCellsAgainstModel(t *testing.T) {
	const n = 13
	for _, width := range widths {
		r := rand.New(rand.NewPCG(uint64(width), 7))
		a := mem.Heap((n*uint64(width)+7)&^7 + 8)
		base := a.Ptr(0, n*uint64(width))
		var model [n]uint64
		for step := range 20000 {
			i := r.IntN(n)
			p := unsafe.Add(base, uintptr(i)*width)
			v, d := r.Uint64(), uint64(r.IntN(3))
			switch r.IntN(6) {
			case 0:
				StoreCell(p, width, cut(v, width))
				model[i] = cut(v, width)
			case 1:
				if old := SwapCell(p, width, cut(v, width)); old != model[i] {
					t.Fatalf("width %d step %d: Swap = %x, want %x", width, step, old, model[i])
				}
				model[i] = cut(v, width)
			case 2:
				old := cut(model[i]+d, width)
				if got := CASCell(p, width, old, cut(v, width)); got != (d == 0) {
					t.Fatalf("width %d step %d: CAS = %v", width, step, got)
				}
				if d == 0 {
					model[i] = cut(v, width)
				}
			case 3:
				model[i] = cut(model[i]+v, width)
				if got := AddCell(p, width, v); got != model[i] {
					t.Fatalf("width %d step %d: Add = %x, want %x", width, step, got, model[i])
				}
			case 4:
				old := cut(model[i]+d, width)
				if got := CASPadded(p, width, cut(math.MaxUint64, width), old, cut(v, width)); got != (d == 0) {
					t.Fatalf("width %d step %d: CASPadded = %v", width, step, got)
				}
				if d == 0 {
					model[i] = cut(v, width)
				}
			}
			for i := range n {
				if got := LoadCell(unsafe.Add(base, uintptr(i)*width), width); got != model[i] {
					t.Fatalf("width %d step %d: cell %d = %x, want %x", width, step, i, got, model[i])
				}
			}
		}
		if end := *a.W64(a.Size() - 8); end != 0 {
			t.Errorf("width %d: wrote past the cells: %x", width, end)
		}
	}
}

// Padding that somebody damaged neither fails a CAS for ever nor stays.
func TestCASPaddedIgnoresPadding(t *testing.T) {
	a := mem.Heap(8)
	p := a.Ptr(0, 8)
	StoreCell(p, 8, 0xdead_0000_0000_0007)
	if CASPadded(p, 8, 0xffff, 6, 9) {
		t.Error("CAS of another value succeeded")
	}
	if !CASPadded(p, 8, 0xffff, 7, 9) || LoadCell(p, 8) != 9 {
		t.Errorf("the cell holds %x", LoadCell(p, 8))
	}
}

// Neighbours in one word, each hammered by its own goroutine in its own way.
func TestCellsConcurrent(t *testing.T) {
	const cells, rounds = 9, 4000
	for _, width := range widths {
		a := mem.Heap(cells*8 + 8)
		base := a.Ptr(0, cells*uint64(width))
		at := func(i int) unsafe.Pointer { return unsafe.Add(base, uintptr(i)*width) }
		var wg sync.WaitGroup
		for range 2 { // two goroutines a cell
			for i := range cells - 1 {
				wg.Go(func() {
					for range rounds {
						if i%2 == 0 {
							AddCell(at(i), width, 1)
							continue
						}
						for {
							v := LoadCell(at(i), width)
							if CASCell(at(i), width, v, cut(v+1, width)) {
								break
							}
						}
					}
				})
			}
		}
		// The last cell: what is swapped out is what somebody swapped in.
		var in, out [2]uint64
		for g := range 2 {
			wg.Go(func() {
				for k := range uint64(rounds) {
					v := cut(k*2+uint64(g)+1, width)
					in[g] += v
					out[g] += SwapCell(at(cells-1), width, v)
				}
			})
		}
		wg.Wait()
		for i := range cells - 1 {
			if got := LoadCell(at(i), width); got != cut(2*rounds, width) {
				t.Errorf("width %d cell %d = %d, want %d", width, i, got, cut(2*rounds, width))
			}
		}
		if last := LoadCell(at(cells-1), width); in[0]+in[1] != out[0]+out[1]+last {
			t.Errorf("width %d: swapped %d in, %d out, %d left", width, in[0]+in[1], out[0]+out[1], last)
		}
	}
}

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

func BenchmarkCellAdd(b *testing.B) {
	for _, width := range widths {
		b.Run("width="+string(rune('0'+width)), func(b *testing.B) {
			p := mem.Heap(8).Ptr(0, 8)
			for b.Loop() {
				AddCell(p, width, 1)
			}
		})
	}
}
