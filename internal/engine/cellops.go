package engine

import (
	"unsafe"

	"example.com/tandem/internal/mem"
)

// A cell is a value of 1, 2, 4 or 8 bytes that many processes read and write:
// one machine word, or a part of one. A cell of 4 or 8 bytes is a word of its
// own, aligned to its size. Smaller ones share an aligned word of 32 bits,
//
//	 31      24 23      16 15       8 7        0
//	+----------+----------+----------+----------+
//	|  cell 3  |  cell 2  |  cell 1  |  cell 0  |   1 byte each
//	+----------+----------+----------+----------+
//	|       cell 1        |       cell 0        |   2 bytes each
//	+---------------------+---------------------+
//
// and are read with it and changed by CAS on it, which leaves the neighbours
// as they are. Other than a cell of its own word, a small one may have to try
// again because a neighbour changed; then that neighbour's writer got on.
//
// Values are the cell's bytes as a little-endian number, zero-extended. Every
// operation is one atomic instruction that is a full fence (loads: in the one
// order of all atomics), or a loop with one that succeeds.
//
// Death: before that instruction nothing has happened, after it everything
// has. No step leaves a state to repair.

// LoadCell loads the cell of width bytes at p. Where width is a constant only
// the one case is left of it.
func LoadCell(p unsafe.Pointer, width uintptr) uint64 {
	switch width {
	case 8:
		return mem.Load64((*uint64)(p))
	case 4:
		return uint64(mem.Load32((*uint32)(p)))
	}
	w, shift, mask := around(p, width)
	return uint64(mem.Load32(w) >> shift & mask)
}

// StoreCell stores into the cell; SwapCell does and returns the old value.
func StoreCell(p unsafe.Pointer, width uintptr, v uint64) { SwapCell(p, width, v) }

func SwapCell(p unsafe.Pointer, width uintptr, v uint64) (old uint64) {
	switch width {
	case 8:
		return mem.Swap64((*uint64)(p), v)
	case 4:
		return uint64(mem.Swap32((*uint32)(p), uint32(v)))
	}
	w, shift, mask := around(p, width)
	for {
		old := mem.Load32(w)
		if mem.CAS32(w, old, old&^(mask<<shift)|uint32(v)&mask<<shift) {
			return uint64(old >> shift & mask)
		}
	}
}

// CASCell puts new in the place of old, and reports whether old was there.
func CASCell(p unsafe.Pointer, width uintptr, old, new uint64) bool {
	switch width {
	case 8:
		return mem.CAS64((*uint64)(p), old, new)
	case 4:
		return mem.CAS32((*uint32)(p), uint32(old), uint32(new))
	}
	w, shift, mask := around(p, width)
	for {
		v := mem.Load32(w)
		if v>>shift&mask != uint32(old)&mask {
			return false
		}
		if mem.CAS32(w, v, v&^(mask<<shift)|uint32(new)&mask<<shift) {
			return true
		}
	}
}

// CASPadded is CASCell for values of which only the bits of data count. What
// stands between them is zero, unless the region was damaged: it is ignored
// there, so that no loop that waits for its success is endless.
func CASPadded(p unsafe.Pointer, width uintptr, data, old, new uint64) bool {
	for {
		v := LoadCell(p, width)
		if v&data != old&data {
			return false
		}
		if CASCell(p, width, v, new) {
			return true
		}
	}
}

// AddCell adds an integer, or the complement of one, and returns the new
// value. It wraps round as the integers of that width do.
func AddCell(p unsafe.Pointer, width uintptr, delta uint64) uint64 {
	switch width {
	case 8:
		return mem.Add64((*uint64)(p), delta)
	case 4:
		return uint64(mem.Add32((*uint32)(p), uint32(delta)))
	}
	w, shift, mask := around(p, width)
	for {
		v := mem.Load32(w)
		n := (v>>shift + uint32(delta)) & mask
		if mem.CAS32(w, v, v&^(mask<<shift)|n<<shift) {
			return uint64(n)
		}
	}
}

// around returns the aligned word of 32 bits that contains the cell at p, which
// has 1 or 2 bytes, and the cell's shift and mask in that word. The word lies in
// the object: after the last cell there are zeroes up to a multiple of 8.
func around(p unsafe.Pointer, width uintptr) (w *uint32, shift, mask uint32) {
	at := uintptr(p) & 3
	return (*uint32)(unsafe.Add(p, -int(at))), uint32(at * 8), 1<<(width*8) - 1
}
