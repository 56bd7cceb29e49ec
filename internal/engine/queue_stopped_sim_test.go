//go:build tandem_sim

package engine_test

import (
	"fmt"
	"strings"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
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
			"put a loan": func(q *Queue, msg []byte) {
				if l, err := q.Loan(nil, len(msg)); err == nil {
					copy(q.LentBytes(l), msg)
					q.PutLoan(nil, l, len(msg)/2)
				}
			},
			"drop a loan": func(q *Queue, msg []byte) {
				if l, err := q.Loan(nil, len(msg)); err == nil {
					q.DropLoan(l)
				}
			},
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
			if n++; at > 0 && n >= at {
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
	if lost > 1 || lost == 1 && (strings.HasPrefix(name, "put") || name == "drop a loan" || name == "nack" || name == "shutdown") {
		t.Errorf("stopped before access %d: %d of %d messages lost", at, lost, in)
	}
	return true
}

// A waiter is a Sleeper for which time passes: each sleep ends by itself, after
// f, and the last one allowed by an error.
type waiter struct {
	f     func()
	sleep int
}

func (w *waiter) Spin() bool { return false }
func (w *waiter) Now() int64 { return 0 }
func (w *waiter) Sleep(*uint32, uint32) error {
	if w.sleep--; w.sleep < 0 {
		return sim.ErrCanceled
	}
	if w.f != nil {
		w.f()
	}
	return nil
}

// A process is stopped for ever before each access of its Nack. Its message,
// once it is given back, comes to who waits after one sleep for which nobody
// rang; and to who tries when the queue has gone round.
func TestSimQueueStoppedGivingBack(t *testing.T) {
	for _, slots := range []int{1, 2, 4} {
		for at := 1; ; at++ {
			c := QueueConfig{Slots: slots, Room: 16, Rows: 8}
			run := func() (q *Queue, over bool) {
				a := mem.Heap(c.Size())
				c.InitLap(a, NearWrap)
				attach := func(i uint32) *Queue {
					q, err := AttachQueue(a, Env{Self: Self{Index: i, Epoch: 1}, Wake: noWake})
					if err != nil {
						t.Fatal(err)
					}
					return q
				}
				stopped := attach(1)
				if err := stopped.TryPut(append([]byte{200}, make([]byte, 15)...)); err != nil {
					t.Fatal(err)
				}
				s, err := stopped.Take(nil, true)
				if err != nil {
					t.Fatal(err)
				}
				q = attach(2)
				if _, err := q.Take(nil, false); err != ErrEmpty { // its own hint is behind it
					t.Fatal(err)
				}
				over = interrupted(at, func() { stopped.Nack(stopped.Index(s)) })
				if back := len(LookQueue(a).Holders) == 0; !back {
					q = nil // it is still on lease
				}
				return q, over
			}
			if q, _ := run(); q != nil {
				if s, err := q.Take(&waiter{sleep: 1}, false); err != nil {
					t.Errorf("%d slots, stopped before access %d: a Get that sleeps once: %v", slots, at, err)
				} else if b, _ := q.BytesOf(s); b[0] != 200 {
					t.Errorf("%d slots, stopped before access %d: message %d came", slots, at, b[0])
				}
			}
			q, over := run()
			for i := 0; q != nil && slots > 1; i++ {
				if i == 2*slots {
					t.Errorf("%d slots, stopped before access %d: the queue has gone round twice, and it has not come", slots, at)
					break
				}
				if err := q.TryPut(make([]byte, 16)); err != nil {
					t.Fatal(err)
				}
				s, err := q.Take(nil, false)
				if err != nil {
					t.Fatal(err)
				}
				b, _ := q.BytesOf(s)
				if q.Release(s); b[0] == 200 {
					break
				}
			}
			if over {
				break
			}
		}
	}
}
