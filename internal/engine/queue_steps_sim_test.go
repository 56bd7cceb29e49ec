//go:build tandem_sim

package engine_test

import (
	"errors"
	"io"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// accesses counts those of f, and ends it when they are too many.
func accesses(t *testing.T, most int, f func()) (n int) {
	t.Helper()
	type tooMany struct{}
	mem.Point = func() {
		if n++; n > most {
			panic(tooMany{})
		}
	}
	defer func() {
		mem.Point = nil
		if r := recover(); r != nil {
			if _, ok := r.(tooMany); !ok {
				panic(r)
			}
			t.Helper()
			t.Errorf("more than %d accesses", most)
		}
	}()
	f()
	return n
}

func lonelyQueue(t *testing.T, c QueueConfig) (mem.Area, *Queue) {
	t.Helper()
	a := mem.Heap(c.Size())
	c.InitLap(a, NearWrap)
	q, err := AttachQueue(a, Env{Self: Self{Index: 1, Epoch: 1}, Wake: func(*uint32, int) int { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	return a, q
}

// With all slots but one on lease, a put and a get pass each lease a few times.
func TestSimQueueStepsOverManyLeases(t *testing.T) {
	const n = 3000
	a, q := lonelyQueue(t, QueueConfig{Slots: n, Room: 16, Rows: 8})
	msg := make([]byte, 16)
	for range n - 1 {
		if err := q.TryPut(msg); err != nil {
			t.Fatal(err)
		}
		if _, err := q.Take(nil, true); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		accesses(t, 20*n, func() {
			if err := q.TryPut(msg); err != nil {
				t.Fatal(err)
			}
			if err := q.TryPut(msg); err != ErrFull {
				t.Fatal(err)
			}
			s, err := q.Take(nil, false)
			if err != nil {
				t.Fatal(err)
			}
			q.Release(s)
			if _, err := q.Take(nil, false); err != ErrEmpty {
				t.Fatal(err)
			}
		})
		if err := CheckQueue(a, true); err != nil {
			t.Fatal(err)
		}
	}
}

// While one message at the end of the ring is out, each that ends costs Join
// and the end of the queue no search of the whole ring.
func TestSimQueueLooksWhereItLooked(t *testing.T) {
	const n = 3000
	_, q := lonelyQueue(t, QueueConfig{Slots: n, Room: 16, Rows: 8})
	msg := make([]byte, 16)
	slots := []int{}
	for range n {
		if err := q.TryPut(msg); err != nil {
			t.Fatal(err)
		}
		s, err := q.Take(nil, true)
		if err != nil {
			t.Fatal(err)
		}
		slots = append(slots, q.Index(s))
	}
	q.Shutdown()
	accesses(t, 100*n, func() {
		for i, s := range slots {
			if err := q.Ack(s); err != nil {
				t.Fatal(err)
			}
			want := ErrEmpty
			if i == n-1 {
				want = io.EOF
			}
			if _, err := q.Take(nil, false); err != want {
				t.Fatal(i, err)
			}
			if q.AtRest() != (i == n-1) {
				t.Fatal(i, "at rest")
			}
		}
	})
}

// Whatever the words of a large queue hold, no operation goes on for long: the
// bound is some 50 ms of accesses.
func TestSimQueueHostileSteps(t *testing.T) {
	const n = 1 << 14
	c := QueueConfig{Slots: n, Room: 16, Rows: 8}
	r := uint64(88172645463325252)
	next := func(n uint64) uint64 {
		r ^= r << 13
		r ^= r >> 7
		r ^= r << 17
		return r % n
	}
	word := func(turn, phase uint64) uint64 { return turn&(1<<31-1)<<33 | phase<<30 }
	for range 150 {
		a, q := lonelyQueue(t, c)
		lap := NearWrap - 2 + next(5)
		head, tail := (lap+next(1000))<<28|next(n), (lap+next(1000))<<28|next(n)
		if next(2) == 0 {
			tail = lap<<28 | next(n)
		}
		mem.Store64(a.W64(256), tail)
		mem.Store64(a.W64(384), head)
		mem.Store64(a.W64(128), next(4))
		turn, phase, odd := lap-1+next(3), 4+next(2), 1+next(100)
		for i := range uint64(n) {
			w := word(turn, phase)
			if next(n) < odd {
				w = word(lap+next(2000)-next(4), next(8))
			}
			mem.Store64(SlotWord(a, i), w)
		}
		for _, f := range []func() error{
			func() error { return q.TryPut(make([]byte, 16)) },
			func() error { _, err := q.Take(nil, false); return err },
			func() error { _, err := q.Take(nil, true); return err },
			func() error { q.AtRest(); return nil },
			func() error { q.More(); q.Fits(16); q.Len(); return nil },
			func() error { return q.Ack(int(next(n))) },
			func() error { return RecoverQueue(a, Env{Wake: func(*uint32, int) int { return 0 }}, Self{}) },
		} {
			accesses(t, 10_000_000, func() {
				switch err := f(); {
				case err == nil, err == ErrFull, err == ErrEmpty, err == ErrShutdown, err == io.EOF, err == ErrNotOwner, errors.Is(err, ErrCorrupt):
				default:
					t.Error(err)
				}
			})
		}
	}
}
