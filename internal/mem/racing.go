//go:build !tandem_sim && !race

package mem

import "unsafe"

// CopyRacing is Copy of what others may be writing, or reading, at the same time: a
// later look at a word says whether they did, and nothing is made of the bytes if so.
func CopyRacing(dst, src unsafe.Pointer, n uintptr) { Copy(dst, src, n) }
