package atomics

import "unsafe"

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
