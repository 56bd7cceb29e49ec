package engine

import (
	"testing"

	"example.com/tandem/internal/mem"
)

// A message that was given back is ready wherever it lies; what is pending of it after it
// was taken, and slots that are held, are not.
func TestReadyGivenBack(t *testing.T) {
	c := QueueConfig{Slots: 4, Room: 8, Rows: 2}
	a := mem.Heap(c.Size())
	c.Init(a)
	q, err := AttachQueue(a, Env{Self: Self{Index: 1, Epoch: 1}, Wake: func(*uint32, int) int { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	ready := func(want bool) {
		t.Helper()
		if is, err := q.Ready(0); is != want || err != nil {
			t.Errorf("Ready = %v, %v, want %v", is, err, want)
		}
	}
	for range 6 { // round the ring, more than once
		ready(false)
		for range 2 {
			if err := q.TryPut(make([]byte, 8)); err != nil {
				t.Fatal(err)
			}
		}
		ready(true)
		first, err := q.Take(nil, true)
		if err != nil {
			t.Fatal(err)
		}
		ready(true)
		second, err := q.Take(nil, false)
		if err != nil {
			t.Fatal(err)
		}
		ready(false)
		q.Release(second)
		ready(false)
		if err := q.Nack(q.Index(first)); err != nil { // behind the head
			t.Fatal(err)
		}
		ready(true)
		if first, err = q.Take(nil, true); err != nil {
			t.Fatal(err)
		}
		ready(false) // though it is pending still
		if err := q.Ack(q.Index(first)); err != nil {
			t.Fatal(err)
		}
	}
	ready(false)
	q.Shutdown()
	ready(true)
	for i := range q.n {
		if phaseOf(mem.Load64(q.word(i))) == slotSealed {
			t.Error("a look has sealed it")
		}
	}
}
