package engine_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

func eventIn(t testing.TB, a mem.Area, f *heapFutex, index uint32) *engine.Event {
	t.Helper()
	e, err := engine.AttachEvent(a, f.env(index, 1))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// What a snapshot says of each state, and what is no state.
func TestEventLook(t *testing.T) {
	ops, _ := engine.OpsOf(engine.KindEvent)
	for _, tt := range []struct {
		word    uint64
		bell    uint32
		state   string
		value   string
		waiters int
		sound   bool
	}{
		{0, 0, "clear", "0", 0, true},
		{1<<1 | 1, 0, "set", "1", 0, true},
		{7 << 1, 1, "clear", "7", 1, true},
		{1<<64 - 1, 0, "set", "9223372036854775807", 0, true},
		{1, 0, "corrupt", "0", 0, false},
	} {
		a := mem.Heap(engine.EventSize)
		engine.InitEvent(a)
		mem.Store64(a.W64(0), tt.word)
		mem.Store32(a.W32(8), tt.bell)
		l := ops.Look(a)
		if l.State != tt.state || l.Value != tt.value || l.Waiters != tt.waiters {
			t.Errorf("word %#x looks like %+v", tt.word, l)
		}
		if err := ops.Check(a); (err == nil) != tt.sound || err != nil && !errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("Check of word %#x = %v", tt.word, err)
		}
		if tt.sound {
			continue
		}
		e := eventIn(t, a, newHeapFutex(), 0)
		for name, err := range map[string]error{"Set": e.Set(), "Clear": e.Clear(),
			"Wait": e.Wait(heapSleeper{newHeapFutex(), context.Background()})} {
			if !errors.Is(err, engine.ErrCorrupt) {
				t.Errorf("%s of word %#x = %v", name, tt.word, err)
			}
		}
		if e.Rose() {
			t.Errorf("a Wait is over by word %#x", tt.word)
		}
	}
	if _, err := engine.AttachEvent(mem.Heap(engine.EventSize-8), engine.Env{}); !errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("Attach to too few bytes = %v", err)
	}
}

// Recovery of one who set it and told nobody tells all.
func TestEventRecovery(t *testing.T) {
	a, f := mem.Heap(engine.EventSize), newHeapFutex()
	engine.InitEvent(a)
	ends := make(chan error, 3)
	for range 3 {
		e := eventIn(t, a, f, 1)
		go func() { ends <- e.Wait(heapSleeper{f, context.Background()}) }()
	}
	f.until(t, a.W32(8), 3)
	mem.Store64(a.W64(0), 1<<1) // set, and cleared
	ops, _ := engine.OpsOf(engine.KindEvent)
	for range 2 {
		if err := ops.Recover(a, f.env(2, 1), engine.Self{Index: 0, Epoch: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
}

// Work is handed over by Set, which may find the flag set, and by Clear: what
// was put before a Set is found by whoever clears after it, and no Wait sleeps
// on work.
func TestEventHandsOver(t *testing.T) {
	const each, producers = 3000, 3
	a, f := mem.Heap(engine.EventSize), newHeapFutex()
	engine.InitEvent(a)
	var boxes [producers]atomic.Int64 // for the count; the event alone says when
	var wg sync.WaitGroup
	for i := range producers {
		e := eventIn(t, a, f, uint32(i))
		wg.Go(func() {
			for range each {
				boxes[i].Add(1)
				if err := e.Set(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	e := eventIn(t, a, f, producers)
	for got := int64(0); got < each*producers; {
		if err := e.Wait(heapSleeper{f, context.Background()}); err != nil {
			t.Fatal(err)
		}
		if err := e.Clear(); err != nil {
			t.Fatal(err)
		}
		for i := range boxes {
			got += boxes[i].Swap(0)
		}
	}
	wg.Wait()
}
