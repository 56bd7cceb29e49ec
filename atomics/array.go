package atomics

import (
	"iter"
	"reflect"

	"example.com/tandem/internal/engine"
	"example.com/tandem/shm"
)

// An Array is a row of cells that hold a T each, shared by all processes that
// open it. What is said of [Value] holds for each cell, and for the lock. An index
// out of range panics, as a slice's does.
type Array[T any] struct{ handle }

// OpenArray finds the array of this name, or makes it with n cells of zero. An
// n of 0 takes what is there, or fs.ErrNotExist; below 0 it is fs.ErrInvalid.
// T, errors and whom it waits for are as in [OpenValue]; another length than that
// of the array is [shm.ErrMismatch]; more than there is memory for, or 2^30 where T
// is no machine word, is [shm.ErrNoSpace].
func OpenArray[T any](r *shm.Region, name string, n int) (*Array[T], error) {
	q := request{op: "atomics.OpenArray", kind: engine.KindArray, name: name, typ: reflect.TypeFor[T](), n: n}
	h, err := q.handle(r)
	if err != nil {
		return nil, err
	}
	return &Array[T]{h}, nil
}

// Len returns how many cells there are. It stays the same, after Close too.
func (a *Array[T]) Len() int { return len(a.index) }

// Load returns what cell i holds, never a mixture of two.
func (a *Array[T]) Load(i int) T { return loadAt[T](&a.handle, i) }

// Store puts x into cell i.
func (a *Array[T]) Store(i int, x T) { storeAt(&a.handle, i, x) }

// Swap puts x into cell i and returns what it held.
func (a *Array[T]) Swap(i int, x T) (old T) { return swapAt(&a.handle, i, x) }

// CompareAndSwap puts new into cell i if it holds old, and reports whether it
// did; see Value.CompareAndSwap for when two values are the same.
func (a *Array[T]) CompareAndSwap(i int, old, new T) bool {
	return casAt(&a.handle, i, old, new)
}

// Update puts f of what cell i holds in its place and returns it. f may run
// again, see Value.Update.
func (a *Array[T]) Update(i int, f func(T) T) T { return updateAt(&a.handle, i, f) }

// AddAt adds delta to cell i and returns the sum. Integers wrap round.
func AddAt[T Number](a *Array[T], i int, delta T) (sum T) { return addAt(&a.handle, i, delta) }

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
