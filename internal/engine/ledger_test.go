package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

func ledger(t testing.TB, a mem.Area, env engine.Env) *engine.Ledger {
	t.Helper()
	l, err := engine.AttachLedger(a, env)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newLedger(t testing.TB, rows, value int) mem.Area {
	t.Helper()
	a := mem.Heap(engine.LedgerSize(rows))
	engine.InitLedger(a, value)
	return a
}

func TestLedgerLimits(t *testing.T) {
	any := engine.Limits{Max: engine.LedgerMax}
	ten := engine.Limits{Min: 0, Max: 10}
	took := engine.Limits{Max: engine.LedgerMax, HeldMin: -5, HeldMax: 0}
	for _, tt := range []struct {
		name  string
		value int
		d     int
		m     engine.Limits
		want  engine.Outcome
	}{
		{"take one", 1, -1, any, engine.Done},
		{"take one of none", 0, -1, any, engine.TooLow},
		{"add nothing", 0, 0, any, engine.Done},
		{"up to the limit", 9, 1, ten, engine.Done},
		{"past the limit", 10, 1, ten, engine.TooHigh},
		{"down to Min", 10, -3, engine.Limits{Min: 7, Max: 10}, engine.Done},
		{"below Min", 10, -4, engine.Limits{Min: 7, Max: 10}, engine.TooLow},
		{"all at once", engine.LedgerMax, -engine.LedgerMax, any, engine.Done},
		{"all at once, up", 0, engine.LedgerMax, any, engine.Done},
		{"more than there can be", 1, engine.LedgerMax, engine.Limits{Max: 1 << 30}, engine.TooHigh},
		{"share at its limit", 9, -5, took, engine.Done},
		{"share below its limit", 9, -6, took, engine.Overdue},
		{"share above its limit", 9, 1, took, engine.Overdue},
		{"narrow, most", 50, 31, any, engine.Done},
		{"wide, least", 50, 32, any, engine.Done},
		{"narrow, least", 50, -18, any, engine.Done},
		{"wide, most", 50, -19, any, engine.Done},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newLedger(t, 3, tt.value)
			l := ledger(t, a, newHeapFutex().env(2, 1))
			got, err := l.Add(tt.d, tt.m)
			if got != tt.want || err != nil {
				t.Fatalf("Add(%d) = %v, %v; want %v", tt.d, got, err, tt.want)
			}
			d := 0
			if got == engine.Done {
				d = tt.d
			}
			h, err := l.Held(2)
			if l.Value() != tt.value+d || h != d || err != nil {
				t.Errorf("value %d, held %d (%v); want %d and %d", l.Value(), h, err, tt.value+d, d)
			}
			if err := engine.CheckLedger(a); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLedgerRecover(t *testing.T) {
	for _, tt := range []struct {
		name   string
		mine   []int
		others int // another's change after them
		give   engine.Give
		most   int
		want   int // of 50 at first
	}{
		{"gives back what it took", []int{-3}, 0, engine.GiveBack, 50, 50},
		{"keeps what it added", []int{4}, 0, engine.GiveBack, 100, 54},
		{"undoes what it added", []int{4}, 0, engine.Undo, 100, 50},
		{"undoes a sum", []int{4, -7, 40, -1}, 0, engine.Undo, 100, 50},
		{"undoes what is large", []int{-50, 20}, 0, engine.Undo, 100, 50},
		{"forgets", []int{-3}, 0, engine.Forget, 50, 47},
		{"not past the limit", []int{-3}, 2, engine.GiveBack, 50, 50},
		{"not below 0", []int{20}, -60, engine.Undo, 100, 0},
		{"had nothing", nil, -5, engine.Undo, 100, 45},
		{"undoes part of what is past the limit", []int{20}, 60, engine.Undo, 100, 110},
		{"gives back nothing past the limit", []int{-3}, 60, engine.GiveBack, 100, 107},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newLedger(t, 3, 50)
			f := newHeapFutex()
			any := engine.Limits{Max: engine.LedgerMax}
			dead, l := ledger(t, a, f.env(0, 1)), ledger(t, a, f.env(1, 1))
			for _, d := range tt.mine {
				if o, err := dead.Add(d, any); o != engine.Done || err != nil {
					t.Fatal(o, err)
				}
			}
			l.Add(tt.others, any)
			word := l.Bell.Arm()
			for range 2 { // a second recoverer finds nothing left to do
				if err := l.Recover(0, tt.give, tt.most); err != nil {
					t.Fatal(err)
				}
				h, err := l.Held(0)
				if l.Value() != tt.want || h != 0 || err != nil {
					t.Errorf("value %d, the dead one's share %d (%v); want %d and 0", l.Value(), h, err, tt.want)
				}
			}
			if *l.Bell.Word() == word {
				t.Error("the bell was not rung")
			}
			if h, _ := l.Held(1); h != tt.others {
				t.Errorf("another's share is %d, want %d", h, tt.others)
			}
		})
	}
}

func TestLedgerLook(t *testing.T) {
	a := newLedger(t, 3, 7)
	f := newHeapFutex()
	l, m := ledger(t, a, f.env(1, 8)), ledger(t, a, f.env(2, 9))
	any := engine.Limits{Max: engine.LedgerMax}
	l.Add(-2, any)
	m.Add(100, any)
	l.Bell.Arm()
	want := engine.Look{Value: "105", Waiters: 1, Holders: []engine.Holding{
		{Who: engine.Self{Index: 1, Epoch: 8}, What: "permit", N: -2},
		{Who: engine.Self{Index: 2, Epoch: 9}, What: "permit", N: 100},
	}}
	if got := engine.LookLedger(a, "permit"); !reflect.DeepEqual(got, want) {
		t.Errorf("look = %+v, want %+v", got, want)
	}
}

// A semaphore of heap memory: never more inside than permits, none lost, with
// contexts that end and participants that die with permits.
func TestLedgerHammer(t *testing.T) {
	const permits, rows = 3, 4
	f := newHeapFutex()
	a := newLedger(t, rows, permits)
	lim := engine.Limits{Max: permits}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var inside atomic.Int32
	var wg sync.WaitGroup
	for p := range uint32(rows) {
		wg.Go(func() {
			for epoch := uint32(1); epoch <= 5; epoch++ {
				l := ledger(t, a, f.env(p, epoch))
				var threads sync.WaitGroup
				life, die := context.WithCancel(ctx)
				for g := range 2 {
					threads.Go(func() {
						for n := range 200 {
							if life.Err() != nil {
								return
							}
							ctx, cancel := life, context.CancelFunc(func() {})
							if rand.IntN(4) == 0 {
								ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(200))*time.Microsecond)
							}
							o, err := l.Wait(heapSleeper{f, ctx}, -1, lim)
							cancel()
							if err != nil {
								if !errors.Is(err, context.DeadlineExceeded) && life.Err() == nil {
									t.Error(err)
								}
								continue
							}
							if o != engine.Done || inside.Add(1) > permits {
								t.Errorf("%v, with %d inside", o, inside.Load())
							}
							inside.Add(-1)
							if g == 0 && n == 199 {
								die() // with a permit
								return
							}
							if o, err := l.Add(1, lim); o != engine.Done || err != nil {
								t.Error(o, err)
							}
							l.Bell.Ring(1)
						}
					})
				}
				threads.Wait()
				die()
				if err := l.Recover(p, engine.GiveBack, permits); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		t.Fatalf("%v: %+v", err, engine.LookLedger(a, "permit"))
	}
	if l := ledger(t, a, f.env(0, 9)); l.Value() != permits {
		t.Errorf("%d permits at the end, want %d", l.Value(), permits)
	}
}

// Concurrent changes of all sizes, summed.
func TestLedgerSums(t *testing.T) {
	const rows = 3
	a := newLedger(t, rows, 1<<20)
	f := newHeapFutex()
	var sums [rows]atomic.Int64
	var wg sync.WaitGroup
	for p := range uint32(rows) {
		l := ledger(t, a, f.env(p, 1))
		for range 3 {
			wg.Go(func() {
				for range 2000 {
					d := rand.IntN(80) - 40
					if rand.IntN(10) == 0 {
						d *= 100
					}
					if o, err := l.Add(d, engine.Limits{Max: engine.LedgerMax}); o == engine.Done && err == nil {
						sums[p].Add(int64(d))
					} else {
						t.Error(o, err)
					}
				}
			})
		}
	}
	wg.Wait()
	want := 1 << 20
	l := ledger(t, a, f.env(0, 1))
	for p := range sums {
		want += int(sums[p].Load())
		if h, err := l.Held(uint32(p)); int64(h) != sums[p].Load() || err != nil {
			t.Errorf("participant %d has %d (%v), want %d", p, h, err, sums[p].Load())
		}
	}
	if l.Value() != want {
		t.Errorf("value %d, want %d", l.Value(), want)
	}
}

// Whatever is in the memory, nothing panics, hangs or leaves the area.
func TestLedgerCorrupt(t *testing.T) {
	corrupt := 0
	for range 3000 {
		a := newLedger(t, 3, 5)
		l := ledger(t, a, newHeapFutex().env(1, 1))
		for range 1 + rand.IntN(3) {
			off := rand.Uint64N(64) * 8
			switch rand.IntN(3) {
			case 0:
				off = 0
			case 1:
				off = 128 * (1 + rand.Uint64N(3))
			}
			*a.W64(off) = rand.Uint64() >> (rand.IntN(2) * rand.IntN(64))
		}
		if engine.CheckLedger(a) != nil {
			corrupt++
		}
		engine.LookLedger(a, "permit")
		l.Value()
		for _, d := range []int{-1, 1, 100, 0} {
			if _, err := l.Add(d, engine.Limits{Max: 1 << 20, HeldMin: -1 << 20, HeldMax: 1 << 20}); err != nil && !errors.Is(err, engine.ErrCorrupt) {
				t.Error(err)
			}
		}
		for i := range uint32(4) {
			l.Held(i)
			if err := l.Recover(i, engine.Undo, 1<<30); err != nil && !errors.Is(err, engine.ErrCorrupt) {
				t.Error(err)
			}
		}
	}
	if corrupt == 0 {
		t.Error("Check found nothing")
	}
}

func TestAttachLedgerTooSmall(t *testing.T) {
	a := newLedger(t, 3, 0)
	if _, err := engine.AttachLedger(a, engine.Env{Self: engine.Self{Index: 3}}); !errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("a fourth participant of three: %v", err)
	}
	if _, err := engine.AttachLedger(a.Sub(0, 128), engine.Env{}); !errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("no row: %v", err)
	}
}

func BenchmarkLedger(b *testing.B) {
	a := newLedger(b, 64, 1)
	l := ledger(b, a, newHeapFutex().env(5, 1))
	for b.Loop() {
		l.Add(-1, engine.Limits{Max: 1})
		l.Add(1, engine.Limits{Max: 1})
		l.Bell.Ring(1)
	}
}
