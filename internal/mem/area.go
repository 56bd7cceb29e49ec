package mem

import "unsafe"

// An Area is a run of bytes that holds one object's words: part of a mapping,
// or heap bytes in a test. It does not own them.
type Area struct {
	base unsafe.Pointer
	size uint64
}

// At is the area of size bytes from p on; p is 8-aligned at least.
func At(p unsafe.Pointer, size uint64) Area { return Area{p, size} }

// Heap is an area of zeroed Go memory, 128-aligned, for tests and scratch.
func Heap(size uint64) Area {
	b := make([]byte, size+128)
	off := -uintptr(unsafe.Pointer(&b[0])) & 127
	a := Area{unsafe.Pointer(&b[off]), size}
	made(a)
	return a
}

func (a Area) Size() uint64 { return a.size }

// Has reports whether n bytes from off on lie in the area. Subtraction, so
// that no offset read from shared memory can overflow the sum.
func (a Area) Has(off, n uint64) bool { return off <= a.size && n <= a.size-off }

// Sub is the part of n bytes from off on. Like all that follow it panics when
// the part is not in the area: an offset that another process may have
// written is checked with Has, or against a private copy, before it gets here.
func (a Area) Sub(off, n uint64) Area { return Area{a.ptr(off, n), n} }

func (a Area) ptr(off, n uint64) unsafe.Pointer {
	if off > a.size || n > a.size-off {
		panic("tandem: offset outside of the object (a bug in tandem)")
	}
	return unsafe.Add(a.base, off)
}

func (a Area) Ptr(off, n uint64) unsafe.Pointer { return a.ptr(off, n) }
func (a Area) W32(off uint64) *uint32           { return (*uint32)(a.ptr(off, 4)) }
func (a Area) W64(off uint64) *uint64           { return (*uint64)(a.ptr(off, 8)) }
func (a Area) Bytes(off, n uint64) []byte       { return unsafe.Slice((*byte)(a.ptr(off, n)), n) }
