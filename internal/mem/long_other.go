//go:build !tandem_sim && (!amd64 || race)

package mem

import "unsafe"

// Copy copies n bytes of payload. It promises no atomicity and no order: the
// caller owns both sides, by a claim or because nobody else knows of them.
func Copy(dst, src unsafe.Pointer, n uintptr) {
	copy(unsafe.Slice((*byte)(dst), n), unsafe.Slice((*byte)(src), n))
}
