package atomics

import (
	"unsafe"

	"example.com/tandem/internal/mem"
)

// bits are the bytes of x, a value of 1, 2, 4 or 8, as a number. Between its
// fields there may be anything: the caller masks it.
func bits[T any](x T) uint64 {
	switch unsafe.Sizeof(x) {
	case 1:
		return uint64(*(*uint8)(unsafe.Pointer(&x)))
	case 2:
		return uint64(*(*uint16)(unsafe.Pointer(&x)))
	case 4:
		return uint64(*(*uint32)(unsafe.Pointer(&x)))
	}
	return *(*uint64)(unsafe.Pointer(&x))
}

// value is the T of these bytes.
func value[T any](w uint64) T { return *(*T)(unsafe.Pointer(&w)) }

// floats reports whether T has halves.
func floats[T Number]() bool { return T(1)/T(2) != 0 }

// The words of mem, once more. Generic code is compiled in the package that
// uses it, and there the compiler inlines a function of a third package only
// if this package has inlined it too, outside of generic code: it does here.

func load64(p unsafe.Pointer) uint64           { return mem.Load64((*uint64)(p)) }
func load32(p unsafe.Pointer) uint64           { return uint64(mem.Load32((*uint32)(p))) }
func store64(p unsafe.Pointer, w uint64)       { mem.Store64((*uint64)(p), w) }
func store32(p unsafe.Pointer, w uint64)       { mem.Store32((*uint32)(p), uint32(w)) }
func swap64(p unsafe.Pointer, w uint64) uint64 { return mem.Swap64((*uint64)(p), w) }
func swap32(p unsafe.Pointer, w uint64) uint64 { return uint64(mem.Swap32((*uint32)(p), uint32(w))) }
func cas64(p unsafe.Pointer, o, n uint64) bool { return mem.CAS64((*uint64)(p), o, n) }
func cas32(p unsafe.Pointer, o, n uint64) bool { return mem.CAS32((*uint32)(p), uint32(o), uint32(n)) }
func add64(p unsafe.Pointer, d uint64) uint64  { return mem.Add64((*uint64)(p), d) }
func add32(p unsafe.Pointer, d uint64) uint64  { return uint64(mem.Add32((*uint32)(p), uint32(d))) }
