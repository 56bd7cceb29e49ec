package wait

import (
	"context"
	"runtime"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
)

// inVain is a Spinner whose spins are: the processor comes back, and it is there.
func inVain(t *testing.T, many bool) *Spinner {
	have(t, many)
	staying.Store(0)
	s := &Spinner{}
	s.vain.Store(vainMost)
	s.hope.gave.Store(true)
	s.waits.Store(1) // none of the next is one in spinProbe
	return s
}

// Who is brought what it spins for again and again stays now and then; the more seldom the
// longer that is in vain.
func TestSpinnerHopes(t *testing.T) {
	for many, want := range map[bool]time.Duration{true: hopeMany, false: hopeFew} {
		s := inVain(t, many)
		s.hope.gave.Store(false)
		if d, _, stays := s.budget(); stays || d > spinGlance {
			t.Errorf("many %v: who slept in vain stays for %v", many, d)
		}
		s.hope.gave.Store(true)
		for i := range 2 * hopeRare {
			s.waits.Store(1)
			began := sys.MonotonicNow()
			d, tells, stays := s.budget()
			if d != want || !tells || !stays {
				t.Fatalf("many %v, %d: budget %v, %v, %v, want %v", many, i, d, tells, stays, want)
			}
			after := int64(hopeAfter) << min(i, hopeRare)
			if next := s.hope.next.Load(); next < began+after || next > sys.MonotonicNow()+after {
				t.Errorf("many %v, %d: the next one after %v, want %v", many, i, time.Duration(next-began), time.Duration(after))
			}
			if d, _, stays := s.budget(); (stays || d > spinGlance) && sys.MonotonicNow() < s.hope.next.Load() {
				t.Errorf("many %v: at once again: %v", many, d)
			}
			s.hope.next.Store(1)
			if d, _, stays := s.budget(); (stays || d > spinGlance) && sys.MonotonicNow() < staying.Load() {
				t.Errorf("many %v: another at once: %v", many, d)
			}
			staying.Store(0)
		}
		for s.vain.Load() >= vainMost/4 {
			s.observe(true)
		}
		if left := s.hope.next.Load() - sys.MonotonicNow(); s.hope.rare.Load() != 0 || left > int64(hopeAfter) {
			t.Errorf("many %v: after spins that paid the next one comes after %v", many, time.Duration(left))
		}
		for _, quiet := range []*Spinner{{brief: true}, {all: true, brief: true}} {
			quiet.vain.Store(vainMost)
			quiet.waits.Store(1)
			quiet.hope.gave.Store(true)
			if _, _, stays := quiet.budget(); stays {
				t.Errorf("many %v: one that is brief stays", many)
			}
		}
	}
}

// Other modes have no use for it.
func TestSpinnerHopesOnlyIfAdaptive(t *testing.T) {
	for m := range map[Mode]bool{Spin: true, Sleep: true} {
		for _, many := range []bool{true, false} {
			s := inVain(t, many)
			s.SetMode(m)
			if d, _, stays := s.budget(); stays {
				t.Errorf("mode %d, many %v: stays for %v", m, many, d)
			}
		}
	}
}

// Who stays gives the processor to nobody, for as long as it is to; and ends with its context.
func TestSpinnerStays(t *testing.T) {
	for many, long := range map[bool]time.Duration{true: hopeMany, false: hopeFew} {
		have(t, many)
		defer processors.running.Store(processors.running.Swap(1000)) // it is no crowd, which yields to its own
		l := NewList()
		stay := func(ctx context.Context) *Waiter {
			l.spin.vain.Store(vainMost)
			l.spin.waits.Store(1)
			l.spin.hope.gave.Store(true)
			l.spin.hope.next.Store(0)
			staying.Store(0)
			return l.Waiter(ctx)
		}
		gave := false
		for try := 1; ; try++ {
			wt := stay(background)
			for n := 0; wt.Spin() && wt.spin.state == spinOn; n++ {
				if p := &wt.spin; p.few.gone != 0 && p.ran == 0 { // before others of this process run, unless others took it
					gave = true
				}
			}
			switch ran := wt.spin.ran != 0; {
			case ran && !many:
				t.Error("goroutines of this process ran meanwhile, in so short a time")
			case many && !ran:
				gave = true // or it was held up in the middle
			}
			spun, state := sys.MonotonicNow()-wt.spin.start, wt.spin.state
			wt.spin.again(false) // Done would take it for a success
			wt.Done()
			if spun < int64(long) || state != spinYielded {
				t.Fatalf("many %v: it stayed for %v, want %v", many, time.Duration(spun), long)
			}
			if l.spin.hope.gave.Load() {
				t.Errorf("many %v: what never came was brought", many)
			}
			if !gave {
				break
			}
			if gave = false; try == 100 {
				t.Fatalf("many %v: it gives the processor away, or not to its own", many)
			}
		}
		if many { // the other is over soon
			ctx, cancel := context.WithCancel(background)
			wt := stay(ctx)
			wt.Spin()
			cancel()
			for wt.Spin() && wt.spin.state == spinOn {
			}
			if n := wt.spin.paused / mem.PerMicro; n > 1000 {
				t.Errorf("it stayed for %d µs, and its context had ended", n)
			}
			wt.Done()
		}
	}
}

// What comes while one stays came from another processor: spins pay from then on, and with
// one processor for a while also those that were brought what they waited for.
func TestSpinnerThatStayedLearns(t *testing.T) {
	for _, many := range []bool{true, false} {
		for _, brought := range []bool{false, true} {
			s := inVain(t, many)
			runtime.LockOSThread()
			p := &spinning{of: s, state: spinOn, tells: true, stays: true, paused: 5, budget: int64(hopeFew), few: few{are: !many, sure: true, had: sys.Switches()}}
			if brought {
				p.few.had = -1 // others had the processor
			}
			paid := p.paid()
			for try := 0; !paid && !brought && try < 100; try++ { // others had it unasked
				s.hope.gave.Store(true)
				p.few.had = sys.Switches()
				paid = p.paid()
			}
			if paid == brought {
				t.Errorf("many %v: it paid %v, though brought %v", many, paid, brought)
			}
			if hopeful := s.vain.Load() <= vainMost/2; hopeful == brought || s.hope.gave.Load() != brought {
				t.Errorf("many %v: hopeful %v, gave %v, though brought %v", many, hopeful, s.hope.gave.Load(), brought)
			}
			runtime.UnlockOSThread()
			p = &spinning{of: s, state: spinOn, tells: true, paused: 5, budget: int64(spinMost), few: few{are: !many, gone: 5, sure: true}}
			if paid := p.paid(); paid != (!many && !brought) {
				t.Errorf("many %v: what is brought then paid %v, after one that was brought %v", many, paid, brought)
			}
			v, trust := s.vain.Load(), s.hope.trust.Load()
			ended := &spinning{of: s, state: spinYielded, tells: true, stays: true, paused: 5, budget: int64(hopeFew), few: few{are: !many}}
			if ended.paid() || s.vain.Load() != v || s.hope.trust.Load() != trust {
				t.Errorf("many %v: one that ended while it stayed paid", many)
			}
			s.hope.trust.Store(sys.MonotonicNow() - 1)
			if p.paid() {
				t.Errorf("many %v: what is brought paid, long after", many)
			}
		}
	}
}

// What comes while one announces its sleep would have come to a longer spin: unless others
// had the processor, or it was what ends a wait.
func TestSpinnerThatWouldLearns(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, many := range []bool{true, false} {
		have(t, many)
		for what, want := range map[string]bool{"it came": true, "others had it": false, "it is for all": false, "it ended": false, "the caller ended it": false, "it slept": false, "it had spun": false} {
			paid := 0
			for range 100 { // others may have it unasked
				l := NewList()
				l.spin.vain.Store(vainMost)
				l.spin.all = what == "it is for all"
				ctx, cancel := context.WithCancel(background)
				if what == "it had spun" {
					l.spin.vain.Store(vainMost * 3 / 4)
					l.spin.waits.Store(15)
				}
				before := l.spin.vain.Load()
				wt := l.Waiter(ctx)
				for wt.Spin() {
				}
				word := new(uint32)
				switch what {
				case "others had it":
					time.Sleep(time.Millisecond)
				case "it ended":
					cancel()
					if err := wt.Sleep(word, 0); err != context.Canceled {
						t.Fatal(err)
					}
				case "the caller ended it":
					wt.Ends(nil)
				case "it slept":
					if err := wt.Sleep(word, 1); err != nil { // whose word is another, so that it does not take long
						t.Fatal(err)
					}
				}
				wt.Done()
				cancel()
				if l.spin.vain.Load() < before {
					paid++
				}
			}
			if paid > 0 != want {
				t.Errorf("many %v, %s: of 100 it would have paid %d, want some: %v", many, what, paid, want)
			}
		}
	}
}

// An Any's likewise.
func TestAnyThatEndedLearnsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	a := startAny(ctx, []*List{NewList()})
	for a.Spin() {
	}
	if a.w.spin.state != spinOver {
		t.Fatalf("state %d, and it is to sleep", a.w.spin.state)
	}
	cancel()
	if err := a.SleepAny([]*uint32{new(uint32)}, []uint32{0}, 0); err != context.Canceled {
		t.Fatal(err)
	}
	if a.w.spin.state == spinOver {
		t.Error("what ended it would count as what it waited for")
	}
	a.Done()
}

// Of one who stays it only counts whether others had the processor since it was last not
// there.
func TestSpinnerThatStaysLooksTwice(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, many := range []bool{true, false} {
		have(t, many)
		defer processors.running.Store(processors.running.Swap(1000))
		for _, late := range []bool{false, true} {
			paid := late
			for try := 0; paid == late; try++ {
				if try == 100 {
					t.Fatalf("many %v: others had the processor (at last: %v), and it paid %v", many, late, paid)
				}
				l := NewList()
				l.spin.vain.Store(vainMost)
				l.spin.waits.Store(1)
				l.spin.hope.gave.Store(true)
				staying.Store(0)
				wt := l.Waiter(background)
				p := &wt.spin
				looks := func(n int) {
					for next := p.clock; n > 0 && wt.Spin(); {
						if p.clock != next {
							next = p.clock
							n--
						}
					}
				}
				looks(3)
				syscall.Nanosleep(&syscall.Timespec{Nsec: 1000}, nil) // and no more of Go's
				if !late {
					looks(3)
				}
				wt.Done()
				paid = l.spin.vain.Load() <= vainMost/2
			}
		}
	}
}
