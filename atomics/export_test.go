package atomics

import (
	mathbits "math/bits"

	"example.com/tandem/internal/mem"
)

// Word is what the eight bytes from the cell on hold.
func Word[T any](v *Value[T]) uint64 { return *(*uint64)(v.base) }

// Bytes are those of the copy that a wide value has now, and Free is how many copies are
// free; FreeOf is that of an array's. The numbers are docs/layout.md's.
func Bytes[T any](v *Value[T]) []byte {
	l := copiesOf(&v.handle)
	copy := *l.a.W64(l.cell) & (1<<mathbits.Len64(l.n+1) - 1)
	return l.a.Bytes(l.first+(copy-1)*l.stride+8, uint64(v.typ.Size))
}

func Free[T any](v *Value[T]) int   { return copiesOf(&v.handle).free() }
func FreeOf[T any](a *Array[T]) int { return copiesOf(&a.handle).free() }

// Prepared is how many copies are in no cell and in no drain: whoever has one is between
// taking it and putting it into the cell.
func Prepared[T any](v *Value[T]) (n int) {
	l := copiesOf(&v.handle)
	named := map[uint64]bool{mem.Load64(l.a.W64(l.cell)): true}
	for at := uint64(192); at < l.cell; at += 8 {
		named[mem.Load64(l.a.W64(at))] = true
	}
	for k := range l.n {
		tag := l.tag(k)
		if word := tag<<13>>13<<mathbits.Len64(l.n+1) | (k + 1); tag>>53 != 0 && !named[word] {
			n++
		}
	}
	return n
}

// copies is where the copies of a wide value, or of an array's, lie.
type copies struct {
	a                      mem.Area
	cell, first, stride, n uint64
}

func copiesOf(h *handle) copies {
	l := copies{a: h.core.Area, stride: (8 + uint64(h.typ.Size) + 7) &^ 7}
	if l.stride <= 64 {
		l.stride = 1 << mathbits.Len64(l.stride-1)
	} else {
		l.stride = (l.stride + 63) &^ 63
	}
	cells, rows, spares := *l.a.W64(128), uint64(*l.a.W32(144)), uint64(*l.a.W32(148))
	perLine := uint64(2) // drains: of three, in 32 bytes, or of one
	if spares == 1 {
		perLine = 8
	}
	l.cell = 192 + (rows+perLine-1)/perLine*64
	l.first = l.cell + (8*cells+63)&^63
	l.n = cells + rows*spares
	return l
}

func (l copies) tag(k uint64) uint64 { return mem.Load64(l.a.W64(l.first + k*l.stride)) }

func (l copies) free() (n int) {
	for k := range l.n {
		if l.tag(k)>>53 == 0 {
			n++
		}
	}
	return n
}
