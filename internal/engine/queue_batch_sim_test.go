//go:build tandem_sim

package engine_test

import (
	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/sim"
)

// putBatch puts up to three as a batch, and reports whether more may come.
func (o *simQueue) putBatch(q *Queue, t *sim.Thread) bool {
	var put []*simMessage
	began, goesOn := o.w.Steps(), true
	t.Context(o.w.Rand.IntN(3) == 0)
	for range 3 {
		var s Slot
		var err error
		if len(put) > 0 {
			s, err = q.TryClaim()
		} else {
			o.putting[t], o.attached[t] = o.c.Room, q
			s, err = q.Claim(t)
			delete(o.putting, t)
		}
		if err != nil {
			if err != ErrShutdown && err != ErrFull && err != sim.ErrCanceled {
				o.w.Fail("Claim: %v", err)
			}
			goesOn = err != ErrShutdown
			break
		}
		o.next++
		m := &simMessage{id: o.next, size: o.c.Room, began: began}
		o.msgs[m.id] = m
		q.Fill(s, o.encode(m))
		q.Store(s)
		put = append(put, m)
	}
	if len(put) > 0 {
		q.Stored(len(put))
	}
	for _, m := range put {
		m.put = o.w.Steps()
	}
	return goesOn
}

// getRun gets up to two messages more than s, which is m, as a run.
func (o *simQueue) getRun(q *Queue, t *sim.Thread, s Slot, m *simMessage) {
	run, got := []Slot{s}, []*simMessage{m}
	for len(run) < 3 {
		s, ok := q.TakeHere()
		if !ok {
			break
		}
		b, err := q.BytesOf(s)
		if err != nil {
			o.w.Fail("read: %v", err)
		}
		run, got = append(run, s), append(got, o.parse(b))
	}
	var attempts []int
	for i, s := range run {
		attempts = append(attempts, q.Attempt(s))
		got[i].mustCome = false
		o.reading[t] = append(o.reading[t], simReading{got[i], q, s})
	}
	if n := q.ReleaseRun(run); n != len(run) {
		o.w.Fail("%d of %d released", n, len(run))
	}
	delete(o.reading, t)
	for i, m := range got {
		o.delivered(t, m, attempts[i])
		m.final = true
	}
	for _, m := range got {
		m.holder = nil // done, from before TaskDone
		if err := q.TaskDone(); err != nil {
			o.w.Fail("TaskDone: %v", err)
		}
	}
}
