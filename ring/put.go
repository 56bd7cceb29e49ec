package ring

import (
	"context"
	"fmt"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// Put adds v as the last message, and waits while the queue is full. When it
// returns nil the message can be taken by any process.
//
// ErrShutdown once somebody called Shutdown, ErrTooLarge and ErrCodec where v
// cannot be a message, ctx's error when ctx ends; then nothing was put. A v that
// goes by CBOR is ErrCodec if it refers to itself, is nested so deep that Get would
// fail (65,535 levels decode), or would not arrive as it is (see the package
// comment); and both if it is longer than MaxMessage and was not encoded for that.
//
// It waits as the handle's [Wait] says: it spins for moments, then sleeps; and in a fast
// stream it may return some microseconds later.
//
// [shm.ErrClosed] after Close. A process that dies in Put has put the whole message, or
// nothing.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	if !object.Endless(ctx) {
		if err := ctx.Err(); err != nil {
			return q.fail(opPut, err)
		}
	}
	if q.form != inSlot {
		return q.putBytes(ctx, opPut, v)
	}
	if q.off() {
		return q.fail(opPut, shm.ErrClosed)
	}
	s, err := q.eng.TryClaim()
	if err != nil {
		return q.putWait(ctx, v, err)
	}
	*(*T)(body(q.eng, s)) = v
	q.eng.Publish(s)
	if q.eng.PutsLate() {
		q.eng.PutLate(q.spinner.Lulls())
	}
	q.core.KeepAlive()
	if q.closed.Load() && q.inZeroes(s) {
		return q.fail(opPut, shm.ErrClosed)
	}
	return nil
}

// putWait is the rest of Put after a first attempt that ended with err.
//
//go:noinline
func (q *Queue[T]) putWait(ctx context.Context, v T, err error) error {
	if err != ErrFull {
		return q.fail(opPut, err)
	}
	w := q.waiter(ctx)
	s, err := q.eng.Claim(w)
	if err == nil {
		*(*T)(body(q.eng, s)) = v
		q.eng.Publish(s)
		if q.closed.Load() && q.inZeroes(s) {
			err = shm.ErrClosed
		}
	}
	w.Done() // not with a slot in hand: it runs what is the context's
	return q.done(opPut, err)
}

// TryPut is Put without waiting: ErrFull where Put would. It never blocks.
func (q *Queue[T]) TryPut(v T) error {
	if q.form != inSlot {
		return q.putBytes(context.Background(), opTryPut, v)
	}
	if q.off() {
		return q.fail(opTryPut, shm.ErrClosed)
	}
	s, err := q.eng.Claim(nil)
	if err != nil {
		return q.fail(opTryPut, err)
	}
	*(*T)(body(q.eng, s)) = v
	q.eng.Publish(s)
	q.core.KeepAlive()
	if q.closed.Load() && q.inZeroes(s) {
		return q.fail(opTryPut, shm.ErrClosed)
	}
	return nil
}

// putBytes is Put, or TryPut by op, of what does not lie in the slot as it is.
//
//go:noinline
func (q *Queue[T]) putBytes(ctx context.Context, o operation, v T) error {
	if q.off() {
		return q.fail(o, shm.ErrClosed)
	}
	var msg []byte
	switch q.form {
	case raw:
		msg = unsafe.Slice((*byte)(unsafe.Pointer(&v)), q.size)
	case asBytes:
		msg = *(*[]byte)(unsafe.Pointer(&v))
	case asText:
		s := *(*string)(unsafe.Pointer(&v))
		msg = unsafe.Slice(unsafe.StringData(s), len(s))
	case encoded:
		b := takeBuffer()
		var err error
		if *b, err = q.codec.Append((*b)[:0], v); err != nil { // no claim is held meanwhile: it may take its time, and panic
			giveBuffer(b)
			return q.fail(o, codecError(err))
		}
		defer giveBuffer(b) // not if it panics: nobody knows what it writes to
		msg = *b
	}
	if len(msg) > q.eng.MaxMessage() {
		return q.fail(o, fmt.Errorf("%d bytes, at most %d: %w", len(msg), q.eng.MaxMessage(), ErrTooLarge))
	}
	if q.form == asBytes || q.form == asText {
		looked(msg) // before a slot is claimed
	}
	s, err := q.eng.PutSlot(nil, msg)
	if err == ErrFull && o == opPut {
		s, err = q.putBytesWait(ctx, msg)
	}
	if err == nil && q.closed.Load() && q.inZeroes(s) {
		err = shm.ErrClosed
	}
	return q.done(o, err)
}

// putBytesWait waits for room. What goes into a slot is copied before: the caller's memory may
// be gone by the time that there is one, which is then in hand.
func (q *Queue[T]) putBytesWait(ctx context.Context, msg []byte) (engine.Slot, error) {
	if q.eng.InSlot(len(msg)) && q.form != encoded {
		b := takeBuffer()
		defer giveBuffer(b)
		*b = append((*b)[:0], msg...)
		msg = *b
	}
	w := q.waiter(ctx)
	defer w.Done()
	return q.eng.PutSlot(w, msg)
}
