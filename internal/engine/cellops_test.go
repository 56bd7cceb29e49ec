package engine

import (
	"math"
	"math/rand/v2"
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
