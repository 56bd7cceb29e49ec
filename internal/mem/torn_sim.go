//go:build tandem_sim

package mem

import "unsafe"

// CopyTorn is Copy of what others may be at.
func CopyTorn(dst, src unsafe.Pointer, n uintptr) { Copy(dst, src, n) }
