//go:build !tandem_sim && !race

package mem

import "unsafe"

// CopyTorn is Copy from what others may be writing, or to what others may be reading: a
// look at a word tells afterwards whether what was read is whole. The race detector does not
// see it.
func CopyTorn(dst, src unsafe.Pointer, n uintptr) {
	copy(unsafe.Slice((*byte)(dst), n), unsafe.Slice((*byte)(src), n))
}
