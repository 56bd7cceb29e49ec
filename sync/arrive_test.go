package sync_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"

	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// What does not arrive leaves the handle what it was: one that is in use on what
// it is on, and the zero one without anything.
func TestNothingArrives(t *testing.T) {
	r := shmtest.Region(t)
	ctx := context.Background()
	l, err := sync.OpenMutex(r, "l")
	if err != nil {
		t.Fatal(err)
	}
	sent, err := sync.OpenCond(r, "sent", l)
	if err != nil {
		t.Fatal(err)
	}
	b, err := sent.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Remove("l"); err != nil { // so the Cond is there, and its lock is not
		t.Fatal(err)
	}

	c, err := sync.OpenCond(r, "c", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.UnmarshalBinary(b); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("UnmarshalBinary = %v, want fs.ErrNotExist", err)
	}
	h := c.Holder()
	if h == nil {
		t.Fatal("it has another lock now")
	}
	if err := sync.With(ctx, h, c.NotifyAll); err != nil {
		t.Errorf("NotifyAll = %v", err)
	}

	var none sync.Cond
	if err := none.UnmarshalBinary(b); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("UnmarshalBinary = %v, want fs.ErrNotExist", err)
	}
	if err := none.Wait(ctx); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Wait of a handle that nothing arrived in = %v, want fs.ErrInvalid", err)
	}
}
