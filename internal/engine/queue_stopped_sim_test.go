//go:build tandem_sim

package engine_test

import (
	"fmt"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// A process is stopped for ever before each access of each operation, and
// what queue.go says of that comes true: the others go on, or wait without
// spinning for as long as one slot is in the middle of something; nothing is
// lost; and all is repaired when the stopped process is killed at last.
func TestSimQueueStopped(t *testing.T) {
	for _, c := range []QueueConfig{
		{Slots: 4, Room: 16, Rows: 8},
		{Slots: 4, Room: 16, Rows: 8, Blocks: 12, BlockSize: 64, MaxMessage: 150},
	} {
		for name, op := range map[string]func(q *Queue, msg []byte){
			"put": func(q *Queue, msg []byte) { q.TryPut(msg) },
			"get": func(q *Queue, msg []byte) {
				s, _ := q.Take(nil, false)
				q.BytesOf(s)
				q.Release(s)
			},
			"ack": func(q *Queue, msg []byte) {
				s, _ := q.Take(nil, true)
				q.BytesOf(s)
				q.Ack(q.Index(s))
			},
			"nack": func(q *Queue, msg []byte) {
				s, _ := q.Take(nil, true)
				q.Nack(q.Index(s))
			},
			"shutdown": func(q *Queue, msg []byte) { q.Shutdown() },
		} {
			t.Run(fmt.Sprintf("%s %v", name, c), func(t *testing.T) {
				for at := 1; stoppedAt(t, c, name, op, at); at++ {
				}
			})
		}
	}
}

// stoppedAt stops op at an access; false: it has no more.
func stoppedAt(t *testing.T, c QueueConfig, name string, op func(*Queue, []byte), at int) bool {
	a := mem.Heap(c.Size())
	c.InitLap(a, NearWrap)
	attach := func(i uint32) *Queue {
		q, err := AttachQueue(a, Env{Self: Self{Index: i, Epoch: 1}, Wake: func(*uint32, int) int { return 0 }})
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	stopped, q := attach(1), attach(2)
	size := func(i int) []byte {
		b := make([]byte, max(c.Room, c.MaxMessage-i%3*64))
		b[0] = byte(i)
		return b
	}
	in, out := 0, map[byte]int{}
	put := func() bool {
		err := q.TryPut(size(in))
		if err == nil {
			in++
		}
		return err == nil
	}
	get := func() bool {
		s, err := q.Take(nil, false)
		if err != nil {
			return false
		}
		b, err := q.BytesOf(s)
		if err != nil {
			t.Fatal(err)
		}
		out[b[0]]++
		q.Release(s)
		return true
	}
	put()
	put()
	over := false
	func() {
		type stop struct{}
		n := 0
		mem.Point = func() {
			if n++; n == at {
				panic(stop{})
			}
		}
		defer func() {
			mem.Point = nil
			if r := recover(); r != nil {
				if _, ok := r.(stop); !ok {
					panic(r)
				}
			}
		}()
		op(stopped, append([]byte{200}, size(0)[1:]...))
		over = true
	}()
	if over {
		return false
	}
	phases := map[string]int{}
	for _, h := range LookQueue(a).Holders {
		phases[h.What] += h.N
	}
	gone := 0
	accesses(t, 40_000, func() {
		for range 60 {
			if put() {
				gone++
			}
			get()
		}
	})
	free := phases["writing"] == 0 && phases["reading"] == 0 && name != "shutdown"
	if free && gone != 60 {
		t.Errorf("stopped before access %d, with %v: only %d of 60 messages pass", at, phases, gone)
	}
	if err := CheckQueue(a, false); err != nil {
		t.Errorf("stopped before access %d: %v", at, err)
	}
	if err := RecoverQueue(a, Env{Wake: func(*uint32, int) int { return 0 }}, Self{Index: 1, Epoch: 1}); err != nil {
		t.Error(err)
	}
	for get() {
	}
	if err := CheckQueue(a, true); err != nil {
		t.Errorf("killed before access %d: %v", at, err)
	}
	lost := 0
	for i := range in {
		switch n := out[byte(i)]; {
		case n == 0:
			lost++
		case n > 1:
			t.Errorf("stopped before access %d: message %d came %d times", at, i, n)
		}
	}
	if lost > 1 || lost == 1 && (name == "put" || name == "nack" || name == "shutdown") {
		t.Errorf("stopped before access %d: %d of %d messages lost", at, lost, in)
	}
	return true
}
