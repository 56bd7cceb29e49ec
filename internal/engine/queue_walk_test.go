package engine

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"example.com/tandem/internal/mem"
)

// pass has n messages put and taken by q.
func pass(t *testing.T, q *Queue, n int) {
	t.Helper()
	msg := make([]byte, 16)
	for range n {
		if err := q.TryPut(msg); err != nil {
			t.Fatal(err)
		}
		s, err := q.TryTake()
		if err != nil {
			t.Fatal(err)
		}
		q.Discard(s)
	}
}

// fill has q put n messages: 0, 1, …
func fill(t *testing.T, q *Queue, n int) {
	t.Helper()
	msg := make([]byte, 16)
	for i := range n {
		binary.LittleEndian.PutUint64(msg, uint64(i))
		if err := q.TryPut(msg); err != nil {
			t.Fatalf("message %d of %d: %v", i, n, err)
		}
	}
}

// drain has q take n messages, that were filled in so many at a time.
func drain(t *testing.T, q *Queue, n, fills int) {
	t.Helper()
	for i := range n {
		s, err := q.TryTake()
		if err != nil {
			t.Fatalf("message %d of %d: %v", i, n, err)
		}
		if b, err := q.bytesOf(s); err != nil || binary.LittleEndian.Uint64(b) != uint64(i%max(fills, 1)) {
			t.Fatalf("message %d: %v, %v", i, b, err)
		}
		q.Discard(s)
	}
}

// exact expects that q puts, counts and takes messages in their order, and
// finds the queue full and empty where it is; and at rest, but for leases.
func exact(t *testing.T, q *Queue, room int, leases ...int) {
	t.Helper()
	for i := range room {
		fill(t, q, 1)
		if n := q.Len(); n != i+1 {
			t.Fatalf("%d messages wait: Len %d", i+1, n)
		}
	}
	if err := q.TryPut(make([]byte, 16)); err != ErrFull {
		t.Fatalf("TryPut into a full queue = %v", err)
	}
	if q.roomy() || !q.more() || q.restNow() == atRest {
		t.Fatalf("full: roomy %v, more %v, rest %d", q.roomy(), q.more(), q.restNow())
	}
	drain(t, q, room, 1)
	if _, err := q.TryTake(); err != ErrEmpty {
		t.Fatalf("TryTake from an empty queue = %v", err)
	}
	if !q.roomy() || q.more() || (q.restNow() != atRest) != (len(leases) > 0) || q.Len() != 0 {
		t.Fatalf("empty: roomy %v, more %v, rest %d, Len %d", q.roomy(), q.more(), q.restNow(), q.Len())
	}
}

var walkSlots = []int{1, 2, 3, 10, 64, 100, 129}

// A handle that nobody used while messages passed, with the region's hints as the
// others leave them; and with those as they were when it was opened, after more
// messages than an attempt has turns.
func TestQueueIdleHandle(t *testing.T) {
	for _, n := range walkSlots {
		for _, back := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d slots, hints put back %v", n, back), func(t *testing.T) {
				a, q := heapQueue(t, QueueConfig{Slots: n, Room: 16})
				puts, takes, busy := attachQueue(t, a, 0), attachQueue(t, a, 0), attachQueue(t, a, 1)
				head, tail := *q.head.shared, *q.tail.shared
				passed := 1<<16 + 16*n + 5
				if back {
					passed = q.bound()/4 + q.bound() + 5
				}
				pass(t, busy, passed)
				putBack := func() {
					if back {
						*q.head.shared, *q.tail.shared = head, tail
					}
				}
				putBack()
				fill(t, busy, n-1)
				putBack()
				fill(t, puts, 1)
				putBack()
				drain(t, takes, n, n-1)
				putBack()
				exact(t, q, n)
				quietQueue(t, a)
			})
		}
	}
}

// A handle that slept through any number of laps, up to 2^31 less the two that
// cannot be told from those to come.
func TestQueueOldHandle(t *testing.T) {
	for _, n := range []int{1, 2, 3, 64} {
		for _, age := range []uint32{1, 2, 1 << 20, 1<<30 - 2, 1<<30 - 1, 1 << 30, 1<<30 + 1, 1<<31 - 4, 1<<31 - 3} {
			for _, at := range []uint32{0, 5, 1<<31 - 2} {
				c := QueueConfig{Slots: n, Room: 16, Rows: 8}
				a, q := heapQueue(t, c)
				q.head.own, q.tail.own = position(at-age, 0), position(at-age, 0)
				c.initLap(a, uint64(at))
				*q.head.shared, *q.tail.shared = q.head.own, q.tail.own
				t.Run(fmt.Sprintf("%d slots in lap %d, %d laps ago", n, at, age), func(t *testing.T) { exact(t, q, n) })
			}
		}
	}
}

// However many messages pass, and whoever passes them, the region's hints lag
// by no more than markEvery positions.
func TestQueueHintsKeepUp(t *testing.T) {
	for _, n := range walkSlots {
		a, q := heapQueue(t, QueueConfig{Slots: n, Room: 16})
		other := attachQueue(t, a, 1)
		for range 10 * max(n, markEvery) {
			pass(t, q, 1)
			pass(t, other, 1)
			for _, h := range []*hint{&other.head, &other.tail} {
				if lag := q.distance(*h.shared, h.load()); lag > max(markEvery, n) {
					t.Fatalf("%d slots: the hint lags by %d", n, lag)
				}
			}
		}
	}
}

// distance is how many positions b is behind a.
func (q *Queue) distance(a, b uint64) int {
	return int(laps(lapTurn(b), lapTurn(a)))*int(q.n) + int(posSlot(b)) - int(posSlot(a))
}

// Whoever scribbles on the region's hints disturbs order and verdicts, for
// moments, and nothing else: no call panics, or does not end.
func TestQueueForgedHints(t *testing.T) {
	for _, n := range walkSlots {
		a, q := heapQueue(t, QueueConfig{Slots: n, Room: 16})
		msg := make([]byte, 16)
		for range 20000 {
			for _, h := range []*hint{&q.head, &q.tail} {
				switch rand.IntN(8) {
				case 0:
					mem.Store64(h.shared, rand.Uint64())
				case 1:
					mem.Store64(h.shared, position(rand.Uint32(), rand.Uint32N(uint32(n))))
				}
			}
			x := q
			if rand.IntN(50) == 0 {
				x = attachQueue(t, a, 1)
			}
			x.TryPut(msg)
			x.Len()
			x.more()
			x.roomy()
			if s, err := x.TryTake(); err == nil {
				x.Discard(s)
			}
		}
	}
}

// Words that lead a walk nowhere do not keep anybody asleep: who is to be woken is, and finds
// out.
func TestQueueWalkThatIsLost(t *testing.T) {
	lostPuts, lostGets := 0, 0
	for range 2000 {
		a, q := heapQueue(t, QueueConfig{Slots: 5, Room: 16})
		for i := range q.n {
			mem.Store64(q.word(i), slotWord(rand.Uint32N(1<<20), rand.Uint64N(8), 0))
		}
		x := attachQueue(t, a, 1)
		if _, _, ok := x.putFront(); !ok {
			lostPuts++
			if !x.roomy() {
				t.Fatal("a producer that waits is not woken")
			}
		}
		if _, _, ok := x.getFront(); !ok {
			lostGets++
			if !x.more() {
				t.Fatal("a consumer that waits is not woken")
			}
		}
	}
	if lostPuts == 0 || lostGets == 0 {
		t.Errorf("%d walks to put were lost, and %d to get", lostPuts, lostGets)
	}
}

// Long leases on the slots at which hints are stored, and for how many messages
// ever: producers step over these slots, and consumers pass them, and store.
func TestQueueHintsKeepUpBehindLeases(t *testing.T) {
	for _, n := range []int{2, 3, 64, 100, 130} {
		t.Run(fmt.Sprintf("%d slots", n), func(t *testing.T) {
			a, q := heapQueue(t, QueueConfig{Slots: n, Room: 16})
			other := attachQueue(t, a, 1)
			msg := make([]byte, 16)
			leases := 0
			for i := range n {
				if err := q.TryPut(msg); err != nil {
					t.Fatal(err)
				}
				s, err := q.Take(nil, i%markEvery == 0)
				if err != nil {
					t.Fatal(err)
				}
				if i%markEvery == 0 {
					leases++
				} else {
					q.Discard(s)
				}
			}
			for range 20 * max(n, markEvery) {
				pass(t, q, 1)
				pass(t, other, 1)
				for _, h := range []*hint{&other.head, &other.tail} {
					if lag := q.distance(*h.shared, h.load()); lag > 2*max(markEvery, n) {
						t.Fatalf("the hint lags by %d", lag)
					}
				}
			}
			if err := checkQueue(a); err != nil {
				t.Error(err)
			}
			exact(t, attachQueue(t, a, 2), n-leases, leases)
		})
	}
}

// A hint that is older than half of all laps seems to be further on. No walk is
// led astray by it, and Check does not take it for damage.
func TestQueueHintOfHalfTheLaps(t *testing.T) {
	for _, n := range []int{1, 2, 3, 64, 100, 200} {
		for _, age := range []uint32{1 << 29, 1<<30 - 1, 1 << 30, 1<<30 + 1, 1<<31 - 1<<21} {
			t.Run(fmt.Sprintf("%d slots, %d laps", n, age), func(t *testing.T) {
				c := QueueConfig{Slots: n, Room: 16, Rows: 8}
				a, _ := heapQueue(t, c)
				c.initLap(a, uint64(age))
				q := attachQueue(t, a, 0)
				*q.head.shared, *q.tail.shared = 0, 0
				if err := checkQueue(a); err != nil {
					t.Error(err)
				}
				puts, takes := attachQueue(t, a, 0), attachQueue(t, a, 0)
				puts.tail.own, takes.head.own = position(age, 0), position(age, 0)
				fill(t, q, n-1)
				*q.head.shared, *q.tail.shared = 0, 0
				fill(t, puts, 1)
				drain(t, q, n-1, n)
				*q.head.shared, *q.tail.shared = 0, 0
				drain(t, takes, 1, 1)
				exact(t, q, n)
				pass(t, q, 1)
			})
		}
	}
}

// A walk over more slots than lie between two looks at the region's hint, which
// lags by them all: it is not put back by it.
func TestQueueLongWalks(t *testing.T) {
	for _, n := range []int{66, 200, 1000} {
		a, q := heapQueue(t, QueueConfig{Slots: n, Room: 16})
		puts, takes := attachQueue(t, a, 0), attachQueue(t, a, 0)
		first := *q.tail.shared
		fill(t, q, n-1)
		*q.tail.shared = first
		fill(t, puts, 1)
		drain(t, q, n-1, n)
		*q.head.shared = first
		drain(t, takes, 1, 1)
		quietQueue(t, a)
	}
}

// A look that comes by a slot which is being written does not pass it.
func TestQueueLooksPassNothingUnpublished(t *testing.T) {
	for name, look := range map[string]func(q *Queue){
		"Len":   func(q *Queue) { q.Len() },
		"more":  func(q *Queue) { q.more() },
		"roomy": func(q *Queue) { q.roomy() },
		"rest":  func(q *Queue) { q.restNow() },
	} {
		a, q := heapQueue(t, QueueConfig{Slots: 3, Room: 16})
		other := attachQueue(t, a, 1)
		s, err := other.TryClaim()
		if err != nil {
			t.Fatal(err)
		}
		fill(t, other, 1)
		look(q)
		other.Publish(s)
		s, err = q.TryTake()
		if err != nil || q.Index(s) != 0 {
			t.Errorf("%s: the first message taken is in slot %d: %v", name, q.Index(s), err)
		}
	}
}
