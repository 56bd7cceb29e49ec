package atomics

import (
	"reflect"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
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
// Its methods, but those of the lock, do not block, do not fail and do not
// allocate. A process that dies in one has changed the cell or has not. After
// the region is closed the cell reads as zero and is written nowhere.
type Value[T any] struct{ handle }

// OpenValue finds the value of this name, or makes it with initial in it. T is
// of 1, 2, 4 or 8 bytes (else errors.ErrUnsupported) and plain (else
// shm.ErrNotPlain, naming the field that is not). A value that is there keeps
// what it holds, and must be of this T, field by field: shm.ErrMismatch tells
// the fields that differ. OpenValue waits for nobody but, for moments, another
// process that opens or removes objects.
func OpenValue[T any](r *shm.Region, name string, initial T) (*Value[T], error) {
	q := request{op: "atomics.OpenValue", kind: engine.KindValue, name: name, typ: reflect.TypeFor[T](), n: 1}
	switch unsafe.Sizeof(initial) {
	case 1, 2, 4, 8:
		q.initial = bits(initial)
	}
	h, _, err := q.handle(r)
	if err != nil {
		return nil, err
	}
	return &Value[T]{h}, nil
}

// Load returns what the value holds, never a mixture of two. It waits for no
// writer.
func (v *Value[T]) Load() (x T) {
	if v.closed.Load() {
		return x
	}
	w := engine.LoadCell(v.base, unsafe.Sizeof(x)) & v.data
	if mem.RaceEnabled {
		v.acquired(0)
	}
	v.core.KeepAlive()
	return value[T](w)
}

// Store puts x into the value.
func (v *Value[T]) Store(x T) {
	if mem.RaceEnabled {
		v.releases(0)
	}
	w := bits(x) & v.data
	switch unsafe.Sizeof(x) {
	case 8:
		mem.Store64((*uint64)(v.base), w)
	case 4:
		mem.Store32((*uint32)(v.base), uint32(w))
	default:
		engine.StoreCell(v.base, unsafe.Sizeof(x), w)
	}
	v.core.KeepAlive()
}

// Swap puts x into the value and returns what it held.
func (v *Value[T]) Swap(x T) (old T) {
	if v.closed.Load() {
		return old
	}
	if mem.RaceEnabled {
		v.releases(0)
	}
	w := bits(x) & v.data
	switch unsafe.Sizeof(x) {
	case 8:
		w = mem.Swap64((*uint64)(v.base), w)
	case 4:
		w = uint64(mem.Swap32((*uint32)(v.base), uint32(w)))
	default:
		w = engine.SwapCell(v.base, unsafe.Sizeof(x), w)
	}
	if mem.RaceEnabled {
		v.acquired(0)
	}
	v.core.KeepAlive()
	return value[T](w & v.data)
}

// CompareAndSwap puts new into the value if it holds old, and reports whether
// it did. Values are compared by their bytes, padding apart: NaN equals the
// same NaN, and 0 and -0 differ.
func (v *Value[T]) CompareAndSwap(old, new T) (ok bool) {
	o, n := bits(old)&v.data, bits(new)&v.data
	if v.closed.Load() {
		return o == 0
	}
	if mem.RaceEnabled {
		v.releases(0)
	}
	switch {
	case v.padded:
		ok = engine.CASPadded(v.base, unsafe.Sizeof(old), v.data, o, n)
	case unsafe.Sizeof(old) == 8:
		ok = mem.CAS64((*uint64)(v.base), o, n)
	case unsafe.Sizeof(old) == 4:
		ok = mem.CAS32((*uint32)(v.base), uint32(o), uint32(n))
	default:
		ok = engine.CASCell(v.base, unsafe.Sizeof(old), o, n)
	}
	if mem.RaceEnabled {
		v.acquired(0)
	}
	v.core.KeepAlive()
	return ok
}

// Update puts f of what the value holds in its place and returns it. If the
// value changed meanwhile f runs again, on what it holds then: f should have no
// effect but its result. If f panics nothing has changed.
func (v *Value[T]) Update(f func(T) T) T {
	for {
		var x T
		if v.closed.Load() {
			return f(x)
		}
		old := engine.LoadCell(v.base, unsafe.Sizeof(x))
		if mem.RaceEnabled {
			v.acquired(0)
		}
		x = f(value[T](old & v.data))
		if mem.RaceEnabled {
			v.releases(0)
		}
		if engine.CASCell(v.base, unsafe.Sizeof(x), old, bits(x)&v.data) {
			if mem.RaceEnabled {
				v.acquired(0)
			}
			v.core.KeepAlive()
			return x
		}
	}
}

// Add adds delta to the value and returns the sum. Integers wrap round.
func Add[T Number](v *Value[T], delta T) (sum T) {
	if v.closed.Load() {
		return delta
	}
	if mem.RaceEnabled {
		v.releases(0)
	}
	switch {
	case floats[T]():
		for {
			old := engine.LoadCell(v.base, unsafe.Sizeof(sum))
			sum = value[T](old) + delta
			if engine.CASCell(v.base, unsafe.Sizeof(sum), old, bits(sum)) {
				break
			}
		}
	case unsafe.Sizeof(sum) == 8:
		sum = T(mem.Add64((*uint64)(v.base), uint64(delta)))
	case unsafe.Sizeof(sum) == 4:
		sum = T(mem.Add32((*uint32)(v.base), uint32(delta)))
	default:
		sum = T(engine.AddCell(v.base, unsafe.Sizeof(sum), uint64(delta)))
	}
	if mem.RaceEnabled {
		v.acquired(0)
	}
	v.core.KeepAlive()
	return sum
}
