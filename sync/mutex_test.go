package sync_test

import (
	"context"
	"errors"
	"io/fs"
	"runtime"
	"strings"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

func TestMain(m *testing.M) { testproc.Main(m) }

var background = context.Background()

var (
	must     = testproc.OK
	patience = testproc.Watchdog
)

func mutex(t testing.TB, r *shm.Region, name string) *sync.Mutex {
	t.Helper()
	m, err := sync.OpenMutex(r, name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// try is TryLock, whose error fails the test.
func try(t testing.TB, m *sync.Mutex) bool {
	t.Helper()
	ok, err := m.TryLock()
	must(t, err)
	return ok
}

// L1, L2, L3, L4, L8: in one process, with two handles.
func TestMutex(t *testing.T) {
	r := shmtest.Region(t)
	m, same := mutex(t, r, "m"), mutex(t, r, "m")
	if _, ok := m.Owner(); ok {
		t.Error("a new mutex has an owner")
	}
	must(t, m.Lock(background)) // L1
	if p, ok := m.Owner(); !ok || p.PID != r.Self().PID || p.Index != r.Self().Index || p.State != shm.Alive {
		t.Errorf("Owner = %+v, %v; want %+v", p, ok, r.Self())
	}
	if try(t, m) || try(t, same) { // L2, L8
		t.Error("TryLock of what this process holds succeeds")
	}
	done := make(chan error)
	go func() { done <- same.Unlock() }() // L4
	must(t, <-done)
	if err := m.Unlock(); !errors.Is(err, sync.ErrNotLocked) { // L3
		t.Errorf("Unlock of a free mutex = %v", err)
	}
	if err := m.MarkConsistent(); !errors.Is(err, sync.ErrNotLocked) {
		t.Errorf("MarkConsistent of a free mutex = %v", err)
	}
	if !try(t, m) {
		t.Error("TryLock of a free mutex fails")
	}
	must(t, m.MarkConsistent())
	must(t, m.Unlock())
	suspect, err := m.Recover(background)
	if suspect || err != nil {
		t.Errorf("Recover of a mutex whose holders live = %v, %v", suspect, err)
	}
	must(t, m.Unlock())
	if !try(t, mutex(t, r, "another")) {
		t.Error("two mutexes are one")
	}
}

// L5, L6, L7, L11: a context that ends.
func TestMutexContextEnds(t *testing.T) {
	m := mutex(t, shmtest.Region(t), "m")
	ended, cancel := context.WithCancel(background)
	cancel()
	if err := m.Lock(ended); !errors.Is(err, context.Canceled) { // L6: no attempt
		t.Errorf("Lock with an ended context = %v", err)
	}
	if _, err := m.Recover(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Recover with an ended context = %v", err)
	}
	must(t, m.Lock(background))
	const d = 30 * time.Millisecond
	start := time.Now()
	short, cancel := context.WithTimeout(background, d)
	defer cancel()
	err := m.Lock(short)
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took < d { // L5
		t.Errorf("Lock of a held mutex = %v after %v, want the deadline of %v", err, took, d)
	}
	var e *shm.Error
	if !errors.As(err, &e) || e.Op != "mutex.Lock" || e.Object != "m" || e.Region == "" {
		t.Errorf("the error says %#v", e)
	}
	effort.Median(t, 50*time.Millisecond, 5, func() time.Duration { return toldOfCancel(t, m) }) // L11
	must(t, m.Unlock())                                                                          // L7
	if !try(t, m) {
		t.Error("after contexts ended the mutex is not free")
	}
	must(t, m.Unlock())
}

// toldOfCancel is how long it takes until one of three waiters has returned
// after their context was cancelled. m is held.
func toldOfCancel(t testing.TB, m *sync.Mutex) time.Duration {
	t.Helper()
	var cancelled atomic.Int64
	ctx, cancel := context.WithCancel(background)
	told := make(chan time.Duration, 3)
	for range 3 {
		go func() {
			if err := m.Lock(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("Lock whose context is cancelled = %v", err)
			}
			told <- time.Since(time.Unix(0, cancelled.Load()))
		}()
	}
	waiters(t, 3)
	cancelled.Store(time.Now().UnixNano())
	cancel()
	soonest := testproc.Patience
	for range 3 {
		soonest = min(soonest, <-told)
	}
	return soonest
}

// waiters lets n goroutines of this process get to their sleep, as far as one
// can see that from outside.
func waiters(t testing.TB, n int) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for start := time.Now(); ; runtime.Gosched() {
		stacks := string(buf[:runtime.Stack(buf, true)])
		if strings.Count(stacks, "internal/wait.(*Waiter).sleep(") >= n {
			return
		}
		if time.Since(start) > testproc.Patience {
			t.Fatalf("%d goroutines do not get to sleep:\n%s", n, stacks)
		}
		time.Sleep(time.Millisecond)
	}
}

// L9, in one process: all pass, one at a time.
func TestMutexWaitersAllPass(t *testing.T) {
	m := mutex(t, shmtest.Region(t), "m")
	ctx := patience(t)
	must(t, m.Lock(ctx))
	var inside, passed atomic.Int32
	var wg gosync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if err := m.Lock(ctx); err != nil {
				t.Error(err)
				return
			}
			if inside.Add(1) != 1 {
				t.Error("two inside")
			}
			passed.Add(1)
			inside.Add(-1)
			if err := m.Unlock(); err != nil {
				t.Error(err)
			}
		})
	}
	waiters(t, 5)
	if passed.Load() != 0 {
		t.Error("somebody passed a held mutex")
	}
	must(t, m.Unlock())
	wg.Wait()
	if passed.Load() != 5 {
		t.Errorf("%d of 5 passed", passed.Load())
	}
}

// Many goroutines, some with short contexts, and a count that only the mutex
// guards.
func TestMutexHammer(t *testing.T) {
	m := mutex(t, shmtest.Region(t), "m")
	ctx := patience(t)
	count, want := 0, atomic.Int64{}
	var wg gosync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 300 {
				ctx, cancel := ctx, context.CancelFunc(func() {})
				if g%2 == 0 {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(n)*time.Microsecond)
				}
				err := m.Lock(ctx)
				cancel()
				if err != nil {
					if g%2 != 0 {
						t.Error(err)
					}
					continue
				}
				count++
				want.Add(1)
				if n%16 == 0 {
					runtime.Gosched()
				}
				if err := m.Unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if int64(count) != want.Load() {
		t.Errorf("count %d, want %d", count, want.Load())
	}
}

// Whoever sleeps gets the mutex although somebody else locks it again and again.
func TestMutexStarvation(t *testing.T) {
	m := mutex(t, shmtest.Region(t), "m")
	ctx := patience(t)
	var stop atomic.Bool
	var wg gosync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for !stop.Load() {
				if err := m.Lock(ctx); err != nil {
					t.Error(err)
					return
				}
				for start := time.Now(); time.Since(start) < 50*time.Microsecond; {
				}
				if err := m.Unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		if err := m.Lock(ctx); err != nil {
			t.Fatal(err)
		}
		must(t, m.Unlock())
	}
	stop.Store(true)
	wg.Wait()
}

func TestMutexAllocatesNothing(t *testing.T) {
	m := mutex(t, shmtest.Region(t), "m")
	if n := testing.AllocsPerRun(1000, func() {
		if m.Lock(background) != nil || m.Unlock() != nil {
			t.Fatal("Lock or Unlock failed")
		}
		if ok, err := m.TryLock(); !ok || err != nil || m.Unlock() != nil {
			t.Fatal("TryLock or Unlock failed")
		}
	}); n != 0 {
		t.Errorf("%v allocations a pair", n)
	}
}

// Close is the death of what is held, wakes who waits, and ends every handle.
func TestMutexRegionCloses(t *testing.T) {
	r := shmtest.Region(t)
	m, held := mutex(t, r, "m"), mutex(t, r, "held")
	must(t, held.Lock(background))
	told := make(chan error)
	go func() { told <- held.Lock(background) }()
	go func() { _, err := held.Recover(background); told <- err }()
	waiters(t, 2)
	must(t, r.Close())
	for range 2 {
		if err := <-told; !errors.Is(err, shm.ErrClosed) {
			t.Errorf("a waiter in a region that closes is told %v", err)
		}
	}
	_, tryErr := m.TryLock()
	_, recErr := m.Recover(background)
	_, openErr := sync.OpenMutex(r, "m")
	for name, err := range map[string]error{"Lock": m.Lock(background), "TryLock": tryErr, "Recover": recErr,
		"Unlock": held.Unlock(), "MarkConsistent": held.MarkConsistent(), "OpenMutex": openErr} {
		if !errors.Is(err, shm.ErrClosed) {
			t.Errorf("%s in a closed region = %v", name, err)
		}
	}
	if p, ok := held.Owner(); ok {
		t.Errorf("Owner in a closed region = %v", p)
	}
	r, err := shm.Open(r.Name(), nil)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	held = mutex(t, r, "held")
	if err := held.Lock(background); !errors.Is(err, sync.ErrOwnerDied) {
		t.Errorf("Lock of what was held at Close = %v", err)
	}
	suspect, err := held.Recover(background)
	if !suspect || err != nil {
		t.Errorf("Recover of what was held at Close = %v, %v", suspect, err)
	}
	must(t, held.MarkConsistent())
	must(t, held.Unlock())
}

// L10.
func TestWith(t *testing.T) {
	m := mutex(t, shmtest.Region(t), "m")
	bad := errors.New("bad")
	if err := sync.With(background, m, func() error {
		if try(t, m) {
			t.Error("With does not hold the lock")
		}
		return bad
	}); err != bad {
		t.Errorf("With = %v", err)
	}
	func() {
		defer func() {
			if recover() != bad {
				t.Error("With swallows a panic")
			}
		}()
		sync.With(background, m, func() error { panic(bad) })
	}()
	if err := sync.With(background, m, m.Unlock); !errors.Is(err, sync.ErrNotLocked) {
		t.Errorf("With, of a function that unlocks = %v", err)
	}
	if err := sync.With(background, m, func() error { m.Unlock(); return bad }); !errors.Is(err, bad) || !errors.Is(err, sync.ErrNotLocked) {
		t.Errorf("With, of one that unlocks and fails = %v", err)
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	if err := sync.With(ctx, m, func() error { t.Error("called without the lock"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("With an ended context = %v", err)
	}
	if !try(t, m) {
		t.Error("With leaves the lock held")
	}
}

func TestMutexTravels(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	b, err := m.MarshalBinary()
	must(t, err)
	var other sync.Mutex
	must(t, other.UnmarshalBinary(b))
	must(t, other.Lock(background))
	if err := m.Unlock(); err != nil {
		t.Errorf("what travelled is another mutex: %v", err)
	}
	must(t, r.Remove("m"))
	if err := new(sync.Mutex).UnmarshalBinary(b); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a handle on what was removed arrives: %v", err)
	}
	if err := new(sync.Mutex).UnmarshalBinary([]byte("rubbish")); err == nil {
		t.Error("rubbish arrives")
	}
}

func BenchmarkLockUnlock(b *testing.B) {
	m := mutex(b, shmtest.Region(b), "m")
	b.ReportAllocs()
	for b.Loop() {
		if m.Lock(background) != nil || m.Unlock() != nil {
			b.Fatal("Lock or Unlock failed")
		}
	}
}
