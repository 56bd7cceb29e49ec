package sync

import (
	"context"
	"testing"

	"example.com/tandem/shm/shmtest"
)

// A holder that waits has given the lock up, whatever its depth was, and has it
// to that depth when it has waited.
func TestCondGrip(t *testing.T) {
	c, err := OpenCond(shmtest.Region(t), "c", nil)
	if err != nil {
		t.Fatal(err)
	}
	h, ctx := c.Holder(), context.Background()
	has := func(who *Holder, depth int) {
		t.Helper()
		if c.who() != who || h.Depth() != depth || h.mu.Mine() != (who != nil) {
			t.Errorf("%p has it, depth %d, the word is ours %v; want %p, %d", c.who(), h.Depth(), h.mu.Mine(), who, depth)
		}
	}
	has(nil, 0)
	for range 3 {
		if err := h.Lock(ctx); err != nil {
			t.Fatal(err)
		}
	}
	has(h, 3)
	g, err := c.grip(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Unlock(); err != nil {
		t.Fatal(err)
	}
	has(nil, 0)
	if suspect, err := g.Lock(); suspect || err != nil {
		t.Fatal(suspect, err)
	}
	has(h, 3)
	for d := range 3 {
		if err := h.Unlock(); err != nil {
			t.Errorf("Unlock %d: %v", d, err)
		}
	}
	has(nil, 0)
}
