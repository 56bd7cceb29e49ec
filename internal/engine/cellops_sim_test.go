//go:build tandem_sim

package engine_test

import (
	"testing"
	"unsafe"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// A small cell's operation succeeds at the first call though its neighbours in
// the word change before each of its accesses: it has tried again. Only a
// change of the cell itself is one.
func TestSimCellsBesideBusyNeighbours(t *testing.T) {
	for _, width := range []uintptr{1, 2} {
		for i := range 4 / width {
			for name, op := range map[string]func(p unsafe.Pointer) bool{
				"CAS":    func(p unsafe.Pointer) bool { return CASCell(p, width, 7, 9) },
				"padded": func(p unsafe.Pointer) bool { return CASPadded(p, width, 0xff, 7, 9) },
				"swap":   func(p unsafe.Pointer) bool { return SwapCell(p, width, 9) == 7 },
				"add":    func(p unsafe.Pointer) bool { return AddCell(p, width, 2) == 9 },
				"store":  func(p unsafe.Pointer) bool { StoreCell(p, width, 9); return true },
			} {
				p := mem.Heap(8).Ptr(0, 8)
				StoreCell(unsafe.Add(p, i*width), width, 7)
				turns := uint64(0)
				at(func() bool { return turns < 5 }, func() {
					turns++
					for k := range 4 / width {
						if k != i {
							AddCell(unsafe.Add(p, k*width), width, 1)
						}
					}
				})
				ok := op(unsafe.Add(p, i*width))
				mem.Point = nil
				if !ok || turns < 5 {
					t.Errorf("%s of cell %d of %d bytes: %v after %d changes of its neighbours", name, i, width, ok, turns)
				}
				for k := range 4 / width {
					want := turns
					if k == i {
						want = 9
					}
					if got := LoadCell(unsafe.Add(p, k*width), width); got != want {
						t.Errorf("%s of cell %d of %d bytes: cell %d is %d, want %d", name, i, width, k, got, want)
					}
				}
			}
		}
	}
}

// Where only padding changed a padded CAS succeeds too.
func TestSimCASPaddedBesideChangingPadding(t *testing.T) {
	for _, width := range []uintptr{2, 4, 8} {
		p := mem.Heap(8).Ptr(0, 8)
		StoreCell(p, width, 7)
		turns := 0
		at(func() bool { return turns < 5 }, func() {
			turns++
			AddCell(p, width, 1<<8)
		})
		ok := CASPadded(p, width, 0xff, 7, 9)
		if mem.Point = nil; !ok || LoadCell(p, width) != 9 {
			t.Errorf("%d bytes: %v, and the cell is %#x", width, ok, LoadCell(p, width))
		}
	}
}
