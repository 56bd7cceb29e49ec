package ring

import (
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// MarshalBinary makes the handle an argument of a child. It travels as the id and
// the file of its region and the name and generation of the queue; no message and
// no lease goes with it. It does not block. [shm.ErrClosed] after Close.
func (q *Queue[T]) MarshalBinary() ([]byte, error) {
	if q.off() {
		return nil, q.fail("queue.MarshalBinary", shm.ErrClosed)
	}
	return q.core.Ref.Marshal()
}

// UnmarshalBinary opens the queue that another process's handle was on, with
// the codec that it has (see [RegisterCodec]), and [Adaptive]. A queue that was
// removed meanwhile is fs.ErrNotExist, whatever has its name then. It blocks as
// [OpenQueue] does.
func (q *Queue[T]) UnmarshalBinary(b []byte) error {
	ref, err := object.UnmarshalFor("queue.UnmarshalBinary", engine.KindQueue, b)
	if err != nil {
		return err
	}
	r, err := shm.Arrived(ref)
	if err != nil {
		return err
	}
	defer r.Close() // one handle on the region of several: the object's stays
	o, err := openQueue[T](r, ref.Object, QueueOptions{}, true)
	if err == nil {
		*q = *o
	}
	return err
}
