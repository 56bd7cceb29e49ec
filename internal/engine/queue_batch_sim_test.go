//go:build tandem_sim

package engine_test

import (
	"unsafe"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/sim"
)

// putBatch puts up to three as a batch, and reports whether more may come.
func (o *simQueue) putBatch(q *Queue, t *sim.Thread) bool {
	const most = 3
	size := o.c.Room
	bytes := make([]byte, 0, most*size)
	var msgs []*simMessage
	batch := o.next + 1
	for range most {
		o.next++
		m := &simMessage{id: o.next, size: size, began: o.w.Steps(), batch: batch}
		o.msgs[m.id] = m
		msgs = append(msgs, m)
		bytes = append(bytes, o.encode(m)...)
	}
	n, _, err := q.PutRun(unsafe.Pointer(&bytes[0]), most)
	if (n == most) != (err == nil) {
		o.w.Fail("PutRun = %d, %v", n, err)
	}
	if n == 0 && err == ErrFull {
		t.Context(o.w.Rand.IntN(3) == 0)
		o.putting[t], o.attached[t] = size, q
		err = q.Put(t, bytes[:size])
		delete(o.putting, t)
		if err == nil {
			n = 1
		}
	}
	if err != nil && err != ErrShutdown && err != ErrFull && err != sim.ErrCanceled {
		o.w.Fail("PutRun: %v", err)
	}
	for i, m := range msgs {
		if i < n {
			m.put = o.w.Steps()
			continue
		}
		if m.attempt > 0 {
			o.w.Fail("message %d, of which PutRun does not know, came", m.id)
		}
		delete(o.msgs, m.id)
	}
	return err != ErrShutdown
}

// getRun gets up to three messages as a run, and reports whether there were any.
func (o *simQueue) getRun(q *Queue, t *sim.Thread) bool {
	const most = 3
	size := o.c.Room
	bytes := make([]byte, most*size)
	run := q.TakeRun(unsafe.Pointer(&bytes[0]), most)
	var got []*simMessage
	for i := range run.Len() {
		m, s := o.parse(bytes[i*size:][:size]), q.At(run, i)
		if n := q.Attempt(s); n != 1 {
			o.w.Fail("message %d of a run came with attempt %d", m.id, n)
		}
		m.mustCome = false
		got = append(got, m)
		o.reading[t] = append(o.reading[t], simReading{m, q, s})
	}
	if run.Len() == 0 {
		return false
	}
	if n := q.ReleaseRun(run); n != run.Len() {
		o.w.Fail("%d of %d released", n, run.Len())
	}
	delete(o.reading, t)
	for _, m := range got {
		o.delivered(t, m, 1)
		m.final = true
	}
	for _, m := range got {
		m.holder = nil // done, from before TaskDone
		if err := q.TaskDone(); err != nil {
			o.w.Fail("TaskDone: %v", err)
		}
	}
	return true
}
