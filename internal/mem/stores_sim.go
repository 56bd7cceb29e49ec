//go:build tandem_sim

package mem

import "unsafe"

// The stores without a fence: they are late.

// Release64 stores a word after all stores that precede it.
func Release64(p *uint64, v uint64) { late64(at64(p), v); after() }

// Hint64 stores a word that is only shown.
func Hint64(p *uint64, v uint64) { late64(at64(p), v); after() }

func late64(p *uint64, v uint64) {
	if s := (store{p: unsafe.Pointer(p), n: 8, word: v}); !put(s) {
		s.show()
	}
}

// Copy is two accesses: a death or another thread may come between the halves.
func Copy(dst, src unsafe.Pointer, n uintptr) {
	point()
	half(dst, src, 0, n/2)
	point()
	half(dst, src, n/2, n)
}

// CopyRacing is Copy.
func CopyRacing(dst, src unsafe.Pointer, n uintptr) { Copy(dst, src, n) }

// CopyWord is Copy of 8 bytes.
func CopyWord(dst, src unsafe.Pointer) { Copy(dst, src, 8) }

// CopyShort is Copy of few bytes.
func CopyShort(dst, src unsafe.Pointer, n uintptr) { Copy(dst, src, n) }

func half(dst, src unsafe.Pointer, from, to uintptr) {
	if from == to {
		return
	}
	d, s := unsafe.Add(Place(dst), from), unsafe.Add(Place(src), from)
	settled(s, to-from)
	b := unsafe.Slice((*byte)(s), to-from)
	if !put(store{p: d, n: to - from, bytes: append([]byte(nil), b...)}) {
		copy(unsafe.Slice((*byte)(d), to-from), b)
	}
}

// Zero clears n bytes.
func Zero(p unsafe.Pointer, n uintptr) {
	point()
	if n == 0 {
		return
	}
	if p = Place(p); !put(store{p: p, n: n, bytes: make([]byte, n)}) {
		clear(unsafe.Slice((*byte)(p), n))
	}
}
