package sync

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/internal/mem"
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

// A Wait from which the lock was taken says so, and is neither inside nor waiting any
// more, and another has the lock as before.
func TestCondGripLost(t *testing.T) {
	r, ctx := shmtest.Region(t), context.Background()
	c, err := OpenCond(r, "c", nil)
	if err != nil {
		t.Fatal(err)
	}
	h, other := c.Holder(), c.Holder()
	for range 2 {
		if err := h.Lock(ctx); err != nil {
			t.Fatal(err)
		}
	}
	g, err := c.grip(ctx)
	if err != nil {
		t.Fatal(err)
	}
	mem.Store64(c.lock.core.Area.W64(0), 0)
	if err := c.cond.Wait(g, g); !errors.Is(err, ErrNotLocked) {
		t.Errorf("Wait = %v", err)
	}
	if g.awake(); h.Depth() != 0 || h.mu.Mine() {
		t.Errorf("depth %d, the word is ours %v", h.Depth(), h.mu.Mine())
	}
	if err := other.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	if n, _, err := c.cond.Notify(1, func() bool { return true }); n != 0 || err != nil {
		t.Errorf("Notify = %d, %v: nobody waits", n, err)
	}
	if err := other.Unlock(); err != nil {
		t.Error(err)
	}
}
