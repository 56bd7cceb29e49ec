package wait

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/mem"
)

func TestSleepUsesNoProcessor(t *testing.T) {
	l, w := NewList(), word(t)
	const n = 10
	ctx, cancel := context.WithTimeout(background, patience)
	defer cancel()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if err := await(l, ctx, w, 0); err != nil {
				t.Error(err)
			}
		})
	}
	until(t, "all asleep", func() bool { return l.Sleeping() == n })
	best := time.Hour
	for range 5 { // other tests' leftovers may use some
		before := cpuTime(t)
		time.Sleep(200 * time.Millisecond)
		best = min(best, cpuTime(t)-before)
	}
	atomic.StoreUint32(w, 1)
	Wake(w, -1)
	wg.Wait()
	t.Logf("%v in 200 ms", best)
	if best > 20*time.Millisecond {
		t.Errorf("%d sleepers used %v of processor time in 200 ms", n, best)
	}
}

func cpuTime(t *testing.T) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestSleepAllocatesNothing(t *testing.T) {
	if mem.RaceEnabled {
		return // the detector's own
	}
	l, w := NewList(), word(t)
	l.Waiter(background).Done()
	var on atomic.Bool
	on.Store(true)
	done := make(chan struct{})
	go func() {
		for on.Load() {
			Wake(w, 1)
			runtime.Gosched()
		}
		close(done)
	}()
	// Not testing.AllocsPerRun: it leaves one processor, and a sleeper and its
	// waker would wait for the scheduler to take it away from each other.
	const n = 200
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		wt := l.Waiter(background)
		for wt.Spin() {
		}
		wt.Sleep(w, 0)
		wt.Sleep(w, 1)
		wt.Done()
	}
	runtime.ReadMemStats(&after)
	on.Store(false)
	<-done
	if a := after.Mallocs - before.Mallocs; a > n/4 { // the runtime's own: threads, timers
		t.Errorf("%d allocations in %d waits", a, n)
	} else {
		t.Logf("%d allocations in %d waits", a, n)
	}
}
