package object

import (
	"errors"
	"io"

	"example.com/tandem/internal/engine"
)

// How a handle is opened, sent to another process, and arrives there.

// Open finds or makes in r, a *shm.Region, the object that s asks for, and has
// attach take its words. If attach fails there is no handle: the Core is closed.
func Open(r interface{ OpenObject(Spec) (*Core, error) }, s Spec, attach func(*Core) error) (*Core, error) {
	c, err := r.OpenObject(s)
	if err != nil {
		return nil, err
	}
	if err = attach(c); err == nil {
		err = c.Free() // what attach saw may have been the zeroes
	}
	if err = c.Done(s.Op, err); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Marshal is the MarshalBinary of a handle that travels as it is: op.
func (c *Core) Marshal(op string) ([]byte, error) {
	if err := c.Done(op, c.Free()); err != nil {
		return nil, err
	}
	return c.Ref.Marshal()
}

// Arrive is the UnmarshalBinary, op, of a handle on an object of one kind, which
// must be there, in a region that is open in this process: open opens it, see At.
func Arrive[R io.Closer](op string, kind engine.Kind, b []byte, find func(Ref) (R, error), open func(R, Ref) error) error {
	ref, err := UnmarshalFor(op, kind, b)
	if err != nil {
		return err
	}
	err = At(ref, find, func(r R) error { return open(r, ref) })
	if e := new(Error); errors.As(err, &e) && e.Object == "" { // its region was not found
		err = &Error{Op: op, Region: e.Region, Object: ref.Object, Err: e.Err}
	}
	return err
}

// At calls open with the view of its region, find's, in which ref's object is
// found, and no other that has its name by now. find is shm.Arrived.
func At[R io.Closer](ref Ref, find func(Ref) (R, error), open func(R) error) error {
	r, err := find(ref)
	if err != nil {
		return err
	}
	defer r.Close() // one handle on the region of several: the object's stays
	return open(r)
}
