//go:build tandem_sim

package engine_test

import (
	"fmt"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// A process dies before each access of each operation, its recoverer before
// each access of the recovery, and another recovers it then. No block is lost,
// no message but such as was the dead one's, and the queue takes as much as
// before.
func TestSimQueueDiesAnywhere(t *testing.T) {
	take := func(q *Queue, lease bool, then func(s Slot)) {
		if s, err := q.Take(nil, lease); err == nil {
			q.BytesOf(s)
			then(s)
		}
	}
	ops := map[string]func(q *Queue, msg []byte){
		"put":     func(q *Queue, msg []byte) { q.TryPut(msg) },
		"get":     func(q *Queue, msg []byte) { take(q, false, func(s Slot) { q.Release(s); q.TaskDone() }) },
		"discard": func(q *Queue, msg []byte) { take(q, false, func(s Slot) { q.Discard(s) }) },
		"ack":     func(q *Queue, msg []byte) { take(q, true, func(s Slot) { q.Ack(q.Index(s)) }) },
		"nack":    func(q *Queue, msg []byte) { take(q, true, func(s Slot) { q.Nack(q.Index(s)) }) },
		"its own": func(q *Queue, msg []byte) {
			q.TryPut(msg)
			for range 3 {
				take(q, true, func(s Slot) { q.Ack(q.Index(s)) })
			}
		},
		"loan": func(q *Queue, msg []byte) {
			if l, err := q.Loan(nil, len(msg)); err == nil {
				copy(q.LentBytes(l), msg)
				if _, err := q.PutLoan(nil, l, len(msg)); err != nil {
					q.DropLoan(l)
				}
			}
		},
		"a part of a loan": func(q *Queue, msg []byte) {
			if l, err := q.Loan(nil, len(msg)); err == nil {
				copy(q.LentBytes(l), msg)
				q.PutLoan(nil, l, 17)
				q.DropLoan(l)
			}
		},
		"a small part of a loan": func(q *Queue, msg []byte) {
			if l, err := q.Loan(nil, len(msg)); err == nil {
				copy(q.LentBytes(l), msg)
				q.PutLoan(nil, l, 9)
			}
		},
		"loan dropped": func(q *Queue, msg []byte) {
			if l, err := q.Loan(nil, len(msg)); err == nil {
				q.DropLoan(l)
			}
		},
		"give up": func(q *Queue, msg []byte) { q.TryPut(msg); q.Put(&waiter{sleep: 1}, msg) },
	}
	for _, c := range []QueueConfig{
		{Slots: 1, Room: 16, Rows: 3},
		{Slots: 3, Room: 16, Rows: 3},
		{Slots: 1, Room: 16, Rows: 3, Blocks: 5, BlockSize: 64, MaxMessage: 150},
		{Slots: 3, Room: 16, Rows: 3, Blocks: 12, BlockSize: 64, MaxMessage: 150},
	} {
		for name, op := range ops {
			t.Run(fmt.Sprintf("%s %v", name, c), func(t *testing.T) {
				d := dying{t, c}
				lost := map[string]int{"get": 1, "discard": 1, "ack": 1, "its own": 3}[name]
				put := max(1, c.Slots-1)
				if name == "put" {
					put = c.Slots - 1
				}
				for at := 1; ; at++ {
					a := mem.Heap(c.Size())
					c.InitLap(a, NearWrap)
					dead, live := d.attach(a, 1), d.attach(a, 2)
					for i := range put {
						if err := live.TryPut(d.message(i)); err != nil {
							t.Fatal(err)
						}
					}
					if interrupted(at, func() { op(dead, d.message(99)) }) {
						break
					}
					for recovered, from := false, 1; !recovered; from++ {
						b := mem.Heap(c.Size())
						copy(b.Bytes(0, b.Size()), a.Bytes(0, a.Size()))
						recovered = interrupted(from, func() { d.recover(b) })
						d.recover(b)
						if err := d.whole(b, put-lost); err != nil {
							t.Fatalf("died before access %d, its recoverer before access %d: %v", at, from, err)
						}
					}
				}
			})
		}
	}
}

// A claimer died before, and what it left is longer than any message: one that cuts it,
// at either end of a row, dies before each access, and its recoverer.
func TestSimQueueDiesAtALongPiece(t *testing.T) {
	c := QueueConfig{Slots: 3, Room: 16, Rows: 3, Blocks: 13, BlockSize: 64, MaxMessage: 190}
	for _, pieces := range [][]uint32{{1, 5, 3, 3, 1}, {5, 3, 3, 2}, {2, 5, 5, 1}} {
		d := dying{t, c}
		for at := 1; ; at++ {
			a := mem.Heap(c.Size())
			c.InitLap(a, NearWrap)
			dead := d.attach(a, 1)
			dead.CutInto(pieces...)
			over := interrupted(at, func() { dead.TryPut(d.message(9)) })
			if err := TiledQueue(a); err != nil {
				t.Fatalf("%v, died before access %d: %v", pieces, at, err)
			}
			for recovered, from := false, 1; !recovered; from++ {
				b := mem.Heap(c.Size())
				copy(b.Bytes(0, b.Size()), a.Bytes(0, a.Size()))
				recovered = interrupted(from, func() { d.recover(b) })
				d.recover(b)
				if err := d.whole(b, 0); err != nil {
					t.Fatalf("%v, died before access %d, its recoverer before access %d: %v", pieces, at, from, err)
				}
			}
			if over {
				break
			}
		}
	}
}

type dying struct {
	*testing.T
	c QueueConfig
}

func (d dying) attach(a mem.Area, i uint32) *Queue {
	d.Helper()
	q, err := AttachQueue(a, Env{Self: Self{Index: i, Epoch: 1}, Wake: noWake})
	if err != nil {
		d.Fatal(err)
	}
	return q
}

func (d dying) message(i int) []byte {
	b := make([]byte, max(d.c.Room, d.c.MaxMessage))
	for k := range b {
		b[k] = byte(i + k)
	}
	return b
}

func (d dying) recover(a mem.Area) {
	if err := RecoverQueue(a, Env{Self: Self{Index: 2, Epoch: 1}, Wake: noWake}, Self{Index: 1, Epoch: 1}); err != nil {
		d.Error(err)
	}
}

// whole looks whether the queue is sound, takes out all messages, which are so
// many at least, puts as many as there are slots, and looks again.
func (d dying) whole(a mem.Area, least int) error {
	q := d.attach(a, 2)
	if err := CheckQueue(a, true); err != nil {
		return err
	}
	n, seen := q.Len(), map[byte]bool{}
	for range n {
		s, err := q.Take(nil, false)
		if err != nil {
			return fmt.Errorf("Len said %d: %w", n, err)
		}
		b, err := q.BytesOf(s)
		if err != nil {
			return err
		}
		if seen[b[0]] || string(b) != string(d.message(int(b[0]))[:len(b)]) {
			return fmt.Errorf("torn, or twice: %x", b)
		}
		seen[b[0]] = true
		q.Release(s)
		q.TaskDone()
	}
	if n < least {
		return fmt.Errorf("%d messages, want %d", n, least)
	}
	if _, err := q.Take(nil, false); err != ErrEmpty {
		return fmt.Errorf("Len said %d, and one more: %w", n, err)
	}
	if !q.AtRest() {
		return fmt.Errorf("not at rest, and all is done")
	}
	for i := range d.c.Slots {
		if err := q.TryPut(d.message(i)); err != nil {
			return fmt.Errorf("%d of %d fit: %w", i, d.c.Slots, err)
		}
	}
	return CheckQueue(a, true)
}
