//go:build race && !tandem_sim

package mem

import "unsafe"

// CopyTorn is by hand here: of copy the race detector is told.
//
//go:norace
func CopyTorn(dst, src unsafe.Pointer, n uintptr) {
	for i := range n {
		*(*byte)(unsafe.Add(dst, i)) = *(*byte)(unsafe.Add(src, i))
	}
}
