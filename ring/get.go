package ring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
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
// It waits as the handle's [Wait] says: it spins for moments, then sleeps; and in a fast
// stream some microseconds may pass before it looks.
//
// [shm.ErrClosed] after Close. A process that dies in Get has taken the message, or has
// left it in the queue for the next one.
func (q *Queue[T]) Get(ctx context.Context) (v T, err error) {
	if !object.Endless(ctx) {
		if err := ctx.Err(); err != nil {
			return v, q.fail(opGet, err)
		}
	}
	if q.off() {
		return v, q.fail(opGet, shm.ErrClosed)
	}
	if q.eng.GetsLate() {
		q.eng.GetLate(q.spinner.Defers())
	}
	s, err := q.eng.TryTake()
	if err != nil {
		return q.getWait(ctx, err)
	}
	if q.gets != inSlot {
		return q.getBytes(opGet, s)
	}
	v = *(*T)(body(q.eng, s))
	released := q.eng.Release(s)
	q.core.KeepAlive()
	if !released || q.closed.Load() && q.releasedInZeroes(s) {
		var zero T
		return zero, q.fail(opGet, shm.ErrClosed)
	}
	return v, nil
}

// GetInto is Get into what *dst has already, and allocates nothing where that is
// enough: of a []byte its capacity, which is replaced where it is too small; of a
// T that goes by a codec whatever the codec reuses. By CBOR what the message has
// is overwritten, and what it has not stays as it was: keys of a map, and fields
// that the sender left out. A string is new memory.
//
// It ends as Get does, and what *dst then has after an error is of no use. A process
// that dies in it leaves what one leaves that dies in Get.
func (q *Queue[T]) GetInto(ctx context.Context, dst *T) error {
	if err := ctx.Err(); err != nil {
		return q.fail(opGetInto, err)
	}
	if dst == nil {
		return q.fail(opGetInto, fmt.Errorf("nothing to get it into: %w", fs.ErrInvalid))
	}
	if q.off() {
		return q.fail(opGetInto, shm.ErrClosed)
	}
	if q.form == inSlot {
		mem.Touched(unsafe.Pointer(dst), unsafe.Sizeof(*dst)) // it may be no memory to write to: not with a message in hand
	}
	if q.eng.GetsLate() {
		q.eng.GetLate(q.spinner.Defers())
	}
	s, err := q.eng.TryTake()
	if err != nil {
		return q.getIntoWait(ctx, dst, err)
	}
	return q.takeInto(opGetInto, s, dst)
}

// takeInto is take for GetInto.
func (q *Queue[T]) takeInto(o operation, s engine.Slot, dst *T) error {
	if q.gets != inSlot {
		return q.getBytesInto(o, s, dst)
	}
	v := *(*T)(body(q.eng, s))
	released := q.eng.Release(s)
	*dst = v
	q.core.KeepAlive()
	if !released || q.closed.Load() && q.releasedInZeroes(s) {
		return q.fail(o, shm.ErrClosed)
	}
	return nil
}

// getWait is the rest of Get after a first attempt that ended with err.
//
//go:noinline
func (q *Queue[T]) getWait(ctx context.Context, err error) (v T, _ error) {
	if err != ErrEmpty {
		return v, q.fail(opGet, err)
	}
	if q.soon() {
		if s, err := q.eng.TryTake(); err == nil {
			return q.take(opGet, s)
		}
	}
	w := q.waiter(ctx)
	defer w.Done() // not with a slot in hand: it runs what is the context's
	s, err := q.eng.Take(w, false)
	if err != nil {
		return v, q.fail(opGet, err)
	}
	return q.take(opGet, s)
}

// getIntoWait is the same of GetInto.
//
//go:noinline
func (q *Queue[T]) getIntoWait(ctx context.Context, dst *T, err error) error {
	if err != ErrEmpty {
		return q.fail(opGetInto, err)
	}
	if q.soon() {
		if s, err := q.eng.TryTake(); err == nil {
			return q.takeInto(opGetInto, s, dst)
		}
	}
	w := q.waiter(ctx)
	defer w.Done()
	s, err := q.eng.Take(w, false)
	if err != nil {
		return q.fail(opGetInto, err)
	}
	return q.takeInto(opGetInto, s, dst)
}

// soon is the first of a wait for a message, and whether that has come.
func (q *Queue[T]) soon() bool {
	if !q.eng.Soon(q.spinner.Lulls(), q.spinner.Looks()) {
		return false
	}
	q.spinner.Seen()
	return true
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
	return q.take(opTryGet, s)
}

// take ends the getting of a message that was claimed. Get has it written out.
func (q *Queue[T]) take(o operation, s engine.Slot) (v T, err error) {
	if q.gets != inSlot {
		return q.getBytes(o, s)
	}
	v = *(*T)(body(q.eng, s))
	released := q.eng.Release(s)
	q.core.KeepAlive()
	if !released || q.closed.Load() && q.releasedInZeroes(s) {
		var zero T
		return zero, q.fail(o, shm.ErrClosed)
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
	switch q.gets {
	case mended:
		return q.getMended(o, s)
	case raw:
		return q.getRaw(o, s)
	case asBytes, asText:
		var b []byte
		if b, err = q.clone(s); err == nil {
			setBytes(q.form, unsafe.Pointer(&v), b)
		}
		if err = q.got(o, s, err); err != nil {
			var zero T
			return zero, err
		}
		return v, nil
	}
	return q.getDecoded(o, s)
}

// getRaw is apart, so that its v is no garbage.
//
//go:noinline
func (q *Queue[T]) getRaw(o operation, s engine.Slot) (v T, err error) {
	if err = q.got(o, s, q.readRaw(s, unsafe.Pointer(&v))); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// getMended is take of what lies in the slot, and is made valid.
//
//go:noinline
func (q *Queue[T]) getMended(o operation, s engine.Slot) (v T, err error) {
	v = *(*T)(body(q.eng, s))
	if err = q.got(o, s, nil); err != nil {
		var zero T
		return zero, err
	}
	q.mend.Mend(unsafe.Pointer(&v))
	return v, nil
}

//go:noinline
func (q *Queue[T]) getDecoded(o operation, s engine.Slot) (v T, err error) {
	if err = q.getBytesInto(o, s, &v); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// getBytesInto is the rest of GetInto for what does not lie in the slot as it is.
//
//go:noinline
func (q *Queue[T]) getBytesInto(o operation, s engine.Slot, dst *T) error {
	switch q.gets {
	case mended:
		v, err := q.getMended(o, s)
		*dst = v
		return err
	case raw:
		return q.intoCallers(o, s, func() error { return q.readRaw(s, unsafe.Pointer(dst)) })
	case asBytes:
		return q.intoCallers(o, s, func() error { return q.readInto(s, (*[]byte)(unsafe.Pointer(dst))) })
	case asText:
		b, err := q.clone(s)
		if err = q.got(o, s, err); err == nil {
			setBytes(asText, unsafe.Pointer(dst), b)
		}
		return err
	}
	b := takeBuffer()
	err := q.readInto(s, b)
	if err = q.got(o, s, err); err != nil { // before a decoder runs, which may take its time
		giveBuffer(b)
		return err
	}
	done := func() { q.eng.TaskDone() } // nobody else can say that it is done
	if err = q.decode(b, dst, done); err != nil {
		done()
		return q.core.Err(o.String(), err)
	}
	q.core.KeepAlive()
	return nil
}

// got ends the reading of a message; err is what came of that. One that could not be
// read is gone.
func (q *Queue[T]) got(o operation, s engine.Slot, err error) error {
	if err != nil {
		if q.eng.Discard(s) && !(q.closed.Load() && q.releasedInZeroes(s)) {
			return q.core.Err(o.String(), err)
		}
		return q.fail(o, err)
	}
	released := q.eng.Release(s)
	q.core.KeepAlive()
	if !released || q.closed.Load() && q.releasedInZeroes(s) {
		return q.fail(o, shm.ErrClosed)
	}
	return nil
}

// intoCallers is got after a copy to the caller's memory. If that is none, and the fault a panic
// (debug.SetPanicOnFault), the message is gone, and the slot is free.
func (q *Queue[T]) intoCallers(o operation, s engine.Slot, read func() error) error {
	whole := false
	defer func() {
		if !whole {
			q.eng.Discard(s)
		}
	}()
	err := read()
	whole = true
	return q.got(o, s, err)
}

// readRaw copies a message out that is a T as it is.
func (q *Queue[T]) readRaw(s engine.Slot, dst unsafe.Pointer) error {
	n, err := q.eng.Length(s)
	if err == nil && n != q.size {
		err = shm.ErrCorrupt
	}
	if err != nil {
		return err
	}
	err = q.eng.Read(s, unsafe.Slice((*byte)(dst), n))
	if q.mend != nil {
		q.mend.Mend(dst)
	}
	return err
}

// readInto copies a message into *b, or into new memory if that is too short.
func (q *Queue[T]) readInto(s engine.Slot, b *[]byte) error {
	n, err := q.eng.Length(s)
	if err != nil {
		return err
	}
	if cap(*b) < n || *b == nil { // what is empty is not nil
		*b, err = q.eng.Clone(s, n)
		return err
	}
	*b = (*b)[:n]
	return q.eng.Read(s, *b)
}

// clone copies a message into new memory.
func (q *Queue[T]) clone(s engine.Slot) ([]byte, error) {
	n, err := q.eng.Length(s)
	if err != nil {
		return nil, err
	}
	return q.eng.Clone(s, n)
}

// setBytes makes b the []byte or the string at v.
func setBytes(f form, v unsafe.Pointer, b []byte) {
	if f == asBytes {
		*(*[]byte)(v) = b
	} else {
		*(*string)(v) = unsafe.String(unsafe.SliceData(b), len(b))
	}
}

// decode sets *v from a buffer, which it gives back. If the user's decoder does not return,
// but panics or ends its goroutine, the message is lost, and that goes on.
func (q *Queue[T]) decode(b *[]byte, v *T, lost func()) error {
	returned := false
	defer func() {
		if !returned {
			lost()
			q.core.KeepAlive()
		}
	}()
	err := q.codec.Decode(*b, v)
	if err != nil {
		err = codecError(err) // asks the decoder's error what it is
	}
	returned = true
	giveBuffer(b) // only here: of a decoder that panicked nobody knows what still reads it
	return err
}
