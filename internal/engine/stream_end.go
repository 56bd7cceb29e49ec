package engine

import (
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// How an end begins and ends.

// Accept makes the acceptor's end this process's. It reports false if the stream has
// been refused, or accepted by another.
func (s *Stream) Accept() (bool, error) {
	if mem.RaceEnabled {
		mem.RaceReleaseMerge(unsafe.Pointer(&streamRaces))
	}
	ok, err := s.env.change(s.acceptor, 0, s.me)
	if ok {
		s.out.data.Ring(-1) // where the dialer waits for the answer
	}
	return ok, err
}

// Refuse is for the dialer, which gives up: because its context has ended, because its
// listener has. It reports false if the stream was accepted: that stands.
func (s *Stream) Refuse() (bool, error) {
	won, err := s.env.change(s.acceptor, 0, streamRefused)
	if !won && err == nil && mem.RaceEnabled {
		mem.RaceAcquire(unsafe.Pointer(&streamRaces))
	}
	return won, err
}

// A DialLeft is what the answer was when the dialer's process closed the region. It is written
// by Leave, and read after it.
type DialLeft struct{ x uint64 }

// Leave is for a process that closes the region, and has zeroes in its place by now: a is
// the stream, where it still can be seen. It is Refuse, which what comes from the zeroes
// cannot make.
func (l *DialLeft) Leave(a mem.Area) {
	x := a.W64(streamAcceptor)
	mem.CAS64(x, 0, streamRefused)
	l.x = mem.Load64(x)
}

// Accepted reports whether it was yes.
func (l *DialLeft) Accepted() bool { return accepts(l.x) }

func accepts(x uint64) bool { return x != 0 && x&streamIndex != streamIndex }

// Answered reports whether the dialer has an answer, and whether that is yes: also by one
// that has gone since, whose bytes come first.
func (s *Stream) Answered() (answered, accepted bool) {
	x := mem.Load64(s.acceptor)
	accepted = accepts(x)
	if accepted && mem.RaceEnabled {
		mem.RaceAcquire(unsafe.Pointer(&streamRaces))
	}
	return x != 0, accepted
}

// Answer is what the dialer sleeps on until there is one.
func (s *Stream) Answer() *Bell { return &s.in.data }

// What an end does no more.
const (
	EndReading = streamRC
	EndWriting = streamWC
	EndAll     = streamAll
)

// Stop has the calls of this end that begin from now on fail, and those that come to a
// look. Who is asleep is to be woken, and the locks of the calls taken, before End.
func (s *Stream) Stop(what uint64) {
	if what&streamRC != 0 {
		s.in.over.Store(true)
	}
	if what&streamWC != 0 {
		s.out.over.Store(true)
	}
}

// Flag is what Stop sets for one of the two. It may be set, and cleared, for other reasons
// to have a call come back with ErrOver; and a call that sleeps is to hear of it, too.
func (s *Stream) Flag(what uint64) *atomic.Bool {
	if what == EndReading {
		return &s.in.over
	}
	return &s.out.over
}

// End is E2 and E3. No call that it ends is under way (E1).
func (s *Stream) End(what uint64) {
	if mem.RaceEnabled {
		mem.RaceReleaseMerge(unsafe.Pointer(&streamRaces))
	}
	mem.Or64(s.own, what) // E2
	if what&streamWC != 0 {
		s.out.data.Ring(-1)
	}
	if what&streamRC != 0 {
		s.in.room.Ring(-1)
	}
}
