package object

import (
	"runtime"
	"sync/atomic"
	"testing"

	"example.com/tandem/internal/wait"
)

// What is closed twice counts once, and the whole hears of the last.
func TestCloseTwice(t *testing.T) {
	unused := 0
	w := &Core{List: wait.NewList(), Gate: new(Gate), Unused: func() { unused++ }}
	w.Closed = w.Gate.Flag()
	a, b := w.Handle(), w.Handle()
	if !a.Close() || a.Close() || unused != 0 || !w.InUse() {
		t.Fatalf("one of two is closed: unused %d times, in use %v", unused, w.InUse())
	}
	if b.Closed.Load() || w.Closed.Load() || b.Whole() != w {
		t.Error("the other is not as it was")
	}
	b.Discount()
	if unused != 1 || w.InUse() || b.Closed.Load() {
		t.Errorf("unused %d times, in use %v", unused, w.InUse())
	}
	c := w.Handle()
	w.Gate.Shut()
	if !b.Closed.Load() || !c.Closed.Load() || !w.Handle().Closed.Load() || c.Ended() {
		t.Error("a handle is not closed in a closed region")
	}
}

// Who sees that the region is closed may count on it that every handle is.
func TestShutIsSeenByAllHandles(t *testing.T) {
	for range 20 {
		var g Gate
		flags := make([]*atomic.Bool, 1000)
		for i := range flags {
			flags[i] = g.newFlag()
		}
		go g.Shut()
		for !g.Closed() {
			runtime.Gosched()
		}
		for i, f := range flags {
			if !f.Load() {
				t.Fatalf("the region is closed, and handle %d is not", i)
			}
		}
	}
}
