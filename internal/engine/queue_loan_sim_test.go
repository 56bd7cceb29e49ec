//go:build tandem_sim

package engine_test

import (
	"errors"
	"unsafe"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

var errDropped = errors.New("dropped")

// putLoan puts m by a loan, which may be longer than it, or drops that.
func (o *simQueue) putLoan(q *Queue, t *sim.Thread, m *simMessage) error {
	n := m.size + o.w.Rand.IntN(o.c.MaxMessage-m.size+1)
	by := Sleeper(nil)
	o.lending[t], o.attached[t] = n, q
	if o.w.Rand.IntN(4) > 0 {
		by = t
	}
	l, err := q.Loan(by, n)
	delete(o.lending, t)
	if err != nil {
		return err
	}
	b := o.encode(m)
	mem.Copy(q.Memory(l), unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)))
	for range o.w.Rand.IntN(4) {
		t.Step()
	}
	err = errDropped
	if o.w.Rand.IntN(4) > 0 {
		if by != nil {
			o.putting[t] = 0 // a slot will do
		}
		_, err = q.PutLoan(by, l, m.size)
		delete(o.putting, t)
	}
	if err != nil {
		if err := q.DropLoan(l); err != nil {
			o.w.Fail("Drop: %v", err)
		}
	}
	if err := q.DropLoan(l); err != ErrNoLoan {
		o.w.Fail("Drop of what was put or dropped: %v", err)
	}
	if _, err := q.PutLoan(nil, l, m.size); err != ErrNoLoan {
		o.w.Fail("Put of what was put or dropped: %v", err)
	}
	return err
}

// lender puts n messages by loans, or drops them.
func (o *simQueue) lender(q *Queue, n int, drops bool) func(*sim.Thread) {
	return func(t *sim.Thread) {
		for range n {
			o.next++
			m := &simMessage{id: o.next, size: 8 + 70*(o.next%2), began: o.w.Steps()}
			o.lending[t], o.attached[t] = 140, q
			l, err := q.Loan(t, 140)
			delete(o.lending, t)
			if err != nil {
				return
			}
			b := o.encode(m)
			mem.Copy(q.Memory(l), unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)))
			if drops {
				q.DropLoan(l)
				continue
			}
			o.msgs[m.id] = m
			o.putting[t] = 0
			_, err = q.PutLoan(t, l, m.size)
			delete(o.putting, t)
			if err != nil {
				delete(o.msgs, m.id)
				q.DropLoan(l)
				return
			}
			m.put = o.w.Steps()
		}
	}
}
