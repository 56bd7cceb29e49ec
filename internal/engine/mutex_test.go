package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

func attach(t testing.TB, a mem.Area, env engine.Env) *engine.Mutex {
	t.Helper()
	m, err := engine.AttachMutex(a, env)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The word, bit by bit, as docs and other languages see it.
func TestMutexWord(t *testing.T) {
	ops, _ := engine.OpsOf(engine.KindMutex)
	owner := &engine.Self{Index: 4, Epoch: 9}
	for _, tt := range []struct {
		name    string
		word    uint64
		lock    error // of TryLock by 4.9; nil: held
		unlock  error // of Unlock by 4.9 without that
		look    engine.Look
		corrupt bool
	}{
		{"free", 0, nil, engine.ErrNotLocked, engine.Look{}, false},
		{"free, another sequence", 0x0000_0000_0fff_f800, nil, engine.ErrNotLocked, engine.Look{}, false},
		{"held", 0x0000_0009_0000_0005, errHeld, nil, engine.Look{Owner: owner}, false},
		{"held, with waiters", 0x0000_0009_8000_0005, errHeld, nil, engine.Look{Owner: owner, Waiters: 1}, false},
		{"held by another epoch", 0x0000_0008_8000_0005, errHeld, engine.ErrNotOwner, engine.Look{Owner: &engine.Self{Index: 4, Epoch: 8}, Waiters: 1}, false},
		{"held by another", 0x0000_0009_0000_0006, errHeld, engine.ErrNotOwner, engine.Look{Owner: &engine.Self{Index: 5, Epoch: 9}}, false},
		{"held by the last", 0xffff_ffff_0000_0400, errHeld, engine.ErrNotOwner, engine.Look{Owner: &engine.Self{Index: 1023, Epoch: 0xffffffff}}, false},
		{"starved", 0x0000_0009_9000_0005, errHeld, nil, engine.Look{Owner: owner, Waiters: 1}, false},
		{"offered", 0x0000_0000_b000_0000, nil, engine.ErrNotLocked, engine.Look{Waiters: 1, State: "offered"}, false},
		{"abandoned", 0x0000_0000_4000_0000, engine.ErrOwnerDied, engine.ErrNotLocked, engine.Look{State: "abandoned"}, false},
		{"under repair", 0x0000_0009_4000_0005, engine.ErrOwnerDied, nil, engine.Look{Owner: owner, State: "abandoned"}, false},
		{"no owner with an epoch", 0x0000_0009_0000_0000, engine.ErrCorrupt, engine.ErrCorrupt, engine.Look{State: "corrupt"}, true},
		{"no such owner", 0x0000_0009_0000_0401, engine.ErrCorrupt, engine.ErrCorrupt, engine.Look{State: "corrupt"}, true},
		{"offered and held", 0x0000_0008_a000_0005, engine.ErrCorrupt, engine.ErrCorrupt, engine.Look{Owner: &engine.Self{Index: 4, Epoch: 8}, Waiters: 1, State: "corrupt"}, true},
		{"offered and abandoned", 0x0000_0000_e000_0000, engine.ErrCorrupt, engine.ErrCorrupt, engine.Look{Waiters: 1, State: "corrupt"}, true},
		{"starved without waiters", 0x0000_0009_1000_0006, engine.ErrCorrupt, engine.ErrCorrupt, engine.Look{Owner: &engine.Self{Index: 5, Epoch: 9}, State: "corrupt"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := mem.Heap(engine.MutexSize)
			m := attach(t, a, newHeapFutex().env(4, 9))
			*a.W64(0) = tt.word
			if got := ops.Look(a); !reflect.DeepEqual(got, tt.look) {
				t.Errorf("Look = %+v, want %+v", got, tt.look)
			}
			if err := ops.Check(a); errors.Is(err, engine.ErrCorrupt) != tt.corrupt {
				t.Errorf("Check = %v", err)
			}
			if err := m.Unlock(); !errors.Is(err, tt.unlock) {
				t.Errorf("Unlock = %v, want %v", err, tt.unlock)
			} else if err != nil && *a.W64(0) != tt.word {
				t.Errorf("an Unlock that fails changed the word to %#x", *a.W64(0))
			}
			*a.W64(0) = tt.word
			ok, err := m.TryLock()
			if !ok && err == nil {
				err = errHeld
			}
			if err != tt.lock {
				t.Errorf("TryLock = %v, want %v", err, tt.lock)
			} else if err == nil {
				if who, ok := m.Owner(); !ok || who != *owner {
					t.Errorf("after TryLock the owner is %v", who)
				}
			}
		})
	}
}

var errHeld = errors.New("held")

// Who wants the mutex without waiting for it takes the fast Unlock from whoever
// holds it.
func TestMutexWanted(t *testing.T) {
	a := mem.Heap(engine.MutexSize)
	f := newHeapFutex()
	m, other := attach(t, a, f.env(0, 1)), attach(t, a, f.env(1, 1))
	if other.Want() || *a.W64(0) != 0 {
		t.Errorf("Want of a free mutex; it is %#x", *a.W64(0))
	}
	if !m.LockNow() || !other.Want() || m.UnlockNow() {
		t.Fatalf("Want of a held mutex; it is %#x", *a.W64(0))
	}
	if err := m.Unlock(); err != nil || !m.LockNow() || !m.UnlockNow() {
		t.Errorf("Unlock = %v; the mutex is %#x", err, *a.W64(0))
	}
}

func TestAttachMutexTooSmall(t *testing.T) {
	if _, err := engine.AttachMutex(mem.Heap(engine.MutexSize-1), engine.Env{}); !errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("AttachMutex to too few bytes = %v", err)
	}
}

// Goroutines as the threads of four participants, with contexts that end and
// participants that die with the lock held; what it guards is plain memory, so
// the race detector judges too. It starts just short of the sequence's wrap.
func TestMutexHammer(t *testing.T) {
	ops, _ := engine.OpsOf(engine.KindMutex)
	f := newHeapFutex()
	a := mem.Heap(engine.MutexSize)
	engine.InitMutex(a)
	*a.W64(0) = 0x0fff_f000 // two short of the wrap of the sequence
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	count, half, kills := 0, 0, 0 // guarded
	var wg sync.WaitGroup
	for p := range uint32(4) {
		wg.Go(func() {
			for epoch := uint32(1); epoch <= 5; epoch++ {
				var threads sync.WaitGroup
				env := f.env(p, epoch)
				m := attach(t, a, env)
				life, die := context.WithCancel(ctx)
				for g := range 2 {
					threads.Go(func() {
						for n := range 100 {
							if life.Err() != nil {
								return
							}
							ctx, cancel := life, context.CancelFunc(func() {})
							if rand.IntN(4) == 0 {
								ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(200))*time.Microsecond)
							}
							err := m.Lock(heapSleeper{f, ctx})
							suspect := false
							if err == engine.ErrOwnerDied {
								suspect, err = m.Recover(heapSleeper{f, ctx})
							}
							cancel()
							if err != nil {
								if !errors.Is(err, context.DeadlineExceeded) && life.Err() == nil {
									t.Error(err)
								}
								continue
							}
							count++
							if suspect {
								half = 0
								if err := m.MarkConsistent(); err != nil {
									t.Error(err)
								}
							}
							if half != 0 {
								t.Error("what the dead left was not repaired")
							}
							if g == 0 && n == 99 {
								half = 1
								kills++
								die() // with it held
								return
							}
							if err := m.Unlock(); err != nil {
								t.Error(err)
							}
						}
					})
				}
				threads.Wait()
				die()
				if err := ops.Recover(a, env, env.Self); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		t.Fatalf("%v: %d times locked, %+v", err, count, ops.Look(a))
	}
	if err := ops.Check(a); err != nil || ops.Look(a).Owner != nil {
		t.Errorf("at the end: %v, %+v", err, ops.Look(a))
	}
	t.Logf("locked %d times, %d deaths", count, kills)
}

// Kick makes all look again and changes nothing but the sequence. Whoever was
// kicked may complain meanwhile that it is starved.
func TestMutexKick(t *testing.T) {
	f := newHeapFutex()
	a := mem.Heap(engine.MutexSize)
	m, other := attach(t, a, f.env(0, 1)), attach(t, a, f.env(1, 1))
	if err := m.Lock(heapSleeper{f, t.Context()}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- other.Lock(heapSleeper{f, t.Context()}) }()
	f.until(t, a.W32(0), 1)
	before := *a.W64(0)
	attach(t, a, f.env(2, 1)).Kick()
	f.until(t, a.W32(0), 1)
	const sequence, starved = 0x0fff_f800, 1 << 28
	if now := *a.W64(0); now&sequence == before&sequence || (now^before)&^(sequence|starved) != 0 {
		t.Errorf("Kick made %#x of %#x", now, before)
	}
	if err := m.Unlock(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func BenchmarkMutex(b *testing.B) {
	b.Run("engine", func(b *testing.B) {
		m := attach(b, mem.Heap(engine.MutexSize), engine.Env{})
		for b.Loop() {
			if !m.LockNow() || m.Unlock() != nil {
				b.Fatal("Lock or Unlock failed")
			}
		}
	})
	b.Run("go", func(b *testing.B) {
		var m sync.Mutex
		n := 0
		for b.Loop() {
			m.Lock()
			n++
			m.Unlock()
		}
	})
}
