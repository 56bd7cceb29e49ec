package wait

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/mem"
)

var background = context.Background()

func TestSleepLooksFirst(t *testing.T) {
	l, w := NewList(), word(t)
	wt := l.Waiter(background)
	defer wt.Done()
	if err := wt.Sleep(w, 1); err != nil {
		t.Errorf("Sleep on another value = %v, want nil at once", err)
	}
	if n := l.Sleeping(); n != 0 {
		t.Errorf("Sleeping = %d with nobody there", n)
	}
}

func TestWakeCounts(t *testing.T) {
	l, w := NewList(), word(t)
	var back atomic.Int32
	for range 3 {
		go func() {
			wt := l.Waiter(background)
			defer wt.Done()
			if err := wt.Sleep(w, 0); err != nil {
				t.Error(err)
			}
			back.Add(1)
		}()
	}
	for n := int32(1); n <= 3; n++ {
		until(t, "a sleeper to wake", func() bool { return Wake(w, 1) == 1 || back.Load() >= n })
		until(t, "the sleeper to return", func() bool { return back.Load() >= n })
	}
	until(t, "nobody asleep", func() bool { return l.Sleeping() == 0 })
}

// Two processes take turns on one word: whose number it is not sleeps on it.
const turns = 2000

func takeTurns(w *uint32, mine uint32, l *List) error {
	ctx, cancel := context.WithTimeout(background, patience)
	defer cancel()
	for n := mine; n < turns; n += 2 {
		for {
			v := atomic.LoadUint32(w)
			if v == n {
				break
			}
			if err := await(l, ctx, w, v); err != nil {
				return err
			}
		}
		atomic.StoreUint32(w, n+1)
		Wake(w, -1)
	}
	return nil
}

func init() {
	roles["turns"] = func(page []uint32) {
		if err := takeTurns(&page[0], 1, NewList()); err != nil {
			panic(err)
		}
	}
}

func TestWakeAcrossProcesses(t *testing.T) {
	for _, mode := range []Mode{Adaptive, Sleep} {
		page, f := sharedPage(t)
		peer := startRole(t, "turns", f)
		l := NewList()
		l.spin.SetMode(mode)
		if err := takeTurns(&page[0], 0, l); err != nil {
			t.Errorf("mode %d: %v, at turn %d", mode, err, atomic.LoadUint32(&page[0]))
		}
		mustEnd(t, peer)
		t.Logf("mode %d: %+v", mode, l.Stats())
	}
}

// One increments a word and wakes one of the sleepers, each of which takes one
// away. If any wake-up is lost, the number stays and somebody sleeps on.
func TestNoWakeIsLost(t *testing.T) {
	const takers, each = 4, 3000
	page, _ := sharedPage(t)
	items, bell := &page[0], &page[32]
	l := NewList()
	l.spin.SetMode(Sleep)
	ctx, cancel := context.WithTimeout(background, patience)
	defer cancel()
	var wg sync.WaitGroup
	for range takers {
		wg.Go(func() {
			wt := l.Waiter(ctx)
			defer wt.Done()
			for range each {
				for {
					b := atomic.LoadUint32(bell)
					n := atomic.LoadUint32(items)
					if n > 0 && atomic.CompareAndSwapUint32(items, n, n-1) {
						break
					}
					if n == 0 {
						if err := wt.Sleep(bell, b); err != nil {
							t.Errorf("%v with %d there", err, atomic.LoadUint32(items))
							return
						}
					}
				}
			}
		})
	}
	for range takers * each {
		atomic.AddUint32(items, 1)
		atomic.AddUint32(bell, 1)
		Wake(bell, 1)
	}
	wg.Wait()
	if r := l.Stats().Rescues; r > 2 {
		t.Errorf("%d sleeps were ended by the slow re-look: wake-ups are lost", r)
	}
}

func TestContextEndedBefore(t *testing.T) {
	l, w := NewList(), word(t)
	ctx, cancel := context.WithCancel(background)
	cancel()
	if err := await(l, ctx, w, 0); err != context.Canceled {
		t.Errorf("await = %v, want context.Canceled", err)
	}
	past, cancel := context.WithDeadline(background, time.Now().Add(-time.Hour))
	defer cancel()
	if err := await(l, past, w, 0); err != context.DeadlineExceeded {
		t.Errorf("await = %v, want context.DeadlineExceeded", err)
	}
}

func TestContextEndsDuring(t *testing.T) {
	l, w := NewList(), word(t)
	cause := errors.New("the cause")
	for i := range 100 {
		ctx, cancel := context.WithCancelCause(background)
		errs := make(chan error)
		go func() { errs <- await(l, ctx, w, 0) }()
		if i%2 == 0 {
			until(t, "a sleeper", func() bool { return l.Sleeping() == 1 })
		}
		cancel(cause)
		select {
		case err := <-errs:
			if err != context.Canceled {
				t.Fatalf("await = %v, want context.Canceled", err)
			}
		case <-time.After(patience):
			t.Fatal("the context's end was not heard")
		}
	}
}

// A context that is cancelled must not end another wait of the same Waiter,
// whose nudge word it still knows.
func TestLateCallbackIsHarmless(t *testing.T) {
	l, w := NewList(), word(t)
	for range 100 {
		ctx, cancel := context.WithCancel(background)
		wt := l.Waiter(ctx)
		go cancel()
		for wt.Sleep(w, 0) == nil {
		}
		raise := wt.raise
		wt.Done()
		again := l.Waiter(background)
		if again != wt {
			again.Done()
			continue // a parallel test took it
		}
		up, over := make(chan bool), make(chan bool)
		go func() {
			defer close(over)
			raise()
			for {
				select {
				case <-up:
					return
				case <-time.After(50 * time.Microsecond):
					Wake(w, 1)
				}
			}
		}()
		if err := again.Sleep(w, 0); err != nil {
			t.Fatalf("Sleep = %v by the end of somebody else's context", err)
		}
		close(up)
		<-over
		again.Done()
	}
}

func TestDeadlineIsNeverEarly(t *testing.T) {
	l, w := NewList(), word(t)
	var worst time.Duration
	for i := range 60 {
		d := time.Duration(i%6) * 2 * time.Millisecond
		ctx, cancel := context.WithTimeout(background, d)
		end, _ := ctx.Deadline()
		err := await(l, ctx, w, 0)
		late := time.Since(end)
		cancel()
		if err != context.DeadlineExceeded {
			t.Fatalf("await = %v, want context.DeadlineExceeded", err)
		}
		if late < 0 {
			t.Fatalf("the wait of %v ended %v early", d, -late)
		}
		worst = max(worst, late)
	}
	t.Logf("late by at most %v", worst)
}

func TestFarDeadline(t *testing.T) {
	l, w := NewList(), word(t)
	ctx, cancel := context.WithDeadline(background, time.Unix(1<<40, 0))
	defer cancel()
	errs := make(chan error)
	go func() { errs <- await(l, ctx, w, 0) }()
	inKernel(t, w, 1)
	atomic.StoreUint32(w, 1)
	Wake(w, 1)
	if err := <-errs; err != nil {
		t.Errorf("await = %v", err)
	}
}

func TestCloseEndsAll(t *testing.T) {
	const n = 200
	l, page := NewList(), make([]*uint32, 8)
	for i := range page {
		page[i] = word(t)
	}
	errs := make(chan error, n)
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	for i := range n {
		c := background
		if i%2 == 0 {
			c = ctx
		}
		go func() { errs <- await(l, c, page[i%len(page)], 0) }()
	}
	until(t, "all asleep", func() bool { return l.Sleeping() == n })
	var closers sync.WaitGroup
	for range 2 {
		closers.Go(func() {
			l.Close()
			if s := l.Sleeping(); s != 0 {
				t.Errorf("%d asleep after Close", s)
			}
		})
	}
	closers.Wait()
	for range n {
		select {
		case err := <-errs:
			if err != ErrClosed {
				t.Errorf("await = %v, want ErrClosed", err)
			}
		case <-time.After(patience):
			t.Fatal("a sleeper did not hear of Close")
		}
	}
	if !l.Closed() {
		t.Error("Closed is false")
	}
	if err := await(l, ctx, page[0], 0); err != ErrClosed {
		t.Errorf("await after Close = %v, want ErrClosed", err)
	}
	l.Close()
}

// After Close the memory may go: here it does, at once.
func TestCloseThenUnmap(t *testing.T) {
	for range 50 {
		p, err := unix.MmapPtr(-1, 0, nil, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
		if err != nil {
			t.Fatal(err)
		}
		l, w := NewList(), (*uint32)(p)
		errs := make(chan error)
		for range 3 {
			go func() {
				wt := l.Waiter(background)
				defer wt.Done()
				for {
					if err := wt.Sleep(w, 0); err != nil {
						errs <- err
						return
					}
				}
			}()
		}
		until(t, "a sleeper", func() bool { return l.Sleeping() > 0 })
		l.Close()
		unix.MunmapPtr(p, 4096)
		for range 3 {
			if err := <-errs; err != ErrClosed {
				t.Fatalf("Sleep = %v, want ErrClosed", err)
			}
		}
	}
}

func TestNudge(t *testing.T) {
	l, w := NewList(), word(t)
	wt := l.Waiter(background)
	l.Nudge() // between the look and the sleep
	if err := wt.Sleep(w, 0); err != nil {
		t.Errorf("Sleep = %v", err)
	}
	wt.Done()

	// Whatever is told by Nudge alone is heard by all, though no word changes.
	var told atomic.Uint32
	const n, rounds = 8, 50
	var heard atomic.Uint32
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			wt := l.Waiter(background)
			defer wt.Done()
			for r := uint32(1); r <= rounds; r++ {
				for told.Load() < r {
					if err := wt.Sleep(w, 0); err != nil {
						t.Error(err)
						return
					}
				}
				heard.Add(1)
			}
		})
	}
	start := time.Now()
	for r := uint32(1); r <= rounds; r++ {
		told.Store(r)
		l.Nudge()
		until(t, "all heard", func() bool { return heard.Load() >= r*n })
	}
	wg.Wait()
	t.Logf("%v a round", time.Since(start)/rounds)
	if r := l.Stats().Rescues; r > 0 {
		t.Errorf("%d rescues", r)
	}
}

// A wake-up that does not come is made good by the slow re-look, and counted.
func TestSlowRelook(t *testing.T) {
	l, w := NewList(), word(t)
	for try := uint32(0); ; try++ {
		start := time.Now()
		errs := make(chan error, 1)
		go func() {
			wt := l.Waiter(background)
			defer wt.Done()
			errs <- wt.Sleep(w, try)
		}()
		until(t, "a sleeper", func() bool { return l.Sleeping() == 1 || len(errs) == 1 })
		time.Sleep(time.Millisecond << min(try, 10)) // until it is in the kernel, most likely
		atomic.StoreUint32(w, try+1)                 // and no Wake
		if err := <-errs; err != nil {
			t.Fatalf("Sleep = %v", err)
		}
		took, s := time.Since(start), l.Stats()
		if s.Rescues == 0 && try < 15 {
			continue // it had not been, or not seen the change
		}
		t.Logf("after %v, %+v", took, s)
		if took < relook || s.Rescues != 1 {
			t.Errorf("%d rescues after %v, want 1 after %v", s.Rescues, took, relook)
		}
		return
	}
}

// Signals, of which Go's runtime sends itself many, neither end nor prolong a
// sleep.
func TestSignals(t *testing.T) {
	l, w := NewList(), word(t)
	const d = 200 * time.Millisecond
	ctx, cancel := context.WithTimeout(background, d)
	defer cancel()
	tid, done := make(chan int), make(chan struct{})
	go func() {
		id := <-tid
		for range 20 {
			unix.Tgkill(os.Getpid(), id, unix.SIGURG)
			time.Sleep(5 * time.Millisecond)
		}
		close(done)
	}()
	wt := l.Waiter(ctx)
	defer wt.Done()
	lockThread(func() {
		tid <- unix.Gettid()
		start := time.Now()
		if err := wt.Sleep(w, 0); err != nil {
			t.Errorf("Sleep = %v, want nil and another look", err)
		}
		if took := time.Since(start); took < d-10*time.Millisecond {
			t.Errorf("Sleep was ended by a signal, after %v", took)
		}
		if err := wt.Sleep(w, 0); err != context.DeadlineExceeded {
			t.Errorf("Sleep = %v, want context.DeadlineExceeded", err)
		}
	})
	<-done
}

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
		for i := 0; wt.Spin(i); i++ {
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
