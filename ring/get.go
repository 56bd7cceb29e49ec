package ring

import (
	"context"
	"errors"
	"io"
	"iter"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/shm"
)

// Get takes the first message, and waits while there is none. The message is
// this process's: if it dies, it is gone.
//
// io.EOF after Shutdown, when no message is left and none is leased: until
// then one may come back. ErrCodec where a message does not decode, which then
// is gone and counts as done, as it is if its decoder panics. ctx's error when
// ctx ends; then nothing was taken.
//
// It waits as the handle's [Wait] says: it spins for moments, then sleeps.
//
// A process that dies in Get has taken the message, or has left it in the
// queue for the next one.
func (q *Queue[T]) Get(ctx context.Context) (v T, err error) {
	if err := ctx.Err(); err != nil {
		return v, q.fail(opGet, err)
	}
	if q.off() {
		return v, q.fail(opGet, shm.ErrClosed)
	}
	s, err := q.eng.TryTake()
	if err != nil {
		if err != ErrEmpty {
			return v, q.fail(opGet, err)
		}
		w := q.waiter(ctx)
		s, err = q.eng.Take(w, false)
		w.Done()
		if err != nil {
			return v, q.fail(opGet, err)
		}
	}
	if q.form != inSlot {
		return q.getBytes(opGet, s)
	}
	v = *(*T)(body(s))
	released := q.eng.Release(s)
	q.core.KeepAlive()
	if !released || q.closed.Load() && q.releasedInZeroes(s) {
		var zero T
		return zero, q.fail(opGet, shm.ErrClosed)
	}
	return v, nil
}

// TryGet is Get without waiting: ErrEmpty where Get would. It never blocks.
func (q *Queue[T]) TryGet() (v T, err error) {
	if q.off() {
		return v, q.fail(opTryGet, shm.ErrClosed)
	}
	s, err := q.eng.Take(nil, false)
	if err != nil {
		return v, q.fail(opTryGet, err)
	}
	if q.form != inSlot {
		return q.getBytes(opTryGet, s)
	}
	v = *(*T)(body(s))
	released := q.eng.Release(s)
	q.core.KeepAlive()
	if !released || q.closed.Load() && q.releasedInZeroes(s) {
		var zero T
		return zero, q.fail(opTryGet, shm.ErrClosed)
	}
	return v, nil
}

// All yields messages as Get returns them, until the end of the queue. Any
// other error than io.EOF is yielded once: after ErrCodec, which is of one
// message, it goes on; after any other it ends. What was yielded has been got,
// however the body of the loop ends.
func (q *Queue[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := q.Get(ctx)
			if errors.Is(err, io.EOF) || !yield(v, err) || err != nil && !errors.Is(err, ErrCodec) {
				return
			}
		}
	}
}

// getBytes is the rest of Get for what does not lie in the slot as it is.
//
//go:noinline
func (q *Queue[T]) getBytes(o operation, s engine.Slot) (v T, err error) {
	b, err := q.read(s, &v)
	if err != nil {
		var zero T
		if q.eng.Discard(s) && !(q.closed.Load() && q.releasedInZeroes(s)) {
			return zero, q.core.Err(o.String(), err)
		}
		return zero, q.fail(o, err)
	}
	// Before a decoder runs, which may take its time.
	if !q.eng.Release(s) || q.closed.Load() && q.releasedInZeroes(s) {
		var zero T
		return zero, q.fail(o, shm.ErrClosed)
	}
	done := func() { q.eng.TaskDone() } // nobody else can say that it is done
	if err = q.decode(b, &v, done); err != nil {
		done()
		var zero T
		return zero, q.core.Err(o.String(), err)
	}
	q.core.KeepAlive()
	return v, nil
}

// read copies a message out: into *v, or into a buffer that decode gives back.
func (q *Queue[T]) read(s engine.Slot, v *T) (*[]byte, error) {
	n, err := q.eng.Length(s)
	if err != nil {
		return nil, err
	}
	switch q.form {
	case raw:
		if n != q.size {
			return nil, shm.ErrCorrupt
		}
		return nil, q.eng.Read(s, unsafe.Slice((*byte)(unsafe.Pointer(v)), n))
	case asBytes:
		b := make([]byte, n)
		*(*[]byte)(unsafe.Pointer(v)) = b
		return nil, q.eng.Read(s, b)
	case asText:
		b := make([]byte, n)
		*(*string)(unsafe.Pointer(v)) = unsafe.String(unsafe.SliceData(b), n)
		return nil, q.eng.Read(s, b)
	}
	b := takeBuffer()
	if cap(*b) < n {
		*b = make([]byte, n)
	}
	*b = (*b)[:n]
	if err := q.eng.Read(s, *b); err != nil {
		giveBuffer(b)
		return nil, err
	}
	return b, nil
}

// decode sets *v from what read returned. If the user's decoder does not return,
// but panics or ends its goroutine, the message is lost, and that goes on.
func (q *Queue[T]) decode(b *[]byte, v *T, lost func()) error {
	if b == nil {
		return nil
	}
	returned := false
	defer func() {
		if !returned {
			lost()
			q.core.KeepAlive()
		}
	}()
	err := q.codec.Decode(*b, v)
	returned = true
	giveBuffer(b) // only here: of a decoder that panicked nobody knows what still reads it
	if err != nil {
		return codecError(err)
	}
	return nil
}
