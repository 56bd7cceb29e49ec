package atomics

import (
	"fmt"
	"io/fs"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// A handle travels as the id and the file of its region and the name and generation of its
// object. It arrives in a process that has the region open, which package proc
// sees to, and finds the object there, or nothing: a handle on what was removed
// meanwhile is fs.ErrNotExist, whatever has the name then.

var errNoHandle = fmt.Errorf("the handle was not made by OpenValue, OpenArray or OpenSlice: %w", fs.ErrInvalid)

func marshal(core *object.Core, kind engine.Kind) ([]byte, error) {
	op := kind.String() + ".MarshalBinary"
	if core == nil {
		return nil, core.Done(op, errNoHandle)
	}
	return core.Marshal(op)
}

// arrived calls open with the region and the object that b names.
func arrived(b []byte, kind engine.Kind, open func(r *shm.Region, name string) error) error {
	return object.Arrive(kind.String()+".UnmarshalBinary", kind, b, shm.Arrived, func(r *shm.Region, ref object.Ref) error {
		return open(r, ref.Object)
	})
}

// MarshalBinary makes the handle an argument of a child. It does not block.
// [shm.ErrClosed] after Close.
func (v *Value[T]) MarshalBinary() ([]byte, error) { return marshal(v.core, engine.KindValue) }

// UnmarshalBinary opens the value that another process's handle was on; it blocks
// as OpenValue does. Its region must be open in this process, which package proc
// sees to: else it is fs.ErrNotExist, and so is a value that was removed meanwhile.
// A handle on something else, or another T, is [shm.ErrMismatch].
func (v *Value[T]) UnmarshalBinary(b []byte) error {
	return arrived(b, engine.KindValue, func(r *shm.Region, name string) error {
		var zero T
		o, err := OpenValue(r, name, zero)
		if err == nil {
			*v = *o
		}
		return err
	})
}

// MarshalBinary makes the handle an argument of a child. It does not block.
// [shm.ErrClosed] after Close.
func (a *Array[T]) MarshalBinary() ([]byte, error) { return marshal(a.core, engine.KindArray) }

// UnmarshalBinary opens the array that another process's handle was on; it blocks
// as OpenArray does. Its region must be open in this process, which package proc
// sees to: else it is fs.ErrNotExist, and so is an array that was removed meanwhile.
// A handle on something else, or another T, is [shm.ErrMismatch].
func (a *Array[T]) UnmarshalBinary(b []byte) error {
	return arrived(b, engine.KindArray, func(r *shm.Region, name string) error {
		o, err := OpenArray[T](r, name, 0)
		if err == nil {
			*a = *o
		}
		return err
	})
}

// MarshalBinary makes the handle an argument of a child. It does not block.
// [shm.ErrClosed] after Close.
func (s *Slice[T]) MarshalBinary() ([]byte, error) { return marshal(s.core, engine.KindSlice) }

// UnmarshalBinary opens the slice that another process's handle was on; it blocks
// as OpenSlice does. Its region must be open in this process, which package proc
// sees to: else it is fs.ErrNotExist, and so is a slice that was removed meanwhile.
// A handle on something else, or another T, is [shm.ErrMismatch].
func (s *Slice[T]) UnmarshalBinary(b []byte) error {
	return arrived(b, engine.KindSlice, func(r *shm.Region, name string) error {
		o, err := OpenSlice[T](r, name, 0)
		if err == nil {
			*s = *o
		}
		return err
	})
}
