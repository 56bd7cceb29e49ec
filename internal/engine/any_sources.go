package engine

import (
	"sync/atomic"

	"example.com/tandem/internal/mem"
)

// What Any can wait for, kind by kind: when it is ready, and by which bell one learns of
// it. Each look is one that changes nothing, and that a process may make which could not
// take what it finds.

// Ready of an event: it is set, or its generation has moved since Since. So a Clear right
// behind a Set hides nothing from who was there.
func (e *Event) Ready(since uint64) (bool, error) {
	w := mem.Load64(e.w)
	if !eventLegal(w) || !eventLegal(since) {
		return false, ErrCorrupt
	}
	return since&eventSet != 0 || w != since, nil
}

// Since is E1.
func (e *Event) Since() uint64 { return mem.Load64(e.w) }

func (e *Event) Awaited() (*Bell, bool) { return &e.bell, false }

// Ready of a count: there is something. TryAcquire does not stand back for who is
// starving either.
func (l *Ledger) Ready(uint64) (bool, error) { return l.Value() > 0, nil }

func (l *Ledger) Awaited() (*Bell, bool) { return &l.Bell, true }

// Ready of a queue: a message can be taken, or io.EOF would be said. It does not help: a
// front that is still to be sealed is as good as sealed, where nobody is at a message.
func (q *Queue) Ready(uint64) (bool, error) {
	st := mem.Load64(q.state)
	if st&statePending != 0 && q.anyReturned() {
		return true, nil
	}
	p, s, ok := q.getFront()
	if !ok {
		return false, q.lost()
	}
	if ahead(s, p) != 0 {
		return false, nil
	}
	switch phaseOf(s) {
	case slotFull, slotReturned:
		return true, nil
	case slotEmpty, slotSealed:
		return st&stateShut != 0 && !q.anyHeld(), nil
	}
	return false, nil
}

func (q *Queue) Awaited() (*Bell, bool) { return &q.items, true }

// Unrung finds what was given back and not told of.
func (q *Queue) Unrung() { q.lookBack() }

// anyReturned looks at all slots for one that was given back.
//
//go:noinline
func (q *Queue) anyReturned() bool {
	for i := range q.n {
		if phaseOf(mem.Load64(q.word(i))) == slotReturned {
			return true
		}
	}
	return false
}

// Ready of an SPSC: its consumer would get a message, or io.EOF, whoever that is.
func (s *SPSC) Ready(uint64) (bool, error) { return s.IsShut() || s.Len() > 0, nil }

func (s *SPSC) Awaited() (*Bell, bool) { return &s.items, false }

// Source is the end of a pipe where messages come: one is there, or the other end is gone.
func (h *PipeEnd) Source() Source { return pipeSource{h} }

// Receives reports whether messages come to this end.
func (h *PipeEnd) Receives() bool { return h.in != nil }

type pipeSource struct{ h *PipeEnd }

func (p pipeSource) Ready(uint64) (bool, error) { return p.h.Ready(), nil }
func (p pipeSource) Awaited() (*Bell, bool)     { return p.h.Data(), true }

// Ready of a subscriber: Next would not wait. What was missed is told with the next
// message, or with the end, and alone makes nobody ready.
//
//go:norace
func (s *Subscription) Ready(uint64) (bool, error) {
	s.Lock()
	defer s.Unlock()
	if s.closed {
		return false, ErrEnded
	}
	b, c := s.b, s.next
	for range b.bound() {
		at, ok := b.look(c, false)
		switch {
		case !ok:
			if at.w == 0 || mem.Load64(b.slot(c)) == at.w {
				return false, b.lost()
			}
		case at.p == c && hasMessage(at.w):
			return true, nil
		case at.p == c-b.n:
			return at.w&slotEnd != 0 || b.isShut(), nil
		case b.reliable || at.p < c:
			return false, b.lost()
		case at.p == c: // void
			c++
		default: // lapped: the oldest that may be there
			f, _, err := b.walk(at.p+1, false)
			if err != nil {
				return false, err
			}
			c = max(c, f-b.n)
		}
	}
	return false, b.lost()
}

func (s *Subscription) Awaited() (*Bell, bool) { return &s.b.items, false }

// A Signal is a Source in no region, for the goroutines of one process: it is ready from
// when it was given, for good.
type Signal struct {
	word  uint32
	bell  Bell
	given atomic.Bool
}

// NewSignal makes one that wakes by wake.
func NewSignal(wake func(w *uint32, n int) int) *Signal {
	s := new(Signal)
	s.bell = NewBell(&s.word, Env{Wake: wake})
	return s
}

// Give makes it ready.
func (s *Signal) Give() {
	s.given.Store(true)
	s.bell.Ring(-1)
}

func (s *Signal) Ready(uint64) (bool, error) { return s.given.Load(), nil }

func (s *Signal) Awaited() (*Bell, bool) { return &s.bell, false }
