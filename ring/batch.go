package ring

import (
	"context"
	"io"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/wait"
	"example.com/tandem/shm"
)

// Batches of a small plain T are one claim, copy and store a message, and one
// fence and one look at those who sleep for them all (internal/engine/queue_batch.go).
// All other forms of T are so many single calls.

const (
	putRun = 64 // messages until those who wait for some are told
	getRun = 32 // messages that are held at a time
)

// PutBatch puts the first of vs, waiting for room as Put does, and then as
// many of the others as there is room for. It returns how many it has put, at
// least one unless there is an error; with an error those before it are put.
// They are in the queue in their order; others may put between them.
//
// A process that dies in PutBatch has put the first ones of vs, whole, and none
// of the others.
func (q *Queue[T]) PutBatch(ctx context.Context, vs []T) (int, error) {
	if q.form != inSlot || q.closed == nil || len(vs) == 0 {
		return q.putEach(ctx, vs)
	}
	if err := ctx.Err(); err != nil {
		return 0, q.fail(opPut, err)
	}
	n, told := 0, 0
	var err error
	for _, v := range vs { // v is a copy: nothing can fail between claim and store
		if q.closed.Load() {
			err = shm.ErrClosed
			break
		}
		var s engine.Slot
		if s, err = q.eng.TryClaim(); err != nil {
			if n > 0 {
				break
			}
			if err := q.putWait(ctx, v, err); err != nil {
				return 0, err
			}
			n, told = 1, 1
			continue
		}
		*(*T)(body(q.eng, s)) = v
		q.eng.Store(s)
		if q.closed.Load() && q.inZeroes(s) {
			err = shm.ErrClosed
			break
		}
		if n++; n-told == putRun {
			q.eng.Stored(n - told)
			told = n
		}
	}
	if n > told {
		q.eng.Stored(n - told)
	}
	if q.eng.PutsLate() {
		q.eng.PutLate(q.spinner.Lulls())
	}
	if err != nil && (err != ErrFull || n == 0) {
		return n, q.fail(opPut, err)
	}
	q.core.KeepAlive()
	return n, nil
}

// putEach is PutBatch by single calls.
func (q *Queue[T]) putEach(ctx context.Context, vs []T) (int, error) {
	for i, v := range vs {
		var err error
		if i == 0 {
			err = q.Put(ctx, v)
		} else if err = q.TryPut(v); err == q.made[opTryPut].now {
			return i, nil
		}
		if err != nil {
			return i, err
		}
	}
	return len(vs), nil
}

// GetBatch gets one message into vs, waiting for it as Get does, and then as
// many more as there are and vs has room for. It returns how many, at least
// one unless there is an error; with an error those before it were got.
//
// A process that dies in GetBatch has taken some of the first messages, or none,
// and has left the others in the queue for the next one.
func (q *Queue[T]) GetBatch(ctx context.Context, vs []T) (int, error) {
	if q.form != inSlot || q.closed == nil || len(vs) == 0 {
		return q.getEach(ctx, vs)
	}
	if err := ctx.Err(); err != nil {
		return 0, q.fail(opGet, err)
	}
	if q.eng.GetsLate() {
		q.eng.GetLate(q.spinner.Lulls())
	}
	var slots [getRun]engine.Slot
	var w *wait.Waiter
	defer func() {
		if w != nil { // not with slots in hand: it runs what is the context's
			w.Done()
		}
	}()
	n := 0
	for n < len(vs) {
		if q.closed.Load() {
			return n, q.fail(opGet, shm.ErrClosed)
		}
		run := slots[:min(getRun, len(vs)-n)]
		k, err := q.eng.TakeRun(nil, run)
		if err == ErrEmpty && n == 0 && q.soon() {
			k, err = q.eng.TakeRun(nil, run)
		}
		if err == ErrEmpty && n == 0 {
			w = q.waiter(ctx)
			k, err = q.eng.TakeRun(w, run)
		}
		if err != nil {
			if n > 0 && (err == ErrEmpty || err == io.EOF) {
				break
			}
			return n, q.fail(opGet, err)
		}
		run = run[:k]
		into := vs[n:][:len(run)]
		for i := range into {
			into[i] = *(*T)(body(q.eng, run[i]))
		}
		k = q.eng.ReleaseRun(run)
		if q.closed.Load() {
			for i, s := range run[:k] {
				if q.releasedInZeroes(s) {
					k = i
					break
				}
			}
		}
		if n += k; k < len(run) {
			clear(into[k:])
			return n, q.fail(opGet, shm.ErrClosed)
		}
	}
	q.core.KeepAlive()
	return n, nil
}

// getEach is GetBatch by single calls.
func (q *Queue[T]) getEach(ctx context.Context, vs []T) (int, error) {
	for i := range vs {
		var err error
		if i == 0 {
			vs[i], err = q.Get(ctx)
		} else if vs[i], err = q.TryGet(); err == q.made[opTryGet].now || err == q.made[opTryGet].end {
			return i, nil
		}
		if err != nil {
			return i, err
		}
	}
	return len(vs), nil
}
