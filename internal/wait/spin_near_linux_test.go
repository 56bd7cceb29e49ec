package wait

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/mem"
)

// A wait that spinning ends takes no lock, neither of the list nor of the
// waiters that lie ready, and does not even read the clock if it is over soon.
func TestSpinTakesNoLock(t *testing.T) {
	have(t, true)
	l := NewList()
	l.Waiter(background).Done() // one lies ready
	l.mu.Lock()
	free.mu.Lock()
	done := make(chan int64)
	go func() {
		wt := l.Waiter(background)
		wt.Spin()
		start := wt.spin.start
		for range 4 * mem.PerMicro {
			wt.Spin()
		}
		wt.Done()
		done <- start
	}()
	select {
	case start := <-done:
		if start != 0 && mem.PerMicro > 2 {
			t.Error("the first look reads the clock")
		}
	case <-time.After(patience):
		t.Error("a wait that never slept waits for a lock")
	}
	free.mu.Unlock()
	l.mu.Unlock()
}

// The first looks are near, and the later ones further and further apart, to a
// microsecond.
func TestLooksGrowApart(t *testing.T) {
	have(t, true)
	wt := NewList().WaiterWith(background, NewSpinner(Spin))
	defer wt.Done()
	last, near := 0, 0
	for wt.spin.paused < 16*mem.PerMicro && wt.Spin() {
		was := wt.spin.paused - last
		if last = wt.spin.paused; was > mem.PerMicro+1 {
			t.Fatalf("a look after %d PAUSEs, a microsecond has %d", was, mem.PerMicro)
		}
		if was == 2 {
			near++
		}
	}
	wt.Spin()
	if far := wt.spin.paused - last; near < 4 || far != mem.PerMicro+1 {
		t.Errorf("%d looks a PAUSE apart; then %d PAUSEs, a microsecond has %d", near, far-1, mem.PerMicro)
	}
}

// If as many goroutines spin as may run at a time, they yield all the while: the
// one that they wait for may be kept from running by them.
func TestCrowdYields(t *testing.T) {
	have(t, true)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	was := processors.running.Swap(1)
	defer processors.running.Store(was)
	wt := NewList().WaiterWith(background, NewSpinner(Spin))
	wt.Spin()
	wt.spin.budget = int64(time.Hour) // it yields for no other reason
	for wt.Spin() && wt.spin.start == 0 {
	}
	wt.spin.checks = 1 << 62
	var came atomic.Bool
	go came.Store(true)
	looks := 0
	for !came.Load() && wt.Spin() {
		looks++
	}
	if looks > 1000 { // those of the time after which the runtime takes its processor away
		t.Errorf("the goroutine it waits for ran after %d looks", looks)
	}
	if n := crowd.Load(); n != 1 {
		t.Errorf("%d in the crowd, want 1", n)
	}
	wt.Done()
	if n := crowd.Load(); n != 0 {
		t.Errorf("%d in the crowd when the wait is over", n)
	}
}

// Who sleeps is not in the crowd, and spins anew when it is awake.
func TestSleeperLeavesTheCrowd(t *testing.T) {
	have(t, true)
	l, w := NewList(), word(t)
	wt := l.Waiter(background)
	defer wt.Done()
	for round := range 2 {
		for wt.Spin() {
			if wt.spin.start != 0 && wt.spin.state == spinOn && crowd.Load() != 1 {
				t.Fatalf("round %d: %d in the crowd while it spins", round, crowd.Load())
			}
		}
		if err := wt.Sleep(w, 1); err != nil {
			t.Fatal(err)
		}
		if n := crowd.Load(); n != 0 {
			t.Errorf("round %d: %d in the crowd after a sleep", round, n)
		}
	}
}

// Only who would spin, beside others that run, lets time pass without a look, and
// looks for a moment before it is a waiter.
func TestLulls(t *testing.T) {
	for _, tt := range []struct {
		mode         Mode
		many         bool
		vain         int32
		lulls, looks bool
	}{
		{Adaptive, true, 0, true, true}, {Spin, true, 0, true, true}, {Sleep, true, 0, false, false},
		{Adaptive, true, vainMost, true, false},
		{Adaptive, false, 0, true, true}, {Spin, false, 0, true, true}, {Sleep, false, 0, false, false},
		{Adaptive, false, vainMost / 4, false, false}, {Spin, false, vainMost, false, false},
	} {
		have(t, tt.many)
		s := NewSpinner(tt.mode)
		s.vain.Store(tt.vain)
		wt := NewList().WaiterWith(background, s)
		if lulls, looks := wt.Lulls(), s.Looks() > 0; lulls != tt.lulls || looks != tt.looks {
			t.Errorf("mode %d, many processors %v, vain %d: Lulls %v, Looks %v", tt.mode, tt.many, tt.vain, lulls, looks)
		}
		wt.Done()
	}
}

// A look that was not in vain counts as a spin that paid.
func TestSeenCounts(t *testing.T) {
	s := NewSpinner(Adaptive)
	s.observe(false)
	v := s.vain.Load()
	if s.Seen(); s.vain.Load() >= v {
		t.Errorf("vain %d, and %d when it was seen", v, s.vain.Load())
	}
}
