package atomics

import (
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/plain"
)

// A handle is a row of cells: an Array's, or a Value's one. Its operations are
// functions, for methods cannot be generic; the methods of Value and Array are
// calls of them and inline to that. T's size is a constant in each, and of
// every switch on it one case is left. What is here is of cells that are words;
// wide.go has the others. (Which it is is asked by an expression of constants:
// what is left of the branch is nothing then, and x stays in a register.)
//
// The race detector does not see mapped memory, so each operation says what an
// atomic one of Go says by itself: a write of a cell releases it, before, and a
// read acquires it, after.
type handle struct {
	locker
	base   unsafe.Pointer // the first cell
	index  []struct{}     // as long as the row: indexing it is the check of an index
	data   uint64         // the bits of a cell that count: no padding
	padded bool           // some do not
	typ    *plain.Type
	wide   *engine.Wide // of a T that is no word
	mended bool         // a value of that may be no T in a region that was damaged
}

// gone reports that the handle was closed, or that its region was and is not
// there any more. Until then a cell is what it is: a goroutine that read a zero
// already, and wrote what follows from that, would write it to the region.
//
//go:noinline
func (h *handle) gone() bool { return h.core.Ended() || !h.core.Gate.Stands() }

// at is where cell i is.
func at[T any](h *handle, i int) unsafe.Pointer {
	_ = h.index[i]
	var x T
	return unsafe.Add(h.base, uintptr(i)*unsafe.Sizeof(x))
}

func loadAt[T any](h *handle, i int) (x T) {
	if unsafe.Sizeof(x) != 8 && unsafe.Sizeof(x) != 4 && unsafe.Sizeof(x) != 2 && unsafe.Sizeof(x) != 1 {
		h.loadWide(i, unsafe.Pointer(&x))
		return x
	}
	p := at[T](h, i)
	if h.closed.Load() && h.gone() {
		return x
	}
	var w uint64
	switch unsafe.Sizeof(x) {
	case 8:
		w = load64(p)
	case 4:
		w = load32(p)
	default:
		w = engine.LoadCell(p, unsafe.Sizeof(x))
	}
	if mem.RaceEnabled {
		h.acquired(i)
	}
	h.core.KeepAlive()
	return value[T](w & h.data)
}

func storeAt[T any](h *handle, i int, x T) {
	if unsafe.Sizeof(x) != 8 && unsafe.Sizeof(x) != 4 && unsafe.Sizeof(x) != 2 && unsafe.Sizeof(x) != 1 {
		h.storeWide(i, unsafe.Pointer(&x))
		return
	}
	p := at[T](h, i)
	w := bits(x) & h.data
	if h.closed.Load() && h.gone() {
		return
	}
	if mem.RaceEnabled {
		h.releases(i)
	}
	switch unsafe.Sizeof(x) {
	case 8:
		store64(p, w)
	case 4:
		store32(p, w)
	default:
		engine.StoreCell(p, unsafe.Sizeof(x), w)
	}
	h.core.KeepAlive()
}

func swapAt[T any](h *handle, i int, x T) (old T) {
	if unsafe.Sizeof(x) != 8 && unsafe.Sizeof(x) != 4 && unsafe.Sizeof(x) != 2 && unsafe.Sizeof(x) != 1 {
		h.swapWide(i, unsafe.Pointer(&x), unsafe.Pointer(&old))
		return old
	}
	p := at[T](h, i)
	w := bits(x) & h.data
	if h.closed.Load() && h.gone() {
		return old
	}
	if mem.RaceEnabled {
		h.releases(i)
	}
	switch unsafe.Sizeof(x) {
	case 8:
		w = swap64(p, w)
	case 4:
		w = swap32(p, w)
	default:
		w = engine.SwapCell(p, unsafe.Sizeof(x), w)
	}
	if mem.RaceEnabled {
		h.acquired(i)
	}
	h.core.KeepAlive()
	return value[T](w & h.data)
}

func casAt[T any](h *handle, i int, old, new T) (ok bool) {
	if unsafe.Sizeof(old) != 8 && unsafe.Sizeof(old) != 4 && unsafe.Sizeof(old) != 2 && unsafe.Sizeof(old) != 1 {
		var is T
		return h.casWide(i, unsafe.Pointer(&old), unsafe.Pointer(&new), unsafe.Pointer(&is))
	}
	p := at[T](h, i)
	o, n := bits(old)&h.data, bits(new)&h.data
	if h.closed.Load() && h.gone() {
		return o == 0
	}
	if mem.RaceEnabled {
		h.releases(i)
	}
	switch {
	case h.padded:
		ok = engine.CASPadded(p, unsafe.Sizeof(old), h.data, o, n)
	case unsafe.Sizeof(old) == 8:
		ok = cas64(p, o, n)
	case unsafe.Sizeof(old) == 4:
		ok = cas32(p, o, n)
	default:
		ok = engine.CASCell(p, unsafe.Sizeof(old), o, n)
	}
	if mem.RaceEnabled {
		h.acquired(i)
	}
	h.core.KeepAlive()
	return ok
}

// updateAt compares what f was given whole, padding included, which may be
// anything in a damaged region: so it does end.
func updateAt[T any](h *handle, i int, f func(T) T) T {
	var x T
	if unsafe.Sizeof(x) != 8 && unsafe.Sizeof(x) != 4 && unsafe.Sizeof(x) != 2 && unsafe.Sizeof(x) != 1 {
		return updateWide(h, i, f)
	}
	p := at[T](h, i)
	for {
		x = *new(T)
		if h.closed.Load() && h.gone() {
			return f(x)
		}
		old := engine.LoadCell(p, unsafe.Sizeof(x))
		if mem.RaceEnabled {
			h.acquired(i)
		}
		x = f(value[T](old & h.data))
		if mem.RaceEnabled {
			h.releases(i)
		}
		if engine.CASCell(p, unsafe.Sizeof(x), old, bits(x)&h.data) {
			if mem.RaceEnabled {
				h.acquired(i)
			}
			h.core.KeepAlive()
			return x
		}
	}
}

func addAt[T Number](h *handle, i int, delta T) (sum T) {
	p := at[T](h, i)
	if h.closed.Load() && h.gone() {
		return delta
	}
	if mem.RaceEnabled {
		h.releases(i)
	}
	switch {
	case floats[T]():
		for {
			old := engine.LoadCell(p, unsafe.Sizeof(sum))
			sum = value[T](old) + delta
			if engine.CASCell(p, unsafe.Sizeof(sum), old, bits(sum)) {
				break
			}
		}
	case unsafe.Sizeof(sum) == 8:
		sum = T(add64(p, uint64(delta)))
	case unsafe.Sizeof(sum) == 4:
		sum = T(add32(p, uint64(delta)))
	default:
		sum = T(engine.AddCell(p, unsafe.Sizeof(sum), uint64(delta)))
	}
	if mem.RaceEnabled {
		h.acquired(i)
	}
	h.core.KeepAlive()
	return sum
}
