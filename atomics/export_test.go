package atomics

import (
	mathbits "math/bits"
	"unsafe"
)

// Word is what the eight bytes from the cell on hold.
func Word[T any](v *Value[T]) uint64 { return *(*uint64)(v.base) }

// Bytes are those of the copy that a wide value of up to 56 bytes has now.
func Bytes[T any](v *Value[T]) []byte {
	var x T
	size, a := uint64(unsafe.Sizeof(x)), v.core.Area
	rows := uint64(*a.W32(144))
	cell := 192 + (rows+1)/2*64
	stride := uint64(1) << mathbits.Len64(8+size-1)
	copy := *a.W64(cell) & (1<<mathbits.Len64(3*rows) - 1)
	return a.Bytes(cell+64+copy*stride+8, size)
}
