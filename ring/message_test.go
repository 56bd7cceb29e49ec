package ring_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"example.com/tandem/ring"
)

// Q11: encoded before Put returns.
func TestMessageIsCopied(t *testing.T) {
	q := open[[]byte](t, region(t), "q", nil)
	b := []byte("before")
	if err := q.TryPut(b); err != nil {
		t.Fatal(err)
	}
	copy(b, "after!")
	got, err := q.TryGet()
	if err != nil || string(got) != "before" {
		t.Errorf("%q, %v", got, err)
	}
}

// Q17: nothing is a message too.
func TestEmptyMessages(t *testing.T) {
	r := region(t)
	b, s, e := open[[]byte](t, r, "b", nil), open[string](t, r, "s", nil), open[struct{}](t, r, "e", nil)
	if err := errors.Join(b.TryPut(nil), b.TryPut([]byte{}), s.TryPut(""), e.TryPut(struct{}{})); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := b.TryGet(); err != nil || len(got) != 0 {
			t.Errorf("%q, %v", got, err)
		}
	}
	if got, err := s.TryGet(); err != nil || got != "" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := e.TryGet(); err != nil {
		t.Error(err)
	}
}

func TestTooLarge(t *testing.T) {
	q := open[string](t, region(t), "q", &ring.QueueOptions{MaxMessage: 1000, Buffer: 4000})
	if err := q.TryPut(strings.Repeat("x", 1001)); !errors.Is(err, ring.ErrTooLarge) {
		t.Error(err)
	} else if !strings.Contains(err.Error(), "1001") || !strings.Contains(err.Error(), "1000") {
		t.Errorf("%v does not tell both lengths", err)
	}
	if err := q.TryPut(strings.Repeat("x", 1000)); err != nil || q.Len() != 1 {
		t.Error(err)
	}
}

// Put waits for bytes as well as for places.
func TestPutWaitsForBuffer(t *testing.T) {
	q := open[string](t, region(t), "q", &ring.QueueOptions{Capacity: 100, MaxMessage: 1024, Buffer: 2048})
	long := strings.Repeat("x", 1024)
	for range 2 {
		if err := q.TryPut(long); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.TryPut(long); !errors.Is(err, ring.ErrFull) {
		t.Errorf("TryPut = %v", err)
	}
	done := make(chan error)
	go func() { done <- q.Put(watchdog(t), long) }()
	if _, err := q.Get(watchdog(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestPutAndGetAllocateNothing(t *testing.T) {
	q := open[pair](t, region(t), "q", nil)
	ctx := context.Background()
	if n := testing.AllocsPerRun(1000, func() {
		if q.Put(ctx, pair{1, 2}) != nil || q.TryPut(pair{3, 4}) != nil {
			t.Fatal("full")
		}
		if _, err := q.Get(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := q.TryGet(); err != nil {
			t.Fatal(err)
		}
		if _, err := q.TryGet(); err == nil {
			t.Fatal("not empty")
		}
		if q.TryPut(pair{}) != nil {
			t.Fatal("full")
		}
		d, err := q.TryLease()
		if err != nil || d.Ack() != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
