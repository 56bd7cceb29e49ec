package wait

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/mem"
)

func lockThread(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f()
}

// spinOnce spins a new wait to its end and returns how long that took.
func spinOnce(l *List) time.Duration {
	wt := l.Waiter(background)
	defer wt.Done()
	start := time.Now()
	for wt.Spin() {
	}
	d := time.Since(start)
	wt.spin.again(false) // Done would take it for a success
	return d
}

func TestSpinnerLearns(t *testing.T) {
	l := NewList()
	s := &l.spin
	have(t, true)
	budget := func() time.Duration { d, _, _ := s.budget(); return d }
	if b := budget(); b != spinMost {
		t.Errorf("a new Spinner spins for %v, want %v", b, spinMost)
	}
	if d := spinOnce(l); d < spinMost {
		t.Errorf("spun for %v, want %v at least", d, spinMost)
	}
	for range 100 {
		s.observe(false)
	}
	full := 0
	for range 10 * spinProbe {
		switch b, tells, _ := s.budget(); {
		case b == spinMost && tells:
			full++
		case b == spinGlance && !tells:
		default:
			t.Errorf("budget %v, %v", b, tells)
		}
	}
	if full < 8 || full > 12 {
		t.Errorf("%d of %d waits spin in full, though it never pays", full, 10*spinProbe)
	}
	for range 100 {
		s.observe(true)
	}
	if b := budget(); b != spinMost || s.vain.Load() != 0 {
		t.Errorf("budget %v, vain %d, after it paid 100 times", b, s.vain.Load())
	}
	s.SetMode(Sleep)
	if b := budget(); b != 0 {
		t.Errorf("mode Sleep spins for %v", b)
	}
	s.SetMode(Spin)
	if b := budget(); b != spinEver {
		t.Errorf("mode Spin spins for %v", b)
	}
}

// have has the process take itself for one that has many processors, or one.
func have(t *testing.T, many bool) {
	processors.many() // how many may run
	processors.one.Store(!many)
	processors.bound.Store(!many)
	processors.until.Store(math.MaxInt64)
	t.Cleanup(func() { processors.until.Store(0) })
}

// What a wait teaches: a spin that a sleep follows was in vain, one that the
// end of the wait follows paid, and a wait without a spin says nothing.
func TestWaitsTeach(t *testing.T) {
	l, w := NewList(), word(t)
	vain := func() int32 { return l.spin.vain.Load() }
	wait := func(sleep bool, spins int) {
		wt := l.Waiter(background)
		defer wt.Done()
		for range spins {
			wt.Spin()
		}
		if sleep {
			wt.Sleep(w, 1) // the word changed already: over at once
		}
	}
	wait(true, 1)
	if vain() == 0 {
		t.Error("a spin and then a sleep count as if the spin had paid")
	}
	v := vain()
	wait(true, 0)
	wait(false, 0)
	if vain() != v {
		t.Error("a wait without a spin taught something")
	}
	wait(false, 1)
	if vain() >= v {
		t.Error("a spin and then success do not count")
	}
}

// A spin that has paid for another goes on as if it had begun now; one that another has
// spun for is over when that one's would be, and teaches nothing.
func TestSpinsForOthers(t *testing.T) {
	l := NewList()
	have(t, true)
	l.spin.vain.Store(100)
	wt := l.Waiter(background)
	wt.Renew() // it has not begun
	if v := l.spin.vain.Load(); v != 100 {
		t.Errorf("vain %d: a spin that has not begun paid", v)
	}
	for wt.spin.start == 0 {
		wt.Spin()
	}
	begun := wt.spin.start
	wt.spin.start -= int64(spinMost)
	wt.Renew()
	if wt.spin.start < begun || l.spin.vain.Load() >= 100 {
		t.Errorf("renewed: begun %d ns before, vain %d", begun-wt.spin.start, l.spin.vain.Load())
	}
	wt.spin.again(false)
	wt.Done()

	v := l.spin.vain.Load()
	wt = l.Waiter(background)
	wt.SpinFrom(wt.Now() - int64(spinMost))
	if crowd.Load() != 1 {
		t.Errorf("%d spin, want 1", crowd.Load())
	}
	looks := 0
	for wt.Spin() {
		looks++
	}
	if looks > mem.PerMicro+1 {
		t.Errorf("%d looks after a spin that was over", looks)
	}
	wt.spin.again(false)
	wt.Done()
	if crowd.Load() != 0 || l.spin.vain.Load() != v {
		t.Errorf("%d spin, want none; vain %d, want %d", crowd.Load(), l.spin.vain.Load(), v)
	}

	wt = l.Waiter(background)
	defer wt.Done()
	start := wt.Now()
	wt.SpinFrom(start)
	for wt.Spin() {
	}
	if d := time.Duration(wt.Now() - start); d < spinMost {
		t.Errorf("spun for %v, want %v at least", d, spinMost)
	}
	wt.spin.again(false)
}

// A goroutine that was made runnable before the wait runs soon, though all other processors
// have something to do. Not each time: every 61st time the scheduler takes first whoever
// has just let others run.
func TestSpinLetsOthersRun(t *testing.T) {
	have(t, true)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	defer processors.running.Store(processors.running.Swap(2))
	var busy, over, came atomic.Bool
	var all sync.WaitGroup
	defer all.Wait()
	defer over.Store(true)
	all.Go(func() {
		for busy.Store(true); !over.Load(); {
		}
	})
	for !busy.Load() {
		runtime.Gosched()
	}
	l := NewList()
	var took []int // µs
	for range 21 {
		came.Store(false)
		wt := l.WaiterWith(background, NewSpinner(Spin))
		go came.Store(true)
		for !came.Load() && wt.Spin() {
		}
		took = append(took, wt.spin.paused/mem.PerMicro)
		wt.Done()
	}
	slices.Sort(took)
	if took[len(took)/2] > 20 {
		t.Errorf("it runs when one has spun for %v µs", took)
	}
}

func TestSpinEndsWithTheList(t *testing.T) {
	l, w := NewList(), word(t)
	l.spin.SetMode(Spin)
	errs := make(chan error)
	go func() { errs <- await(l, background, w, 0) }()
	l.Close()
	if err := <-errs; err != ErrClosed {
		t.Errorf("await = %v, want ErrClosed", err)
	}
}

// Whoever spins can be stopped: a collection need not wait for the end of it, or
// it would do so for ever here.
func TestSpinDoesNotHoldUpTheCollector(t *testing.T) {
	l, w := NewList(), word(t)
	l.spin.SetMode(Spin)
	var wg sync.WaitGroup
	stop := new(atomic.Bool)
	for range 2 {
		wg.Go(func() {
			for !stop.Load() {
				if err := await(l, background, w, 0); err != nil {
					return
				}
			}
		})
	}
	var took []time.Duration
	for range 21 {
		start := time.Now()
		var m runtime.MemStats
		runtime.ReadMemStats(&m) // stops the world
		took = append(took, time.Since(start))
	}
	stop.Store(true)
	l.Close()
	wg.Wait()
	slices.Sort(took)
	t.Logf("median %v, worst %v", took[10], took[20])
	if effort.Bars() && took[10] > 50*time.Millisecond {
		t.Errorf("stopping the world takes %v (median) while two spin", took[10])
	}
}

// Where nothing shall spin nothing does, whatever the mode.
func TestNoSpin(t *testing.T) {
	defer func() { noSpin = false }()
	for _, m := range []Mode{Adaptive, Spin} {
		s := NewSpinner(m)
		noSpin = false
		if d, _, _ := s.budget(); d == 0 || s.Looks() == 0 {
			t.Errorf("mode %d does not spin", m)
		}
		noSpin = true
		if d, _, _ := s.budget(); d != 0 || s.Looks() != 0 || s.Lulls() {
			t.Errorf("mode %d spins for %v, looks for %d", m, d, s.Looks())
		}
	}
}
