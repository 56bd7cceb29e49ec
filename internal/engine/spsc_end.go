package engine

import "example.com/tandem/internal/mem"

// Shutdown ends the stream for all: nothing more is put, and when what is there is got,
// consumers get io.EOF.
func (s *SPSC) Shutdown() {
	mem.Or64(s.look, spscShut) // S1
	s.items.Bump()             // S2
	s.space.Bump()
}

// IsShut reports whether somebody called Shutdown.
func (s *SPSC) IsShut() bool { return mem.Load64(s.look)&spscShut != 0 }

// decide is E1: the producer has just stored n messages, and X is set. It returns how
// many of them are in.
func (s *SPSC) decide(n uint64) uint64 {
	u := &s.put
	end := mem.Load64(s.end)
	if end == 0 {
		s.env.change(s.end, 0, u.pos+1) // where it is not made, the region is gone: PutIn
		end = mem.Load64(s.end)
	}
	return below(end, u.pos, n)
}

// below is how many of the n messages before pos are before the end.
func below(end, pos, n uint64) uint64 {
	switch from := pos - n; {
	case end == 0 || end-1 >= pos:
		return n
	case end-1 <= from:
		return 0
	default:
		return end - 1 - from
	}
}

// conclude is E2, of a consumer that has got all up to pos.
func (s *SPSC) conclude(pos uint64) error {
	s.syncForGood()
	if mem.Load64(s.get.other) != pos {
		return nil
	}
	_, err := s.env.change(s.end, 0, pos+1)
	return err
}

// concludeMicros is how long a consumer gives the stores of others whose fences it
// cannot make, or not surely. It does so once in the life of a stream,
// or twice, if something came in the first.
const concludeMicros = 1000

// syncForGood makes the fence of the producer.
func (s *SPSC) syncForGood() {
	if s.env.Sync == nil {
		return
	}
	if !s.env.Sync() || s.env.Misses {
		mem.Bide(concludeMicros)
	}
}

// Leave is for a process that closes the region, and has zeroes in its place by now: a is
// the SPSC, where it still can be seen. It is E1 for a Put whose P4 was in the zeroes,
// and keeps what PutIn tells. It comes before the side is given up.
func (s *SPSC) Leave(a mem.Area) {
	if mem.Load64(a.W64(spscProducer)) != s.me || mem.Load64(a.W64(spscItems))&spscShut == 0 {
		return // all is in: whoever sets X later, and looks, finds it
	}
	end := a.W64(spscEnd)
	mem.CAS64(end, 0, mem.Load64(a.W64(spscTail))+1)
	s.lastEnd = mem.Load64(end)
}
