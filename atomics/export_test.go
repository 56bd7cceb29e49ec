package atomics

import (
	mathbits "math/bits"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// Word is what the eight bytes from the cell on hold.
func Word[T any](v *Value[T]) uint64 { return *(*uint64)(v.base) }

// Bytes are those of the copy that a wide value of up to 56 bytes has now, and Free is
// how many copies are free. The numbers are docs/layout.md's.
func Bytes[T any](v *Value[T]) []byte {
	a, size, cell, stride, copies := wideAt(v)
	copy := *a.W64(cell) & (1<<mathbits.Len64(copies+1) - 1)
	return a.Bytes(cell+64+(copy-1)*stride+8, size)
}

func Free[T any](v *Value[T]) (n int) {
	a, _, cell, stride, copies := wideAt(v)
	for k := range copies {
		if mem.Load64(a.W64(cell+64+k*stride))>>53 == 0 {
			n++
		}
	}
	return n
}

// Prepared is how many copies are in no cell and in no drain: whoever has one is between
// taking it and putting it into the cell.
func Prepared[T any](v *Value[T]) (n int) {
	a, _, cell, stride, copies := wideAt(v)
	named := map[uint64]bool{mem.Load64(a.W64(cell)): true}
	for at := uint64(192); at < cell; at += 8 {
		named[mem.Load64(a.W64(at))] = true
	}
	for k := range copies {
		tag := mem.Load64(a.W64(cell + 64 + k*stride))
		if word := tag<<13>>13<<mathbits.Len64(copies+1) | (k + 1); tag>>53 != 0 && !named[word] {
			n++
		}
	}
	return n
}

func wideAt[T any](v *Value[T]) (a mem.Area, size, cell, stride, copies uint64) {
	var x T
	size, a = uint64(unsafe.Sizeof(x)), v.core.Area
	rows := uint64(*a.W32(144))
	return a, size, 192 + (rows+1)/2*64, 1 << mathbits.Len64(8+size-1), 1 + 3*rows
}
