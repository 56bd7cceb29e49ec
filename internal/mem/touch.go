package mem

import "unsafe"

// Looked reads the first and the last of n bytes of a user's, of a page at most: what is
// not there fails here, and not where something is in hand.
//
//go:noinline
func Looked(p unsafe.Pointer, n uintptr) byte {
	if n == 0 {
		return 0
	}
	return *(*byte)(p) ^ *(*byte)(unsafe.Add(p, n-1))
}

// Touched writes them as well, as they are.
func Touched(p unsafe.Pointer, n uintptr) {
	if n > 0 {
		same((*byte)(p), (*byte)(p))
		last := (*byte)(unsafe.Add(p, n-1))
		same(last, last)
	}
}

// same is apart, so that it is not left out as what changes nothing.
//
//go:noinline
func same(to, from *byte) { *to = *from }
