package wait

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
)

// With one processor a wait spins as with many, until that was in vain again and again:
// then it sleeps at once, but for one wait in ever more.
func TestSpinnerOfOneProcessor(t *testing.T) {
	l := NewList()
	s := &l.spin
	have(t, false)
	for m, want := range map[Mode]time.Duration{Adaptive: spinMost, Spin: spinEver, Sleep: 0} {
		s.SetMode(m)
		if b, tells, _ := s.budget(); b != want || tells != (want > 0) {
			t.Errorf("mode %d: a new Spinner spins for %v, %v; want %v", m, b, tells, want)
		}
	}
	s.SetMode(Adaptive)
	for range 100 {
		s.observe(false)
	}
	if s.vain.Load() < vainMost*3/4 {
		t.Errorf("vain %d after 100 vain spins", s.vain.Load())
	}
	spins := 0
	const waits = 10 * spinProbe << fewRare
	for range waits {
		switch b, _, _ := s.budget(); b {
		case spinMost:
			spins++
		case 0:
		default:
			t.Errorf("budget %v", b)
		}
	}
	if spins < 8 || spins > 12 {
		t.Errorf("%d of %d waits spin, though it never pays", spins, waits)
	}
	for range 100 {
		s.observe(true)
	}
	if b, _, _ := s.budget(); b != spinMost || s.rare.Load() != 0 {
		t.Errorf("budget %v after it paid 100 times, and it is tried %d times less often", b, s.rare.Load())
	}
}

// In mode Spin one wait in some spins for long, though that was in vain.
func TestSpinOfOneProcessorIsTried(t *testing.T) {
	s := NewSpinner(Spin)
	have(t, false)
	s.vain.Store(vainMost)
	ever := 0
	for range 10 * spinProbe {
		switch b, tells, _ := s.budget(); {
		case b == spinEver && tells:
			ever++
		case b == spinMost && tells:
		default:
			t.Errorf("budget %v, %v", b, tells)
		}
	}
	if ever < 8 || ever > 12 {
		t.Errorf("%d of %d waits spin for long", ever, 10*spinProbe)
	}
}

// spinUntil spins on until is, and reports whether that came.
func spinUntil(w *Waiter, is func(p *spinning) bool) bool {
	for w.Spin() {
		if is(&w.spin) {
			return true
		}
	}
	return false
}

// With one processor who spins gives it away every few microseconds, and what is there
// then was not seen by spinning.
func TestSpinnerSharesItsProcessor(t *testing.T) {
	l := NewList()
	l.spin.SetMode(Spin) // its spin does not end meanwhile
	given := func(p *spinning) bool {
		if p.few.gone == 0 || p.few.gone != p.paused {
			return false
		}
		p.few.had = -1 // another number: somebody has had it
		return true
	}
	have(t, true)
	wt := l.Waiter(background)
	if spinUntil(wt, func(p *spinning) bool { return p.few.next != 0 || p.paused > 100*mem.PerMicro }) && wt.spin.few.next != 0 {
		t.Error("it gives its processor away where it has many")
	}
	wt.Done()

	have(t, false)
	again := func() {}
	spun := func(is ...func(p *spinning) bool) { // one after the other
		for range 100 { // if it had the processor for long enough
			again()
			wt = l.Waiter(background)
			all := true
			for _, f := range is {
				all = all && spinUntil(wt, f)
			}
			wt.Done()
			if all {
				return
			}
		}
		t.Fatal("it does not give its processor away, or not again")
	}
	spun(given)
	v := l.spin.vain.Load()
	if v == 0 {
		t.Error("what was there then counts as if the spin had paid")
	}
	again = func() { l.spin.vain.Store(v) } // what ended in vain counts, too
	spun(given, func(p *spinning) bool { return !given(p) })
	again = func() {}
	if l.spin.vain.Load() >= v {
		t.Error("what came after that does not count")
	}

	// Many have a look around after a while only, and what is there then counts alike.
	for range 2 {
		have(t, true)
		l.spin.vain.Store(0)
		spun(func(p *spinning) bool { return given(p) && p.state == spinOn }) // and not at its end
		if l.spin.vain.Load() == 0 {
			t.Error("what was there when it had looked up counts as if the spin had paid")
		}
		l.spin.ForAll()
	}
	have(t, false)
	v = l.spin.vain.Load()
	spun(given)
	if l.spin.vain.Load() != v {
		t.Error("what was there then counts, of one who spins for many")
	}
}

// Where nobody has had it, what is there then was seen by spinning.
func TestSpinnerGivesItsProcessorToNobody(t *testing.T) {
	have(t, false)
	for switched, brought := range map[int64]bool{0: false, 1: true} {
		for try := 1; ; try++ {
			runtime.LockOSThread()
			now := sys.MonotonicNow()
			p := &spinning{paused: 5, budget: int64(spinMost), few: few{are: true, last: now, next: 1}}
			before := sys.Switches()
			p.share(now, false)
			p.few.had -= switched
			got := p.brought()
			kept := before == sys.Switches()
			runtime.UnlockOSThread()
			if kept || switched > 0 { // else others did have it
				if got != brought {
					t.Errorf("others have had the processor %d times: brought %v", switched, got)
				}
				break
			}
			if try == 100 {
				t.Skip("the processor never comes back at once")
			}
		}
	}
}

// What is there when it has been taken away was brought.
func TestSpinnerWhoseProcessorWasTaken(t *testing.T) {
	have(t, false)
	now := sys.MonotonicNow()
	for ago, taken := range map[time.Duration]bool{fewTaken / 2: false, 2 * fewTaken: true} {
		p := &spinning{paused: 5, budget: int64(spinMost), few: few{are: true, last: now - int64(ago), next: 1 << 62}}
		if !p.share(now, false) || p.brought() != taken {
			t.Errorf("%v after the last look at the clock: taken %v", ago, p.brought())
		}
	}
}

// Who gets his processor back after long sleeps, but for one in mode Spin.
func TestSpinnerThatWaitsForItsProcessor(t *testing.T) {
	have(t, false)
	for budget, want := range map[time.Duration]bool{spinMost: false, spinEver: true} {
		p := &spinning{budget: int64(budget), few: few{are: true, next: 1}}
		if got := p.share(sys.MonotonicNow()-2*int64(spinMost), false); got != want {
			t.Errorf("of %v: it spins on: %v", budget, got)
		}
	}
}

// It gives the processor away the more seldom the longer that takes.
func TestSharingThatTakesLongIsRare(t *testing.T) {
	for _, tt := range []struct{ took, next time.Duration }{{0, fewGive}, {10 * time.Microsecond, 20 * time.Microsecond}, {time.Second, spinCheck}} {
		p := &spinning{few: few{are: true}}
		began := sys.MonotonicNow()
		p.shared(began - int64(tt.took))
		if d := time.Duration(p.few.next - p.few.last); d < tt.next || d > tt.next+2*time.Duration(p.few.last-began) {
			t.Errorf("took %v: again after %v, want %v", tt.took, d, tt.next)
		}
	}
}

// With one processor for its goroutines it is given to them, and to no other process
// if there are other processors.
func TestSpinnerSharesWithGoroutines(t *testing.T) {
	have(t, false)
	processors.bound.Store(false)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer processors.running.Store(processors.running.Swap(1))
	counted := 0
	for range 100 {
		wt := NewList().WaiterWith(background, NewSpinner(Spin))
		var came atomic.Bool
		go came.Store(true)
		if !spinUntil(wt, func(p *spinning) bool { return came.Load() }) {
			t.Fatal("it does not spin")
		}
		brought, clock := wt.spin.brought(), wt.spin.start != 0
		wt.Done()
		if brought {
			return
		}
		if clock { // else it was preempted before it had spun for a microsecond
			if counted++; counted > 10 { // or between two looks
				break
			}
		}
	}
	t.Error("what another goroutine did counts as if the spin had paid")
}

// Two that spin and are bound to one processor pass it to each other.
func TestSpinPassesItsProcessor(t *testing.T) {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		if all.IsSet(i) {
			one.Set(i)
			break
		}
	}
	have(t, false)
	if runtime.GOMAXPROCS(0) > 1 {
		defer processors.running.Store(processors.running.Swap(1000)) // they are no crowd, which yields anyhow
	}
	const rounds = 200
	var turn, brought atomic.Int32
	var paused [2][]int // in each wait
	var wg sync.WaitGroup
	for me := range int32(2) {
		wg.Go(func() {
			runtime.LockOSThread() // for good: the thread ends with the goroutine
			if err := unix.SchedSetaffinity(0, &one); err != nil {
				t.Error(err)
			}
			for range rounds {
				wt := NewList().WaiterWith(background, NewSpinner(Spin))
				for turn.Load() != me && wt.Spin() {
				}
				paused[me] = append(paused[me], wt.spin.paused)
				if wt.spin.brought() {
					brought.Add(1)
				}
				wt.Done()
				turn.Store(1 - me)
			}
		})
	}
	wg.Wait()
	spun := slices.Concat(paused[0], paused[1])
	slices.Sort(spun)
	if median := spun[len(spun)/2]; median > 4*int(fewGive.Microseconds())*mem.PerMicro {
		t.Errorf("a turn comes after %d PAUSEs, a microsecond has %d", median, mem.PerMicro)
	}
	if n := brought.Load(); n < rounds {
		t.Errorf("%d of %d times the other's turn came by giving the processor away", n, 2*rounds)
	}
}
