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

// throughBatches puts and gets n of T in memory that has room for no more.
func throughBatches[T comparable](n int, v T) func(*testing.T) {
	return func(t *testing.T) {
		q := open[T](t, region(t), "q", &ring.QueueOptions{Capacity: 100})
		put, got := new([100]T), new([100]T)
		for i := range put {
			put[i] = v
		}
		vs, into := slices.Clip(append(make([]T, 0, n), put[:n]...)), make([]T, n)
		for _, into := range [][]T{into, got[100-n:]} {
			if k, err := q.PutBatch(bg, vs); k != n || err != nil {
				t.Fatal(k, err)
			}
			if k, err := q.GetBatch(bg, into); k != n || err != nil || !slices.Equal(vs, into) {
				t.Errorf("GetBatch = %d, %v: %v", k, err, into)
			}
		}
	}
}

// A batch touches no memory but its own, however long its messages are. (That a pointer
// goes nowhere else is seen with -race.)
func TestBatchStaysInItsSlice(t *testing.T) {
	t.Run("words", throughBatches(8, int64(5)))
	t.Run("all", throughBatches(100, int64(5)))
	t.Run("pairs", throughBatches(4, [2]int64{5, 6}))
	t.Run("bytes", throughBatches(1, [16]byte{15: 1}))
	t.Run("odd", throughBatches(7, [5]byte{4: 1}))
	t.Run("long", throughBatches(33, [16]int64{15: 1}))
	t.Run("nothing", throughBatches(5, struct{}{}))
}
