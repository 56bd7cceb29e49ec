package sync_test

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"runtime"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// permits are what semaphores of both kinds can do.
type permits interface {
	Acquire(context.Context) error
	TryAcquire() (bool, error)
	Release(int) error
	Value() int
	MarshalBinary() ([]byte, error)
	UnmarshalBinary([]byte) error
}

// A semaphoreKind makes semaphores of one kind.
type semaphoreKind struct {
	name    string
	bounded bool
	zero    func() permits
	open    func(r *shm.Region, name string, initial int) (permits, error)
}

var semaphoreKinds = []semaphoreKind{
	{"plain", false, func() permits { return new(sync.Semaphore) },
		func(r *shm.Region, name string, initial int) (permits, error) {
			return opened(sync.OpenSemaphore(r, name, initial))
		}},
	{"bounded", true, func() permits { return new(sync.BoundedSemaphore) },
		func(r *shm.Region, name string, initial int) (permits, error) {
			return opened(sync.OpenBoundedSemaphore(r, name, initial))
		}},
}

// opened is nil, and no pointer to nothing, with an error.
func opened[P permits](p P, err error) (permits, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}

// both runs a test with semaphores of each kind.
func both(t *testing.T, test func(t *testing.T, k semaphoreKind)) {
	for _, k := range semaphoreKinds {
		t.Run(k.name, func(t *testing.T) { test(t, k) })
	}
}

func (k semaphoreKind) in(t testing.TB, r *shm.Region, name string, initial int) permits {
	t.Helper()
	s, err := k.open(r, name, initial)
	must(t, err)
	return s
}

func wantValue(t testing.TB, s permits, want int) {
	t.Helper()
	if v := s.Value(); v != want {
		t.Errorf("value %d, want %d", v, want)
	}
}

// wantTry expects of TryAcquire that it takes one, or does not.
func wantTry(t testing.TB, s permits, want bool) {
	t.Helper()
	if ok, err := s.TryAcquire(); ok != want || err != nil {
		t.Errorf("TryAcquire = %v, %v, want %v", ok, err, want)
	}
}

// S1, S2, S11: by two handles, one count.
func TestSemaphoreCounts(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		r := shmtest.Region(t)
		s, same := k.in(t, r, "s", 2), k.in(t, r, "s", 7) // initial is of no meaning for one that is there
		wantValue(t, same, 2)
		must(t, s.Acquire(background))
		wantValue(t, same, 1)
		must(t, same.Acquire(background))
		wantValue(t, s, 0)
		wantTry(t, s, false)
		wantValue(t, s, 0)
		must(t, s.Release(1))
		wantValue(t, s, 1)
		wantTry(t, same, true)
		must(t, s.Release(2))
		wantValue(t, s, 2)
		wantTry(t, k.in(t, r, "another", 1), true)
		wantValue(t, s, 2)
	})
}

// S3, S7, S9, S10: what may be released.
func TestSemaphoreRelease(t *testing.T) {
	const most = 16_777_215
	for _, tt := range []struct {
		name         string
		initial      int
		take, give   int
		plain, bound error
	}{
		{"above the first value", 2, 0, 1, nil, sync.ErrOverRelease},
		{"what there is none of", 0, 0, 1, nil, sync.ErrOverRelease},
		{"several", 3, 3, 3, nil, nil},
		{"one too many with others", 3, 2, 3, nil, sync.ErrOverRelease},
		{"nothing", 1, 1, 0, fs.ErrInvalid, fs.ErrInvalid},
		{"less than nothing", 1, 1, -1, fs.ErrInvalid, fs.ErrInvalid},
		{"the least number", 1, 1, math.MinInt, fs.ErrInvalid, fs.ErrInvalid},
		{"the largest number", 1, 1, math.MaxInt, sync.ErrOverRelease, sync.ErrOverRelease},
		{"up to the most there can be", 1, 1, most, nil, sync.ErrOverRelease},
		{"above the most there can be", 1, 0, most, sync.ErrOverRelease, sync.ErrOverRelease},
		{"at the most there can be", most, 0, 1, sync.ErrOverRelease, sync.ErrOverRelease},
		{"at nearly the most there can be", most, 1, 1, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			both(t, func(t *testing.T, k semaphoreKind) {
				s := k.in(t, shmtest.Region(t), "s", tt.initial)
				for range tt.take {
					wantTry(t, s, true)
				}
				want := tt.plain
				if k.bounded {
					want = tt.bound
				}
				now := tt.initial - tt.take
				if err := s.Release(tt.give); !errors.Is(err, want) || (err == nil) != (want == nil) {
					t.Errorf("Release(%d) = %v, want %v", tt.give, err, want)
				} else if err == nil {
					now += tt.give
				}
				wantValue(t, s, now)
			})
		})
	}
}

// S4, S6: a context that ends.
func TestSemaphoreContextEnds(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		r := shmtest.Region(t)
		s := k.in(t, r, "s", 1)
		ended, cancel := context.WithCancel(background)
		cancel()
		must(t, s.Acquire(background))
		must(t, s.Release(1))                                           // so that the next would be at once
		if err := s.Acquire(ended); !errors.Is(err, context.Canceled) { // no attempt
			t.Errorf("Acquire with an ended context = %v", err)
		}
		wantValue(t, s, 1)
		must(t, s.Acquire(background))
		const d = 30 * time.Millisecond
		start := time.Now()
		short, cancel := context.WithTimeout(background, d)
		defer cancel()
		err := s.Acquire(short)
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took < d {
			t.Errorf("Acquire of none = %v after %v, want the deadline of %v", err, took, d)
		}
		op := "semaphore.Acquire"
		if k.bounded {
			op = "boundedsemaphore.Acquire"
		}
		var e *shm.Error
		if !errors.As(err, &e) || e.Op != op || e.Object != "s" || e.Region == "" {
			t.Errorf("the error says %#v", e)
		}
		ctx, cancel := context.WithCancel(background)
		told := make(chan error)
		for range 3 {
			go func() { told <- s.Acquire(ctx) }()
		}
		shmtest.AwaitWaiting(t, r, "s", 3)
		cancel()
		for range 3 {
			if err := <-told; !errors.Is(err, context.Canceled) {
				t.Errorf("Acquire whose context is cancelled = %v", err)
			}
		}
		must(t, s.Release(1))
		wantTry(t, s, true)
	})
}

// S6: as many pass as are released, by one Release or several.
func TestSemaphoreReleasesSeveral(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		r := shmtest.Region(t)
		s := k.in(t, r, "s", 9)
		for range 9 {
			must(t, s.Acquire(background))
		}
		passed := make(chan error)
		for range 9 {
			go func() { passed <- s.Acquire(patience(t)) }()
		}
		for left := 9; left > 0; {
			shmtest.AwaitWaiting(t, r, "s", left)
			n := min(left, 4)
			must(t, s.Release(n))
			for range n {
				must(t, <-passed)
			}
			left -= n
			wantValue(t, s, 0)
		}
	})
}

// S8: of many who release at once one succeeds, for whose permit there is room.
func TestBoundedSemaphoreRacingReleases(t *testing.T) {
	s, err := sync.OpenBoundedSemaphore(shmtest.Region(t), "s", 5)
	must(t, err)
	for round := range 500 {
		must(t, s.Acquire(background))
		var nils, overs atomic.Int32
		var wg gosync.WaitGroup
		var begin atomic.Bool
		for range 4 {
			wg.Go(func() {
				for !begin.Load() {
					runtime.Gosched()
				}
				switch err := s.Release(1); {
				case err == nil:
					nils.Add(1)
				case errors.Is(err, sync.ErrOverRelease):
					overs.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		begin.Store(true)
		wg.Wait()
		if nils.Load() != 1 || overs.Load() != 3 || s.Value() != 5 {
			t.Fatalf("round %d: %d succeed and %d do not; value %d", round, nils.Load(), overs.Load(), s.Value())
		}
	}
}

// Many goroutines, some with short contexts: never more inside than permits,
// and all are there at the end.
func TestSemaphoreHammer(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		const n = 3
		s := k.in(t, shmtest.Region(t), "s", n)
		ctx := patience(t)
		var inside atomic.Int32
		var wg gosync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 300 {
					ctx, cancel := ctx, context.CancelFunc(func() {})
					if g%2 == 0 {
						ctx, cancel = context.WithTimeout(ctx, time.Duration(i)*time.Microsecond)
					}
					err := s.Acquire(ctx)
					cancel()
					if err != nil {
						if g%2 != 0 {
							t.Error(err)
						}
						continue
					}
					if now := inside.Add(1); now > n {
						t.Errorf("%d inside", now)
					}
					if i%16 == 0 {
						runtime.Gosched()
					}
					inside.Add(-1)
					if err := s.Release(1); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		wantValue(t, s, n)
	})
}

func TestSemaphoreAllocatesNothing(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		s := k.in(t, shmtest.Region(t), "s", 1)
		if n := testing.AllocsPerRun(1000, func() {
			if s.Acquire(background) != nil || s.Release(1) != nil {
				t.Fatal("Acquire or Release failed")
			}
			if ok, err := s.TryAcquire(); !ok || err != nil {
				t.Fatal("TryAcquire failed")
			}
			if ok, err := s.TryAcquire(); ok || err != nil || s.Release(1) != nil {
				t.Fatal("TryAcquire of none, or Release failed")
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// What a snapshot shows: who holds how many, and who waits.
func TestSemaphoreSnapshot(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		r := shmtest.Region(t)
		s := k.in(t, r, "s", 3)
		for range 3 {
			must(t, s.Acquire(background))
		}
		done := make(chan error)
		go func() { done <- s.Acquire(patience(t)) }()
		shmtest.AwaitWaiting(t, r, "s", 1)
		shot, err := r.Snapshot()
		must(t, err)
		o := shot.Objects[0]
		if len(o.Holders) != 1 || o.Holders[0].What != "permit" || o.Holders[0].N != 3 || o.Holders[0].PID != r.Self().PID {
			t.Errorf("holders %+v", o.Holders)
		}
		if bound := o.Cap; o.Value != "0" || o.Len != 0 || (bound == 3) != k.bounded {
			t.Errorf("the snapshot shows %+v", o)
		}
		must(t, s.Release(1))
		must(t, <-done)
	})
}

// A sleeper gets a permit although others take and give it again and again.
func TestSemaphoreStarvation(t *testing.T) {
	s, err := sync.OpenSemaphore(shmtest.Region(t), "s", 1)
	must(t, err)
	ctx := patience(t)
	var stop atomic.Bool
	var rounds atomic.Int64
	var wg gosync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ; !stop.Load(); rounds.Add(1) {
				if err := s.Acquire(ctx); err != nil {
					t.Error(err)
					return
				}
				for start := time.Now(); time.Since(start) < 50*time.Microsecond; {
				}
				if err := s.Release(1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for rounds.Load() < 10 {
		time.Sleep(time.Millisecond)
	}
	longest := time.Duration(0)
	for range 20 {
		start := time.Now()
		if err := s.Acquire(ctx); err != nil {
			t.Fatal(err)
		}
		longest = max(longest, time.Since(start))
		must(t, s.Release(1))
	}
	stop.Store(true)
	wg.Wait()
	t.Logf("waited %v at most", longest)
}

func BenchmarkSemaphoreAcquireRelease(b *testing.B) {
	for _, k := range semaphoreKinds {
		b.Run(k.name, func(b *testing.B) {
			s := k.in(b, shmtest.Region(b), "s", 1)
			b.ReportAllocs()
			for b.Loop() {
				if s.Acquire(background) != nil || s.Release(1) != nil {
					b.Fatal("Acquire or Release failed")
				}
			}
		})
	}
}
