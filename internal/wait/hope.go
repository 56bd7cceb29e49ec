package wait

import (
	"sync/atomic"
	"time"

	"example.com/tandem/internal/sys"
)

// What a spin waits for may be there when the processor comes back that it gave away. That
// seems to say that no spin pays, for who answers waits for this very processor. But two
// things look the same that are not:
//
//   - Two that hand something to and fro came to share a processor while another has
//     nothing to do: who is woken runs where it ran before, or where its waker does. Whether
//     they sleep instead, or go on so, they stay together, and a round trip takes 40 to 100
//     µs where it took a fifth of one: the kernel parts two that are ready to run on one
//     processor at a tick, and of those only who has not run for half a millisecond
//     (sched_migration_cost_ns).
//   - Each of the two is bound to a processor of its own, and it was others that ran
//     meanwhile: threads of Go's scheduler, say, of which each sleep and wake-up brings
//     some.
//
// So a waiter whose spins are in vain, and who was brought what it waited for, stays now and
// then: it spins for longer, and gives the processor to no other process. In the first case,
// in a process that has several processors, that is longer than a tick: who is to answer
// waits for it as long, and is taken away to another. In the second, with one, it is longer
// than a wake-up takes. What comes while one stays, and keeps its processor, came from
// another: spins pay from then on, and with one processor that is believed for a second,
// whatever seems to have brought what. As long as that does not help it is done half as
// often, in the end for less than a hundredth of the time; and all waits of a process do it
// one at a time, for a tenth of its time at most.
//
// To announce a sleep takes time, too, and where that is tens of microseconds (membarrier
// interrupts the other processor, which a hypervisor makes slow) the answer comes meanwhile:
// a waiter that glances, or does not spin at all, finds it as it is about to sleep, each
// time, and never sleeps, and seldom comes to a spin that tells something. So what comes
// then, while no other thread had the processor, counts as found by a spin. (Of one that has
// spun for long it says nothing: that was in vain.)
//
// Other goroutines run meanwhile, at least every millisecond, and with them the timers. Who
// spins for many, or waits for several, does not stay: it looks too seldom at what ends it.
type hope struct {
	gave  atomic.Bool  // the last spin that told something was brought what it waited for
	next  atomic.Int64 // not before
	rare  atomic.Int32 // how often hopeAfter is doubled
	trust atomic.Int64 // until then, with one processor, what comes comes from another
}

const (
	hopeMany  = 10 * time.Millisecond // two ticks of 4, and a half; one of 10
	hopeFew   = time.Millisecond
	hopeOwn   = time.Millisecond      // between two times at which other goroutines run
	hopeAfter = 20 * time.Millisecond // from one to the next
	hopeRare  = 6                     // doublings
	hopeAll   = 10                    // times as long as one: from one of a process to its next
	hopeTrust = time.Second
)

// staying is when the next wait of this process may stay.
var staying atomic.Int64

// now reports whether it is time to stay for d, and begins that.
func (h *hope) now(d time.Duration) bool {
	if !h.gave.Load() {
		return false
	}
	now, next, all := sys.MonotonicNow(), h.next.Load(), staying.Load()
	n := h.rare.Load()
	if now < next || now < all || !h.next.CompareAndSwap(next, now+int64(hopeAfter)<<n) {
		return false
	}
	h.rare.Store(min(n+1, hopeRare))
	return staying.CompareAndSwap(all, now+hopeAll*int64(d))
}

// helped has the next one begin soon after it is needed.
func (h *hope) helped() {
	if h.rare.Load() != 0 {
		h.rare.Store(0)
		h.next.Store(min(h.next.Load(), sys.MonotonicNow()+int64(hopeAfter)))
	}
}

// would reports whether a spin would have paid, of who did not spin, or hardly: what it waited
// for came while it announced its sleep, and no other thread had this processor.
//
//go:norace
func (p *spinning) would() bool {
	had := p.few.had
	return had > 0 && had == sys.Switches()
}

// paid reports whether a spin that did not end in a sleep paid, and learns from it.
//
//go:norace
func (p *spinning) paid() bool {
	s, brought := p.of, p.brought()
	if f := &p.few; p.stays && f.had != 0 && (f.had < 0 || f.had != sys.Switches()) {
		brought = true // others had the processor, unasked, since the look before the one that found it
	}
	if p.stays && p.state != spinOn {
		return false // it ended before anything came
	}
	if p.tells && p.state == spinOn && s.hope.gave.Load() != brought { // else it ended, or its last yield brought it
		s.hope.gave.Store(brought)
	}
	switch {
	case p.stays && !brought:
		s.vain.Store(min(s.vain.Load(), vainMost/2))
		if p.few.are {
			s.hope.trust.Store(sys.MonotonicNow() + int64(hopeTrust))
		}
	case brought && p.few.are && sys.MonotonicNow() < s.hope.trust.Load():
		return true
	}
	return !brought
}
