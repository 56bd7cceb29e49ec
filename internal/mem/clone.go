//go:build !tandem_sim

package mem

import "unsafe"

// Clone is a copy of n bytes of payload, as Copy makes it. The compiler sees that
// all of the new memory is written, and does not zero it before.
func Clone(src unsafe.Pointer, n int) []byte {
	s := unsafe.Slice((*byte)(src), n)
	b := make([]byte, len(s))
	copy(b, s)
	return b
}
