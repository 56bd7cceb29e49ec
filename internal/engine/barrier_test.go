package engine_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

func attachBarrier(t testing.TB, a mem.Area, env engine.Env) *engine.Barrier {
	t.Helper()
	b, err := engine.AttachBarrier(a, env)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wait is a whole wait, without an action.
func wait(b *engine.Barrier, s engine.Sleeper) (int, error) {
	a, err := b.Arrive(s)
	if err != nil {
		return -1, err
	}
	if b.Last(a) {
		return a.Index(), b.Trip(a)
	}
	_, err = b.Await(a, s)
	return a.Index(), err
}

// Plain variables that only the barrier guards, over the end of the
// generations, with parties few and many.
func TestBarrierHammer(t *testing.T) {
	rounds := effort.Or(3000, 300)
	for _, parties := range []int{1, 2, 5, 20} {
		a := mem.Heap(engine.BarrierSize(parties))
		engine.InitBarrierLate(a, parties)
		f := newHeapFutex()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		at := make([]int, parties)
		var came [2][]int // who came as which, in a round of each bank
		came[0], came[1] = make([]int, parties), make([]int, parties)
		var tag [2]uint64 // what the package above tells the detector
		var wg sync.WaitGroup
		for p := range parties {
			b := attachBarrier(t, a, f.env(uint32(p), 1))
			wg.Go(func() {
				for n := range rounds {
					at[p] = n
					raceRelease(&tag[n%2])
					i, err := wait(b, heapSleeper{f, ctx})
					if err != nil {
						t.Errorf("party %d, round %d: %v", p, n, err)
						return
					}
					raceAcquire(&tag[n%2])
					for q, m := range at {
						// A faster one writes the next round's when all have read this one's.
						if m != n {
							t.Errorf("party %d is in round %d, and party %d in %d", p, n, q, m)
							return
						}
					}
					came[n%2][i] = n
					raceRelease(&tag[n%2])
					if _, err := wait(b, heapSleeper{f, ctx}); err != nil {
						t.Errorf("party %d, round %d: %v", p, n, err)
						return
					}
					raceAcquire(&tag[n%2])
					if slices.Min(came[n%2]) != n {
						t.Errorf("round %d: who came as which: %v", n, came[n%2])
						return
					}
				}
			})
		}
		wg.Wait()
		if l := barrierOps.Look(a); len(l.Holders) != 0 || l.Len != 0 || l.Cap != parties {
			t.Errorf("at the end: %+v", l)
		}
		if err := barrierOps.Check(a); err != nil {
			t.Error(err)
		}
	}
}

func raceRelease(tag *uint64) {
	if mem.RaceEnabled {
		mem.RaceReleaseMerge(ptr(tag))
	}
}

func raceAcquire(tag *uint64) {
	if mem.RaceEnabled {
		mem.RaceAcquire(ptr(tag))
	}
}

var barrierOps, _ = engine.OpsOf(engine.KindBarrier)

// The words, bit by bit, as docs and other languages see them: a barrier of
// three. Generations are written at bit 31.
func TestBarrierWords(t *testing.T) {
	const (
		gen           = 1 << 31
		slot0, slot1  = 256, 256 + 128 // of bank 0, of bank 1
		third, fourth = 3<<20 | 9, 4<<20 | 7
	)
	two, three := engine.Self{Index: 2, Epoch: 9}, engine.Self{Index: 3, Epoch: 7}
	for _, tt := range []struct {
		name    string
		words   map[uint64]uint64
		look    engine.Look
		corrupt bool
	}{
		{"new", map[uint64]uint64{0: 2 * gen}, engine.Look{Cap: 3}, false},
		{"two have come", map[uint64]uint64{0: 4*gen | 1, slot0: 4*gen | third, slot0 + 8: 4*gen | fourth, slot0 + 16: 2 * gen},
			engine.Look{Len: 2, Cap: 3, Holders: []engine.Holding{{Who: two, What: "arrived", N: 1}, {Who: three, What: "arrived", N: 1}}}, false},
		{"two goroutines of one", map[uint64]uint64{0: 5 * gen, slot1: 5*gen | third, slot1 + 8: 5*gen | third},
			engine.Look{Len: 2, Cap: 3, Holders: []engine.Holding{{Who: two, What: "arrived", N: 2}}}, false},
		{"one has not left", map[uint64]uint64{0: 3*gen | 2, slot0: 2*gen | third},
			engine.Look{Cap: 3, Holders: []engine.Holding{{Who: two, What: "leaving", N: 1}}}, false},
		{"broken", map[uint64]uint64{0: 2*gen | 4, slot0: 2*gen | third, slot0 + 8: 2 * gen},
			engine.Look{Cap: 3, State: "broken", Holders: []engine.Holding{{Who: two, What: "leaving", N: 1}}}, false},
		{"somebody sleeps", map[uint64]uint64{0: 2 * gen, 136: 1}, engine.Look{Cap: 3, Waiters: 1}, false},
		{"somebody waits for one to leave", map[uint64]uint64{0: 2 * gen, 136: 1 << 32}, engine.Look{Cap: 3, Waiters: 1}, false},
		{"a bit too many", map[uint64]uint64{0: 2*gen | 8}, engine.Look{Cap: 3, State: "corrupt"}, true},
		{"a slot of the other bank", map[uint64]uint64{0: 4 * gen, slot0: 3 * gen}, engine.Look{Cap: 3}, true},
		{"a slot of a later round", map[uint64]uint64{0: 2 * gen, slot0: 4 * gen}, engine.Look{Cap: 3}, true},
		{"nobody's epoch", map[uint64]uint64{0: 4 * gen, slot0: 2*gen | 9}, engine.Look{Cap: 3}, true},
		{"a gap", map[uint64]uint64{0: 2 * gen, slot0 + 8: 2*gen | third}, engine.Look{Cap: 3, Holders: []engine.Holding{{Who: two, What: "arrived", N: 1}}}, true},
		{"left too soon", map[uint64]uint64{0: 2 * gen, slot0: 2 * gen}, engine.Look{Len: 1, Cap: 3}, true},
		{"a hint too far", map[uint64]uint64{0: 2 * gen, 128: 2*gen | 3}, engine.Look{Cap: 3}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := mem.Heap(512)
			engine.InitBarrier(a, 3)
			for off, w := range tt.words {
				*a.W64(off) = w
			}
			if got := barrierOps.Look(a); !reflect.DeepEqual(got, tt.look) {
				t.Errorf("Look = %+v, want %+v", got, tt.look)
			}
			if err := barrierOps.Check(a); errors.Is(err, engine.ErrCorrupt) != tt.corrupt || !tt.corrupt && err != nil {
				t.Errorf("Check = %v", err)
			}
		})
	}
	if n := engine.BarrierSize(3); n != 512 {
		t.Errorf("a barrier of 3 has %d bytes", n)
	}
	for _, parties := range []uint32{0, 18, 1<<20 + 1, 1 << 31} {
		a := mem.Heap(512)
		*a.W32(8) = parties
		if _, err := engine.AttachBarrier(a, engine.Env{}); !errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("attached to %d parties in 512 bytes: %v", parties, err)
		}
	}
}

// A Reset where nobody has come and nothing is broken changes nothing.
func TestBarrierResetOfNone(t *testing.T) {
	a := mem.Heap(engine.BarrierSize(2))
	engine.InitBarrier(a, 2)
	b := attachBarrier(t, a, newHeapFutex().env(1, 1))
	is := func(g uint64) {
		t.Helper()
		if now, broken := b.Round(); now != g || broken {
			t.Errorf("round %d, broken %v; want %d", now, broken, g)
		}
	}
	b.Reset()
	is(2)
	if _, err := b.Arrive(nil); err != nil {
		t.Fatal(err)
	}
	b.Reset()
	is(3)
	b.Reset()
	is(3)
	b.Abort()
	b.Reset()
	is(4)
}

// Recovery takes from the dead alone, and does it twice as once.
func TestBarrierRecovery(t *testing.T) {
	a := mem.Heap(engine.BarrierSize(3))
	engine.InitBarrier(a, 3)
	f := newHeapFutex()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	alive, dying := attachBarrier(t, a, f.env(1, 1)), attachBarrier(t, a, f.env(2, 5))
	told := make(chan error)
	go func() { _, err := wait(alive, heapSleeper{f, ctx}); told <- err }()
	f.until(t, a.W32(136), 1)
	dying.Arrive(heapSleeper{f, ctx})
	if n := alive.Waiting(); n != 2 {
		t.Errorf("%d wait, not 2", n)
	}
	for _, stranger := range []engine.Self{{Index: 2, Epoch: 4}, {Index: 2, Epoch: 6}, {Index: 3, Epoch: 5}} {
		if err := barrierOps.Recover(a, f.env(1, 1), stranger); err != nil || alive.Broken() || alive.Waiting() != 2 {
			t.Errorf("the death of %v: %v, broken %v, %d wait", stranger, err, alive.Broken(), alive.Waiting())
		}
	}
	for range 2 {
		if err := barrierOps.Recover(a, f.env(1, 1), engine.Self{Index: 2, Epoch: 5}); err != nil {
			t.Error(err)
		}
	}
	if err := <-told; err != engine.ErrBroken {
		t.Errorf("who waited with the dead is told %v", err)
	}
	if l := barrierOps.Look(a); l.State != "broken" || len(l.Holders) != 0 {
		t.Errorf("Look = %+v", l)
	}
}

// Who waits for a slot that somebody has not left is told at once of a round
// that ends, though that one is stopped and never leaves.
func TestBarrierSlotNotLeft(t *testing.T) {
	f := newHeapFutex()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for name, end := range map[string]func(b *engine.Barrier, a mem.Area) error{
		"abort": func(b *engine.Barrier, a mem.Area) error { b.Abort(); return nil },
		"kick": func(b *engine.Barrier, a mem.Area) error { // and its slot is free
			*a.W64(256) = 2 << 31
			bell := engine.NewBell(a.W32(140), f.env(2, 1))
			bell.Bump()
			return nil
		},
		"its death": func(b *engine.Barrier, a mem.Area) error {
			return barrierOps.Recover(a, f.env(2, 1), engine.Self{Index: 7, Epoch: 1})
		},
	} {
		a := mem.Heap(engine.BarrierSize(1))
		engine.InitBarrier(a, 1)
		*a.W64(0), *a.W64(256) = 4<<31, 2<<31|8<<20|1
		b := attachBarrier(t, a, f.env(1, 1))
		done := make(chan error)
		go func() { _, err := wait(b, heapSleeper{f, ctx}); done <- err }()
		f.until(t, a.W32(140), 1)
		if err := end(attachBarrier(t, a, f.env(2, 1)), a); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil && (name != "abort" || err != engine.ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The death of one who had passed breaks nothing for those who go on.
func TestBarrierDeathAfterTheRound(t *testing.T) {
	a := mem.Heap(engine.BarrierSize(2))
	engine.InitBarrier(a, 2)
	f := newHeapFutex()
	alive, dying := attachBarrier(t, a, f.env(1, 1)), attachBarrier(t, a, f.env(2, 1))
	come := func(b *engine.Barrier) engine.Arrival {
		t.Helper()
		x, err := b.Arrive(nil)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	first := come(dying)
	if err := alive.Trip(come(alive)); err != nil {
		t.Fatal(err)
	}
	come(alive)
	for range 2 {
		if err := barrierOps.Recover(a, f.env(1, 1), engine.Self{Index: 2, Epoch: 1}); err != nil {
			t.Error(err)
		}
	}
	if alive.Broken() || alive.Waiting() != 1 || first.Index() != 0 {
		t.Errorf("broken %v, %d wait", alive.Broken(), alive.Waiting())
	}
}

// A slot that was scribbled on is empty when its party has left: the rounds go on.
func TestBarrierScribbledSlot(t *testing.T) {
	for _, here := range []func(func()) bool{nil, func(f func()) bool { f(); return true }} {
		a := mem.Heap(engine.BarrierSize(1))
		engine.InitBarrier(a, 1)
		b := attachBarrier(t, a, engine.Env{Self: engine.Self{Index: 1, Epoch: 1}, Wake: func(*uint32, int) int { return 0 }, Here: here})
		for round := range 6 {
			p, err := b.Arrive(nil) // which cannot wait
			if err != nil {
				t.Fatal(err)
			}
			if round < 2 {
				*p.Slot() ^= 1 << 2
			}
			if err := b.Trip(p); err != nil {
				t.Fatal(err)
			}
		}
	}
}
