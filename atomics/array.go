package atomics

import (
	"iter"
	"reflect"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/shm"
)

// An Array is a row of cells that hold a T each, shared by all processes that
// open it. What is said of Value holds for each cell. An index out of range
// panics, as a slice's does.
type Array[T any] struct {
	handle
	index []struct{} // as long as the array: indexing it is the check of an index
}

// OpenArray finds the array of this name, or makes it with n cells of zero. An
// n of 0 takes what is there, or fs.ErrNotExist; below 0 it is fs.ErrInvalid.
// T and errors are as in OpenValue; another length than that of the array is
// shm.ErrMismatch.
func OpenArray[T any](r *shm.Region, name string, n int) (*Array[T], error) {
	q := request{op: "atomics.OpenArray", kind: engine.KindArray, name: name, typ: reflect.TypeFor[T](), n: n}
	h, n, err := q.handle(r)
	if err != nil {
		return nil, err
	}
	return &Array[T]{h, make([]struct{}, n)}, nil
}

// Len returns how many cells there are. It stays the same, after Close too.
func (a *Array[T]) Len() int { return len(a.index) }

// cell is where cell i is.
func (a *Array[T]) cell(i int) unsafe.Pointer {
	_ = a.index[i]
	var x T
	return unsafe.Add(a.base, uintptr(i)*unsafe.Sizeof(x))
}

// Load returns what cell i holds, never a mixture of two.
func (a *Array[T]) Load(i int) (x T) {
	p := a.cell(i)
	if a.closed.Load() {
		return x
	}
	w := engine.LoadCell(p, unsafe.Sizeof(x)) & a.data
	if mem.RaceEnabled {
		a.acquired(i)
	}
	a.core.KeepAlive()
	return value[T](w)
}

// Store puts x into cell i.
func (a *Array[T]) Store(i int, x T) {
	p := a.cell(i)
	if mem.RaceEnabled {
		a.releases(i)
	}
	w := bits(x) & a.data
	switch unsafe.Sizeof(x) {
	case 8:
		mem.Store64((*uint64)(p), w)
	case 4:
		mem.Store32((*uint32)(p), uint32(w))
	default:
		engine.StoreCell(p, unsafe.Sizeof(x), w)
	}
	a.core.KeepAlive()
}

// Swap puts x into cell i and returns what it held.
func (a *Array[T]) Swap(i int, x T) (old T) {
	p := a.cell(i)
	if a.closed.Load() {
		return old
	}
	if mem.RaceEnabled {
		a.releases(i)
	}
	w := bits(x) & a.data
	switch unsafe.Sizeof(x) {
	case 8:
		w = mem.Swap64((*uint64)(p), w)
	case 4:
		w = uint64(mem.Swap32((*uint32)(p), uint32(w)))
	default:
		w = engine.SwapCell(p, unsafe.Sizeof(x), w)
	}
	if mem.RaceEnabled {
		a.acquired(i)
	}
	a.core.KeepAlive()
	return value[T](w & a.data)
}

// CompareAndSwap puts new into cell i if it holds old, and reports whether it
// did; see Value.CompareAndSwap for when two values are the same.
func (a *Array[T]) CompareAndSwap(i int, old, new T) (ok bool) {
	p := a.cell(i)
	o, n := bits(old)&a.data, bits(new)&a.data
	if a.closed.Load() {
		return o == 0
	}
	if mem.RaceEnabled {
		a.releases(i)
	}
	switch {
	case a.padded:
		ok = engine.CASPadded(p, unsafe.Sizeof(old), a.data, o, n)
	case unsafe.Sizeof(old) == 8:
		ok = mem.CAS64((*uint64)(p), o, n)
	case unsafe.Sizeof(old) == 4:
		ok = mem.CAS32((*uint32)(p), uint32(o), uint32(n))
	default:
		ok = engine.CASCell(p, unsafe.Sizeof(old), o, n)
	}
	if mem.RaceEnabled {
		a.acquired(i)
	}
	a.core.KeepAlive()
	return ok
}

// Update puts f of what cell i holds in its place and returns it. f may run
// again, see Value.Update.
func (a *Array[T]) Update(i int, f func(T) T) T {
	p := a.cell(i)
	for {
		var x T
		if a.closed.Load() {
			return f(x)
		}
		old := engine.LoadCell(p, unsafe.Sizeof(x))
		if mem.RaceEnabled {
			a.acquired(i)
		}
		x = f(value[T](old & a.data))
		if mem.RaceEnabled {
			a.releases(i)
		}
		if engine.CASCell(p, unsafe.Sizeof(x), old, bits(x)&a.data) {
			if mem.RaceEnabled {
				a.acquired(i)
			}
			a.core.KeepAlive()
			return x
		}
	}
}

// AddAt adds delta to cell i and returns the sum. Integers wrap round.
func AddAt[T Number](a *Array[T], i int, delta T) (sum T) {
	p := a.cell(i)
	if a.closed.Load() {
		return delta
	}
	if mem.RaceEnabled {
		a.releases(i)
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
		sum = T(mem.Add64((*uint64)(p), uint64(delta)))
	case unsafe.Sizeof(sum) == 4:
		sum = T(mem.Add32((*uint32)(p), uint32(delta)))
	default:
		sum = T(engine.AddCell(p, unsafe.Sizeof(sum), uint64(delta)))
	}
	if mem.RaceEnabled {
		a.acquired(i)
	}
	a.core.KeepAlive()
	return sum
}

// CopyTo loads cells 0, 1, … into dst, as many as both have, and returns how
// many. Each is loaded for itself: others may change meanwhile.
func (a *Array[T]) CopyTo(dst []T) int {
	n := min(len(dst), len(a.index))
	for i := range dst[:n] {
		dst[i] = a.Load(i)
	}
	return n
}

// CopyFrom stores src into cells 0, 1, …, as many as both have, and returns
// how many. Each is stored for itself: a process that dies meanwhile has
// stored the first ones.
func (a *Array[T]) CopyFrom(src []T) int {
	n := min(len(src), len(a.index))
	for i, x := range src[:n] {
		a.Store(i, x)
	}
	return n
}

// All yields every index and what its cell holds when it is its turn.
func (a *Array[T]) All() iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		for i := range a.index {
			if !yield(i, a.Load(i)) {
				return
			}
		}
	}
}
