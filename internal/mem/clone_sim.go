//go:build tandem_sim

package mem

import "unsafe"

// Clone is Copy into new memory.
func Clone(src unsafe.Pointer, n int) []byte {
	b := make([]byte, n)
	if n > 0 {
		Copy(unsafe.Pointer(unsafe.SliceData(b)), src, uintptr(n))
	}
	return b
}
