package ring_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
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

// batched is what has the two calls.
type batched[T any] interface {
	PutBatch(context.Context, []T) (int, error)
	GetBatch(context.Context, []T) (int, error)
	Shutdown() error
	Close() error
}

// An error says which call it is of, whichever did the work.
func TestBatchErrorsNameTheCall(t *testing.T) {
	r := region(t)
	t.Run("words", func(t *testing.T) { batchErrors(t, open[int](t, r, "words", nil), "queue") })
	t.Run("strings", func(t *testing.T) { batchErrors(t, open[string](t, r, "strings", nil), "queue") })
	t.Run("spsc", func(t *testing.T) {
		s, err := ring.OpenSPSC[int](r, "spsc", nil)
		if err != nil {
			t.Fatal(err)
		}
		batchErrors(t, s, "spsc")
	})
}

func batchErrors[T any](t *testing.T, b batched[T], kind string) {
	ended, cancel := context.WithCancel(bg)
	soon, stop := context.WithTimeout(bg, 1)
	cancel()
	defer stop()
	vs := make([]T, 2)
	said := func(when, verb string, n int, err, want error) {
		t.Helper()
		var e *shm.Error
		if n != 0 || !errors.Is(err, want) || !errors.As(err, &e) || e.Op != kind+"."+verb {
			t.Errorf("%s: %s = %d, %v", when, verb, n, err)
		}
	}
	both := func(when string, ctx context.Context, put, get error) {
		t.Helper()
		n, err := b.PutBatch(ctx, vs)
		said(when, "PutBatch", n, err, put)
		n, err = b.GetBatch(ctx, vs)
		said(when, "GetBatch", n, err, get)
	}
	none := func(when string, ctx context.Context, want error) {
		t.Helper()
		n, err := b.PutBatch(ctx, nil)
		said(when, "PutBatch", n, err, want)
		n, err = b.GetBatch(ctx, nil)
		said(when, "GetBatch", n, err, want)
	}
	for _, call := range []func(context.Context, []T) (int, error){b.PutBatch, b.GetBatch} {
		if n, err := call(bg, nil); n != 0 || err != nil {
			t.Errorf("of none: %d, %v", n, err)
		}
	}
	none("none, and an ended context", ended, context.Canceled)
	both("an ended context", ended, context.Canceled, context.Canceled)
	n, err := b.GetBatch(soon, vs)
	said("nothing there", "GetBatch", n, err, context.DeadlineExceeded)
	if err := b.Shutdown(); err != nil {
		t.Fatal(err)
	}
	both("shut down", bg, ring.ErrShutdown, io.EOF)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	both("closed", bg, shm.ErrClosed, shm.ErrClosed)
	none("none, closed", bg, shm.ErrClosed)
}
