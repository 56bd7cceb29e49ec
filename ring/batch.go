package ring

import (
	"context"
	"io"
	"unsafe"

	"example.com/tandem/shm"
)

// Batches of a small plain T are one claim, copy and store a message, in one loop, and
// one fence and one look at those who sleep for them all
// (internal/engine/queue_batch.go).
// All other forms of T are so many single calls.

// PutBatch puts the first of vs, waiting for room as Put does, and then as
// many of the others as there is room for. It returns how many it has put, at
// least one unless there is an error; with an error those before it are put.
// They are in the queue in their order; others may put between them. In a fast stream it
// may return some microseconds later ([Wait]).
//
// [shm.ErrClosed] after Close. A process that dies in PutBatch has put the first ones of
// vs, whole, and none of the others.
func (q *Queue[T]) PutBatch(ctx context.Context, vs []T) (int, error) {
	if q.form != inSlot || q.closed == nil || len(vs) == 0 {
		return q.putEach(ctx, vs)
	}
	if err := ctx.Err(); err != nil {
		return 0, q.fail(opPutBatch, err)
	}
	n := 0
	for n < len(vs) {
		if q.closed.Load() {
			return n, q.fail(opPutBatch, shm.ErrClosed)
		}
		k, last, err := q.eng.PutRun(unsafe.Pointer(&vs[n]), len(vs)-n)
		n += k
		if k > 0 && q.closed.Load() && q.inZeroes(last) {
			return n - 1, q.fail(opPutBatch, shm.ErrClosed)
		}
		switch {
		case err == nil: // of the next ones consumers are told apart
			continue
		case n > 0 && err != ErrFull:
			return n, q.fail(opPutBatch, err)
		case n == 0:
			if err := q.putWait(ctx, vs[0], err); err != nil {
				return 0, opPutBatch.of(err)
			}
			n = 1
			continue
		}
		break
	}
	if q.eng.PutsLate() {
		q.eng.PutLate(q.spinner.Lulls())
	}
	q.core.KeepAlive()
	return n, nil
}

// putEach is PutBatch by single calls.
func (q *Queue[T]) putEach(ctx context.Context, vs []T) (int, error) {
	if len(vs) == 0 {
		return 0, q.ready(ctx, opPutBatch)
	}
	for i, v := range vs {
		var err error
		if i == 0 {
			err = q.Put(ctx, v)
		} else if err = q.TryPut(v); err == q.made[opTryPut].now {
			return i, nil
		}
		if err != nil {
			return i, opPutBatch.of(err)
		}
	}
	return len(vs), nil
}

// ready is what an operation says that has nothing to do.
func (q *Queue[T]) ready(ctx context.Context, o operation) error {
	err := ctx.Err()
	if q.off() {
		err = shm.ErrClosed
	}
	if err != nil {
		err = q.fail(o, err)
	}
	return err
}

// GetBatch gets one message into vs, waiting for it as Get does, and then as
// many more as there are and vs has room for. It returns how many, at least
// one unless there is an error; with an error those before it were got. In a fast
// stream some microseconds may pass before it looks ([Wait]).
//
// [shm.ErrClosed] after Close. A process that dies in GetBatch has taken some of the first
// messages, or none, and has left the others in the queue for the next one.
func (q *Queue[T]) GetBatch(ctx context.Context, vs []T) (int, error) {
	if q.form != inSlot || q.closed == nil || len(vs) == 0 {
		return q.getEach(ctx, vs)
	}
	if err := ctx.Err(); err != nil {
		return 0, q.fail(opGetBatch, err)
	}
	if q.off() {
		return 0, q.fail(opGetBatch, shm.ErrClosed)
	}
	if q.eng.GetsLate() {
		q.eng.GetLate(q.spinner.Defers())
	}
	n, err := q.getRuns(vs)
	if n > 0 || err != nil {
		return n, err
	}
	if vs[0], err = q.Get(ctx); err != nil {
		return 0, opGetBatch.of(err)
	}
	n, err = q.getRuns(vs[1:])
	return n + 1, err
}

// getRuns gets what is there.
func (q *Queue[T]) getRuns(vs []T) (n int, err error) {
	for n < len(vs) {
		if q.closed.Load() {
			return n, q.fail(opGetBatch, shm.ErrClosed)
		}
		run := q.eng.TakeRun(unsafe.Pointer(&vs[n]), len(vs)-n)
		if run.Len() == 0 { // nothing, or one that was given back
			s, err := q.eng.TryTake()
			if err == ErrEmpty || err == io.EOF {
				break
			}
			if err != nil {
				return n, q.fail(opGetBatch, err)
			}
			if vs[n], err = q.take(opGetBatch, s); err != nil {
				return n, err
			}
			n++
			continue
		}
		k := q.eng.ReleaseRun(run)
		if q.mend != nil {
			q.validAll(vs[n:][:k])
		}
		if q.closed.Load() {
			for i := range k {
				if q.releasedInZeroes(q.eng.At(run, i)) {
					k = i
					break
				}
			}
		}
		if n += k; k < run.Len() {
			clear(vs[n:][:run.Len()-k])
			return n, q.fail(opGetBatch, shm.ErrClosed)
		}
	}
	q.core.KeepAlive()
	return n, nil
}

// getEach is GetBatch by single calls.
func (q *Queue[T]) getEach(ctx context.Context, vs []T) (int, error) {
	if len(vs) == 0 {
		return 0, q.ready(ctx, opGetBatch)
	}
	for i := range vs {
		var v T
		var err error
		if i == 0 {
			v, err = q.Get(ctx)
		} else if v, err = q.TryGet(); err == q.made[opTryGet].now || err == q.made[opTryGet].end {
			return i, nil
		}
		if err != nil {
			return i, opGetBatch.of(err)
		}
		vs[i] = v
	}
	return len(vs), nil
}

// validAll makes what was got valid.
//
//go:noinline
func (q *Queue[T]) validAll(vs []T) {
	for i := range vs {
		q.mend.Mend(unsafe.Pointer(&vs[i]))
	}
}
