package ring_test

import (
	"slices"
	"testing"

	"example.com/tandem/ring"
)

// A message that was given back comes first, and the batch goes on behind it.
func TestBatchTakesWhatWasReturned(t *testing.T) {
	q := open[int](t, region(t), "q", &ring.QueueOptions{Capacity: 8})
	if n, err := q.PutBatch(bg, []int{1, 2, 3, 4}); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	d, err := q.Lease(bg)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Nack(); err != nil {
		t.Fatal(err)
	}
	got := make([]int, 8)
	if n, err := q.GetBatch(bg, got); n != 4 || err != nil || !slices.Equal(got[:n], []int{1, 2, 3, 4}) {
		t.Errorf("GetBatch = %d, %v: %v", n, err, got)
	}
}
