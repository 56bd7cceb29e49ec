package sync_test

import (
	"context"
	"testing"

	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// A Cond that is closed and decoded again, into the same variable, is as new.
func TestCondDecodedAgain(t *testing.T) {
	r := shmtest.Region(t)
	var bs [2][]byte
	var keep [2]*sync.Cond
	for i, name := range []string{"c", "d"} {
		c, err := sync.OpenCond(r, name, nil)
		if err != nil {
			t.Fatal(err)
		}
		keep[i] = c
		if bs[i], err = c.MarshalBinary(); err != nil {
			t.Fatal(err)
		}
	}
	var c sync.Cond
	if err := c.UnmarshalBinary(bs[0]); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.UnmarshalBinary(bs[1]); err != nil {
		t.Fatal(err)
	}
	h := c.Holder()
	if err := h.Lock(context.Background()); err != nil {
		t.Fatalf("Lock = %v", err)
	}
	defer h.Unlock()
	if ok, _ := keep[1].Holder().TryLock(); ok {
		t.Error("it is another's lock that it has")
	}
}
