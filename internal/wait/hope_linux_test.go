package wait

import (
	"context"
	"testing"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
)

// inVain is a Spinner whose spins are: the processor comes back, and it is there.
func inVain(t *testing.T, many bool) *Spinner {
	have(t, many)
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
			if d, _, stays := s.budget(); stays || d > spinGlance {
				t.Errorf("many %v: at once again: %v", many, d)
			}
			s.hope.next.Store(1)
		}
		for s.vain.Load() >= vainMost/4 {
			s.observe(true)
		}
		if s.hope.rare.Load() != 0 || s.hope.next.Load() != 0 {
			t.Errorf("many %v: after spins that paid the next one comes late", many)
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
		l := NewList()
		stay := func(ctx context.Context) *Waiter {
			l.spin.vain.Store(vainMost)
			l.spin.waits.Store(1)
			l.spin.hope.gave.Store(true)
			l.spin.hope.next.Store(0)
			return l.Waiter(ctx)
		}
		gave := false
		for try := 1; ; try++ {
			wt := stay(background)
			for n := 0; wt.Spin() && wt.spin.state == spinOn; n++ {
				if f := &wt.spin.few; f.gone != 0 { // unless others took it
					gave = true
				}
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
				t.Fatalf("many %v: it gives the processor away", many)
			}
		}
		if many { // the other is too short for a look up
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
			p := &spinning{of: s, tells: true, stays: true, paused: 5, budget: int64(hopeFew), few: few{are: !many, sure: true}}
			if brought {
				p.few.gone = 5
			}
			if p.paid() == brought {
				t.Errorf("many %v: it paid %v, though brought %v", many, !brought, brought)
			}
			if hopeful := s.vain.Load() <= vainMost/2; hopeful == brought || s.hope.gave.Load() != brought {
				t.Errorf("many %v: hopeful %v, gave %v, though brought %v", many, hopeful, s.hope.gave.Load(), brought)
			}
			p = &spinning{of: s, tells: true, paused: 5, budget: int64(spinMost), few: few{are: !many, gone: 5, sure: true}}
			if paid := p.paid(); paid != (!many && !brought) {
				t.Errorf("many %v: what is brought then paid %v, after one that was brought %v", many, paid, brought)
			}
			s.hope.trust.Store(sys.MonotonicNow() - 1)
			if p.paid() {
				t.Errorf("many %v: what is brought paid, long after", many)
			}
		}
	}
}
