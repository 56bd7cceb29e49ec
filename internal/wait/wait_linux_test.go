package wait

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
	for n := mine; n < turns; n += 2 {
		for {
			v := atomic.LoadUint32(w)
			if v == n {
				break
			}
			ctx, cancel := context.WithTimeout(background, patience)
			err := await(l, ctx, w, v)
			cancel()
			if err != nil {
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
	if r := l.Stats().Rescues; r > 2*takers { // one who wakes can be off its processor before it does
		t.Errorf("%d sleeps were ended by the slow re-look: wake-ups are lost", r)
	}
}

func TestNudge(t *testing.T) {
	withoutRelook(t)
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
	tid, done := make(chan int), make(chan struct{})
	var over atomic.Bool
	go func() {
		id := <-tid
		for !over.Load() {
			unix.Tgkill(os.Getpid(), id, unix.SIGURG)
			time.Sleep(5 * time.Millisecond)
		}
		close(done)
	}()
	lockThread(func() {
		defer over.Store(true)
		tid <- unix.Gettid()
		var ctx context.Context
		var wt *Waiter
		for d := 200 * time.Millisecond; ; d *= 2 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(background, d)
			defer cancel()
			wt = l.Waiter(ctx)
			defer wt.Done()
			err := wt.Sleep(w, 0)
			if err == nil {
				break
			}
			if d > 5*time.Second { // else it may have been held up before it slept
				t.Errorf("Sleep = %v, want nil and another look", err)
			}
		}
		if end, _ := ctx.Deadline(); time.Until(end) > 0 {
			t.Errorf("Sleep was ended by a signal, %v before the deadline", time.Until(end))
		}
		if err := wt.Sleep(w, 0); err != context.DeadlineExceeded {
			t.Errorf("Sleep = %v, want context.DeadlineExceeded", err)
		}
	})
	<-done
}
