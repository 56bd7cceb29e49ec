package ring

import (
	"errors"
	"io/fs"
	"syscall"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// MarshalBinary makes the handle an argument of a child. It travels as the id and
// the file of its region and the name and generation of the queue; no message and
// no lease goes with it. It does not block. [shm.ErrClosed] after Close.
func (q *Queue[T]) MarshalBinary() ([]byte, error) {
	if q.core == nil {
		return nil, q.fail(opMarshal, nil)
	}
	return q.core.Marshal(opMarshal.String())
}

// UnmarshalBinary opens the queue that another process's handle was on, with
// the codec that it has (see [RegisterCodec]), and [Adaptive]. A queue that was
// removed meanwhile is fs.ErrNotExist, whatever has its name then. It blocks as
// [OpenQueue] does.
func (q *Queue[T]) UnmarshalBinary(b []byte) error {
	return object.Arrive("queue.UnmarshalBinary", engine.KindQueue, b, shm.Arrived, func(r *shm.Region, ref object.Ref) error {
		found, codec, err := codecOf(r, engine.KindQueue, opOpen, ref.Object)
		if err != nil {
			return err
		}
		defer found.Close()
		o, err := OpenQueue[T](r, ref.Object, &QueueOptions{Codec: codec})
		if err == nil {
			*q = *o
		}
		return err
	})
}

// MarshalBinary makes the handle an argument of a child, as [Queue.MarshalBinary]
// does; no subscriber goes with it.
func (b *Broadcast[T]) MarshalBinary() ([]byte, error) {
	if b.core == nil {
		return nil, b.fail(opMarshalBroadcast, nil)
	}
	return b.core.Marshal(opMarshalBroadcast.String())
}

// UnmarshalBinary opens the broadcast that another process's handle was on, with the
// codec that it has (see [RegisterCodec]), and [Adaptive]. One that was removed meanwhile
// is fs.ErrNotExist. It blocks as [OpenBroadcast] does.
func (b *Broadcast[T]) UnmarshalBinary(data []byte) error {
	return object.Arrive("broadcast.UnmarshalBinary", engine.KindBroadcast, data, shm.Arrived, func(r *shm.Region, ref object.Ref) error {
		found, codec, err := codecOf(r, engine.KindBroadcast, opOpenBroadcast, ref.Object)
		if err != nil {
			return err
		}
		defer found.Close()
		o, err := OpenBroadcast[T](r, ref.Object, &BroadcastOptions{Codec: codec})
		if err == nil {
			*b = *o
		}
		return err
	})
}

// codecOf opens the object called name in r, of whatever T, which must be there:
// with the codec that it was made with, nil where it needs none, it is opened as
// any other.
func codecOf(r *shm.Region, kind engine.Kind, op, name string) (core *object.Core, c Codec, err error) {
	core, err = object.Open(r, object.Spec{Op: op, Kind: kind, Name: name}, func(core *object.Core) (err error) {
		c, err = codecNamed(core.Field("codec"))
		return err
	})
	return core, c, err
}

// MarshalBinary makes the handle an argument of a child. It travels as the id and the
// file of its region and the name and generation of the SPSC; no side goes with it. It
// does not block. [shm.ErrClosed] after Close.
func (s *SPSC[T]) MarshalBinary() ([]byte, error) {
	if s.core == nil {
		return nil, s.fail(opSPSCMarshal, nil)
	}
	return s.core.Marshal(opSPSCMarshal.String())
}

// UnmarshalBinary opens the SPSC that another process's handle was on, with [Adaptive].
// One that was removed meanwhile is fs.ErrNotExist, whatever has its name then. It blocks
// as [OpenSPSC] does.
func (s *SPSC[T]) UnmarshalBinary(b []byte) error {
	return object.Arrive("spsc.UnmarshalBinary", engine.KindSPSC, b, shm.Arrived, func(r *shm.Region, ref object.Ref) error {
		o, err := OpenSPSC[T](r, ref.Object, nil)
		if err == nil {
			*s = *o
		}
		return err
	})
}

// MarshalBinary makes the handle an argument of a child. It travels as the id and the file
// of its region, the name and generation of the pipe, and which end it is; no message goes
// with it. proc's Start sees to it that the end is held for the child until that has it. It
// does not block. [shm.ErrClosed] after Close.
func (c *Conn[T]) MarshalBinary() ([]byte, error) {
	if c.core == nil {
		return nil, c.fail(opMarshalConn, nil)
	}
	if err := c.core.Done(opMarshalConn.String(), c.core.Free()); err != nil {
		return nil, err
	}
	object.Carried(c.hold)
	ref := c.core.Ref
	ref.End = int(c.at)
	return ref.Marshal()
}

// hold is one more that holds the end.
func (c *Conn[T]) hold() (drop func()) {
	core, end := c.core.Whole(), c.end.Hold()
	if end == nil {
		return nil
	}
	return func() {
		end()
		core.KeepAlive()
	}
}

// UnmarshalBinary opens the end that another process's handle was on, with the codec that
// the pipe has (see [RegisterCodec]). syscall.EPIPE if it is gone, or the pipe is; a pipe
// that was removed meanwhile is fs.ErrNotExist as well. It blocks as [OpenPipe] does.
func (c *Conn[T]) UnmarshalBinary(b []byte) error {
	return object.Arrive("conn.UnmarshalBinary", engine.KindPipe, b, shm.Arrived, func(r *shm.Region, ref object.Ref) error {
		found, codec, err := codecOf(r, engine.KindPipe, opOpenPipe, ref.Object)
		if err != nil {
			return goneWith(err)
		}
		defer found.Close()
		o, err := OpenPipe[T](r, ref.Object, End(ref.End), &PipeOptions{Codec: codec})
		if err != nil {
			return goneWith(err)
		}
		*c = *o
		return nil
	})
}

// goneWith is err of a pipe that is not there: its ends went with it.
func goneWith(err error) error {
	var e *shm.Error
	if errors.Is(err, fs.ErrNotExist) && errors.As(err, &e) {
		e.Err = goneError{e.Err}
	}
	return err
}

type goneError struct{ error }

func (e goneError) Unwrap() []error { return []error{e.error, syscall.EPIPE} }
