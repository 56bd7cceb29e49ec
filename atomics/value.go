package atomics

import (
	"bytes"
	"reflect"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/shm"
)

// Number is what Add adds: the integers and floats, under any name.
type Number interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~int |
		~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uint |
		~float32 | ~float64
}

// A Value is one cell that holds a T, shared by all processes that open it.
//
// Its methods, but those of the lock, wait for no other process, do not fail and do not
// allocate. (Of a T that is no machine word, more than three goroutines of one process that
// store at a time take turns, and a Store may pause for microseconds for the sake of readers:
// see the package's text.) A process that dies in one, or is stopped there, has changed the cell
// or has not, and nobody waits for it. After
// the region or the handle is closed the cell reads as zero and is written
// nowhere: a CompareAndSwap of zero is then true each time.
//
// In the terminology of the [Go memory model], if the effect of an operation A on
// the cell is observed by an operation B, of whatever process, then A
// synchronizes before B. All operations on all cells behave as though executed
// in some sequentially consistent order. The n'th Unlock of the lock synchronizes
// before the return of the m'th Lock, for any n < m.
//
// [Go memory model]: https://go.dev/ref/mem
type Value[T any] struct{ handle }

// OpenValue finds the value of this name, or makes it with initial in it. T is
// plain: of fixed size, without pointers (else [shm.ErrNotPlain], naming the field
// that is not). A value that is there keeps
// what it holds, and must be of this T, field by field: shm.ErrMismatch tells
// the fields that differ. It blocks, and fails, as every OpenX does: see package shm.
func OpenValue[T any](r *shm.Region, name string, initial T) (*Value[T], error) {
	q := request{op: "atomics.OpenValue", kind: engine.KindValue, name: name, typ: reflect.TypeFor[T](), n: 1}
	switch unsafe.Sizeof(initial) {
	case 1, 2, 4, 8:
		q.initial = bits(initial)
	default:
		q.bytes = bytes.Clone(bytesOf(&initial))
	}
	h, err := q.handle(r)
	if err != nil {
		return nil, err
	}
	return &Value[T]{h}, nil
}

// Load returns what the value holds, never a mixture of two. It waits for no
// writer.
func (v *Value[T]) Load() T { return loadAt[T](&v.handle, 0) }

// Store puts x into the value.
func (v *Value[T]) Store(x T) { storeAt(&v.handle, 0, x) }

// Swap puts x into the value and returns what it held.
func (v *Value[T]) Swap(x T) (old T) { return swapAt(&v.handle, 0, x) }

// CompareAndSwap puts new into the value if it holds old, and reports whether
// it did. Values are compared by their bytes, padding apart: NaN equals the
// same NaN, and 0 and -0 differ.
func (v *Value[T]) CompareAndSwap(old, new T) bool { return casAt(&v.handle, 0, old, new) }

// Update puts f of what the value holds in its place and returns it. If the
// value changed meanwhile f runs again, on what it holds then: f should have no
// effect but its result. Nothing is held while it runs: it may use this value, and
// if it panics nothing has changed.
func (v *Value[T]) Update(f func(T) T) T { return updateAt(&v.handle, 0, f) }

// Add adds delta to the value and returns the sum. Integers wrap round.
func Add[T Number](v *Value[T], delta T) (sum T) { return addAt(&v.handle, 0, delta) }
