package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"example.com/tandem/internal/mem"
)

// Laps begin just short of the wrap of the turn's 31 bits.
const nearWrap = 1<<turnBits - 3

func heapQueue(t testing.TB, c QueueConfig) (mem.Area, *Queue) {
	t.Helper()
	if c.Rows == 0 {
		c.Rows = 8
	}
	if c.Size() == 0 {
		t.Fatalf("%+v cannot be made", c)
	}
	a := mem.Heap(c.Size())
	c.initLap(a, nearWrap)
	return a, attachQueue(t, a, 0)
}

func attachQueue(t testing.TB, a mem.Area, index uint32) *Queue {
	t.Helper()
	q, err := AttachQueue(a, Env{Self: Self{index, 1}, Wake: func(*uint32, int) int { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// get is a Get of a message's bytes.
func (q *Queue) get(w Sleeper) ([]byte, Slot, error) {
	s, err := q.Take(w, false)
	if err != nil {
		return nil, s, err
	}
	b, err := q.bytesOf(s)
	if err != nil {
		q.Discard(s)
		return nil, s, err
	}
	q.Release(s)
	return b, s, nil
}

func (q *Queue) bytesOf(s Slot) ([]byte, error) {
	n, err := q.Length(s)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	return b, q.Read(s, b)
}

func quietQueue(t testing.TB, a mem.Area) {
	t.Helper()
	if err := checkQueueAt(a, true); err != nil {
		t.Error(err)
	}
}

var queueConfigs = []QueueConfig{
	{Slots: 1, Room: 16},
	{Slots: 2, Room: 16},
	{Slots: 3, Room: 16},
	{Slots: 8, Room: 16},
	{Slots: 1, Room: 16, Blocks: 3, BlockSize: 64, MaxMessage: 150},
	{Slots: 3, Room: 16, Blocks: 7, BlockSize: 64, MaxMessage: 150},
	{Slots: 8, Room: 112, Blocks: 32, BlockSize: 64, MaxMessage: 1000},
}

func (c QueueConfig) String() string {
	if c.Blocks == 0 {
		return fmt.Sprintf("slots=%d", c.Slots)
	}
	return fmt.Sprintf("slots=%d,blocks=%d", c.Slots, c.Blocks)
}

// message is number i, of a length that goes with it.
func (c QueueConfig) message(i int) []byte {
	n := c.Room
	if c.Blocks > 0 {
		n = 8 + i*37%(c.MaxMessage-7)
	}
	b := make([]byte, n)
	for k := range b {
		b[k] = byte(i + k)
	}
	return b
}

func TestQueueFillAndDrain(t *testing.T) {
	for _, c := range queueConfigs {
		t.Run(c.String(), func(t *testing.T) {
			a, q := heapQueue(t, c)
			for lap := range 10 {
				n := 0
				for ; ; n++ {
					if err := q.TryPut(c.message(lap*100 + n)); err == ErrFull {
						break
					} else if err != nil {
						t.Fatal(err)
					}
					if q.Len() != n+1 {
						t.Fatalf("Len %d after %d puts", q.Len(), n+1)
					}
				}
				if c.Blocks == 0 && n != c.Slots || n == 0 || n > c.Slots {
					t.Fatalf("%d fit", n)
				}
				quietQueue(t, a)
				for i := range n {
					b, s, err := q.get(nil)
					if err != nil || !bytes.Equal(b, c.message(lap*100+i)) || q.Attempt(s) != 1 {
						t.Fatalf("message %d: %v, %v, attempt %d", i, b, err, q.Attempt(s))
					}
					if err := q.TaskDone(); err != nil {
						t.Fatal(err)
					}
				}
				if _, _, err := q.get(nil); err != ErrEmpty {
					t.Fatal(err)
				}
				if err := q.TaskDone(); err != ErrOverDone {
					t.Fatal(err)
				}
				quietQueue(t, a)
			}
			q.Shutdown()
			if err := q.TryPut(c.message(0)); err != ErrShutdown {
				t.Error(err)
			}
			if _, _, err := q.get(nil); err != io.EOF {
				t.Error(err)
			}
			quietQueue(t, a)
		})
	}
}

// One lease held for ever costs one slot and stalls nothing; its message comes
// when its holder dies.
func TestQueueStepsOverLeases(t *testing.T) {
	for _, c := range queueConfigs {
		if c.Slots == 1 {
			continue
		}
		t.Run(c.String(), func(t *testing.T) {
			a, q := heapQueue(t, c)
			other := attachQueue(t, a, 3)
			put := func(i int) {
				t.Helper()
				if err := q.TryPut(c.message(i)); err != nil {
					t.Fatal(i, err)
				}
			}
			put(0)
			if _, err := other.Take(nil, true); err != nil {
				t.Fatal(err)
			}
			for i := 1; i < 50*c.Slots; i++ {
				put(i)
				if b, _, err := q.get(nil); err != nil || !bytes.Equal(b, c.message(i)) {
					t.Fatal(i, b, err)
				}
				quietQueue(t, a)
			}
			n := 0
			for q.TryPut(c.message(3)) == nil {
				n++
			}
			if c.Blocks == 0 && n != c.Slots-1 {
				t.Errorf("%d fit beside one lease", n)
			}
			turns := *q.word(0)
			for range 100 {
				if err := q.TryPut(c.message(3)); err != ErrFull {
					t.Fatal(err)
				}
			}
			if *q.word(0) != turns {
				t.Error("a full queue burns turns")
			}
			for range n {
				if _, _, err := q.get(nil); err != nil {
					t.Fatal(err)
				}
			}
			q.Shutdown()
			if _, _, err := q.get(nil); err != ErrEmpty {
				t.Errorf("with a lease out: %v", err)
			}
			if err := recoverQueue(a, q.env, Self{3, 1}); err != nil {
				t.Fatal(err)
			}
			quietQueue(t, a)
			if q.Len() != 1 {
				t.Errorf("Len %d", q.Len())
			}
			b, s, err := q.get(nil)
			if err != nil || !bytes.Equal(b, c.message(0)) || q.Attempt(s) != 2 {
				t.Errorf("%v, %v, attempt %d", b, err, q.Attempt(s))
			}
			if _, _, err := q.get(nil); err != io.EOF {
				t.Error(err)
			}
			quietQueue(t, a)
		})
	}
}

func TestQueueAckNack(t *testing.T) {
	for _, c := range queueConfigs {
		t.Run(c.String(), func(t *testing.T) {
			a, q := heapQueue(t, c)
			for i := range 30 {
				if err := q.TryPut(c.message(i)); err != nil {
					t.Fatal(err)
				}
				for attempt := 1; ; attempt++ {
					s, err := q.Take(nil, true)
					if err != nil || q.Attempt(s) != attempt {
						t.Fatal(err, q.Attempt(s))
					}
					if q.Len() != 0 || q.restNow() != busy {
						t.Errorf("leased: Len %d", q.Len())
					}
					if b, err := q.bytesOf(s); err != nil || !bytes.Equal(b, c.message(i)) {
						t.Fatal(b, err)
					}
					end := q.Nack
					if attempt == 3 {
						end = q.Ack
					}
					if err := end(q.Index(s)); err != nil {
						t.Fatal(err)
					}
					if err := end(q.Index(s)); err != ErrNotOwner {
						t.Fatal(err)
					}
					quietQueue(t, a)
					if attempt == 3 {
						break
					}
					if q.Len() != 1 {
						t.Errorf("returned: Len %d", q.Len())
					}
				}
				if q.restNow() != atRest {
					t.Error("not at rest")
				}
			}
		})
	}
}

func TestQueueTooLarge(t *testing.T) {
	for _, c := range queueConfigs {
		_, q := heapQueue(t, c)
		if err := q.TryPut(make([]byte, q.MaxMessage()+1)); err != ErrTooLarge {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// Whatever the words hold, no operation panics or goes on for ever.
func TestQueueHostileWords(t *testing.T) {
	for _, c := range queueConfigs {
		a, q := heapQueue(t, c)
		for i := range c.Slots / 2 {
			q.TryPut(c.message(i))
		}
		clean := bytes.Clone(a.Bytes(0, a.Size()))
		r := uint64(12345)
		runs := 300
		if mem.RaceEnabled {
			runs = 30
		}
		for range runs {
			copy(a.Bytes(0, a.Size()), clean)
			for range 1 + r%3 {
				r ^= r << 13
				r ^= r >> 7
				r ^= r << 17
				off := r % min(a.Size(), 1200)
				a.Bytes(0, a.Size())[off] ^= byte(r >> 32)
			}
			if fresh, err := AttachQueue(a, q.env); err == nil {
				fresh.TryPut(c.message(1))
			} else if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			checkQueue(a)
			lookQueue(a)
			for i := range 4 {
				q.TryPut(c.message(i))
				q.get(nil)
				if s, err := q.Take(nil, true); err == nil {
					q.Ack(q.Index(s))
				}
				q.restNow()
			}
			recoverQueue(a, q.env, Self{uint32(r % 8), 1})
			q.Shutdown()
			q.get(nil)
		}
	}
}

func BenchmarkQueueEngine(b *testing.B) {
	_, q := heapQueue(b, QueueConfig{Slots: 1024, Room: 16})
	type pair struct{ a, b int64 }
	b.ReportAllocs()
	for b.Loop() {
		s, err := q.Claim(nil)
		if err != nil {
			b.Fatal(err)
		}
		*(*pair)(q.Body(s)) = pair{1, 2}
		q.Publish(s)
		s, err = q.Take(nil, false)
		if err != nil || *(*pair)(q.Body(s)) != (pair{1, 2}) {
			b.Fatal(err)
		}
		q.Release(s)
	}
}
