package engine_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

func onceIn(t testing.TB, a mem.Area, f *heapFutex, index uint32) *engine.Once {
	t.Helper()
	o, err := engine.AttachOnce(a, f.env(index, 1))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// What a snapshot says of each state, and what is no state.
func TestOnceLook(t *testing.T) {
	ops, _ := engine.OpsOf(engine.KindOnce)
	const held = 3<<32 | 8 // index 7, epoch 3
	for _, tt := range []struct {
		mutex, done, begun uint64
		state, value       string
		owned, sound       bool
	}{
		{0, 0, 0, "not done", "0", false, true},
		{held, 0, 2, "running", "2", true, true},
		{held, 1, 2, "done", "2", true, true},
		{0, 1, 2, "done", "2", false, true},
		{0, 2, 0, "corrupt", "", false, false},
		{1 << 30, 0, 0, "corrupt", "", false, false}, // abandoned
		{1 << 32, 0, 0, "corrupt", "", false, false},
	} {
		a := mem.Heap(engine.OnceSize)
		engine.InitOnce(a)
		mem.Store64(a.W64(0), tt.mutex)
		mem.Store64(a.W64(128), tt.done)
		mem.Store64(a.W64(144), tt.begun)
		l := ops.Look(a)
		if l.State != tt.state || l.Value != tt.value || (l.Owner != nil) != tt.owned {
			t.Errorf("%+v looks like %+v", tt, l)
		}
		if tt.owned && *l.Owner != (engine.Self{Index: 7, Epoch: 3}) {
			t.Errorf("%+v is run by %v", tt, *l.Owner)
		}
		if err := ops.Check(a); (err == nil) != tt.sound || err != nil && !errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("Check of %+v = %v", tt, err)
		}
		if tt.sound {
			continue
		}
		f := newHeapFutex()
		if run, err := onceIn(t, a, f, 0).Begin(heapSleeper{f, context.Background()}); run || !errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("Begin of %+v = %v, %v", tt, run, err)
		}
	}
	if _, err := engine.AttachOnce(mem.Heap(engine.OnceSize-8), engine.Env{}); !errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("Attach to too few bytes = %v", err)
	}
}

// A run is ended by who began it.
func TestOnceFinishesForOthers(t *testing.T) {
	a, f := mem.Heap(engine.OnceSize), newHeapFutex()
	engine.InitOnce(a)
	if err := onceIn(t, a, f, 1).Finish(false); !errors.Is(err, engine.ErrNotLocked) {
		t.Errorf("Finish of what nobody began = %v", err)
	}
	if run, err := onceIn(t, a, f, 0).Begin(heapSleeper{f, context.Background()}); !run || err != nil {
		t.Fatalf("Begin = %v, %v", run, err)
	}
	if err := onceIn(t, a, f, 1).Finish(false); !errors.Is(err, engine.ErrNotOwner) {
		t.Errorf("Finish of what another began = %v", err)
	}
}

// Recovery frees what a runner held, whether it had done it or not, and tells
// all: the next runs it, or nobody.
func TestOnceRecovery(t *testing.T) {
	ops, _ := engine.OpsOf(engine.KindOnce)
	for _, done := range []uint64{0, 1} {
		a, f := mem.Heap(engine.OnceSize), newHeapFutex()
		engine.InitOnce(a)
		if run, err := onceIn(t, a, f, 0).Begin(heapSleeper{f, context.Background()}); !run || err != nil {
			t.Fatalf("Begin = %v, %v", run, err)
		}
		var wg sync.WaitGroup
		runs := make(chan bool, 3)
		for range 3 {
			o := onceIn(t, a, f, 1)
			wg.Go(func() {
				run, err := o.Begin(heapSleeper{f, context.Background()})
				if err != nil {
					t.Error(err)
				}
				if runs <- run; run {
					if err := o.Finish(true); err != nil {
						t.Error(err)
					}
				}
			})
		}
		f.until(t, a.W32(0), 3)
		mem.Store64(a.W64(128), done) // and died at once
		for range 2 {
			if err := ops.Recover(a, f.env(2, 1), engine.Self{Index: 0, Epoch: 1}); err != nil {
				t.Fatal(err)
			}
		}
		wg.Wait()
		close(runs)
		n := uint64(0)
		for run := range runs {
			if run {
				n++
			}
		}
		if n+done != 1 {
			t.Errorf("with done %d at its runner's death, %d run it", done, n)
		}
	}
}
