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
// So a waiter to whom that happens again and again stays now and then: it spins for longer,
// and gives the processor to nobody. In the first case, in a process that has several
// processors, that is longer than a tick: who is to answer waits for it as long, and is
// taken away to another. In the second, with one, it is longer than a wake-up takes: what
// comes while one stays came from another processor, and for a second that is believed,
// whatever seems to have brought what. As long as neither helps it is done half as often,
// so that it takes less than a hundredth of the time; as it does where all processors have
// work.
type hope struct {
	gave  atomic.Bool  // the last spin that told something was brought what it waited for
	next  atomic.Int64 // not before
	rare  atomic.Int32 // how often hopeAfter is doubled
	trust atomic.Int64 // until then, with one processor, what comes comes from another
}

const (
	hopeMany  = 10 * time.Millisecond // two ticks of 4, and a half
	hopeFew   = time.Millisecond
	hopeAfter = 20 * time.Millisecond // from one to the next
	hopeRare  = 6                     // doublings
	hopeTrust = time.Second
)

// now reports whether it is time to stay, and begins that.
func (h *hope) now() bool {
	if !h.gave.Load() {
		return false
	}
	now := sys.MonotonicNow()
	if now < h.next.Load() {
		return false
	}
	n := h.rare.Load()
	h.next.Store(now + int64(hopeAfter)<<n)
	h.rare.Store(min(n+1, hopeRare))
	return true
}

// helped has the next one begin as soon as it is needed.
func (h *hope) helped() {
	if h.rare.Load() != 0 {
		h.rare.Store(0)
		h.next.Store(0)
	}
}

// paid reports whether a spin that did not end in a sleep paid, and learns from it.
//
//go:norace
func (p *spinning) paid() bool {
	s, brought := p.of, p.brought()
	if p.tells {
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
