package engine

import (
	"unsafe"

	"example.com/tandem/internal/mem"
)

// TryRoom is where the next message goes, which is to be written there and published: or
// ErrFull, ErrShutdown, ErrBusy, ErrCorrupt.
func (s *SPSC) TryRoom() (unsafe.Pointer, error) {
	if err := s.room(1); err != nil {
		return nil, err
	}
	return s.place(&s.put, s.put.slot(s)), nil
}

// AwaitRoom waits for it, and for a holder of the side that is dead to be recovered.
func (s *SPSC) AwaitRoom(by Sleeper) (unsafe.Pointer, error) {
	err := s.room(1)
	if err == ErrFull {
		s.pause(by, &s.put)
	}
	if s.put.waits(s, err, ErrFull) {
		_, e := s.space.Await(by, func() bool {
			err = s.room(1)
			return !s.put.waits(s, err, ErrFull)
		})
		if e != nil {
			return nil, e
		}
	}
	if err != nil {
		return nil, err
	}
	return s.place(&s.put, s.put.slot(s)), nil
}

// room makes put.left at least 1, and looks at head if that is less than want.
func (s *SPSC) room(want uint64) error {
	u := &s.put
	if mem.Load64(s.look)&spscShut != 0 { // P0: whoever has the side
		return ErrShutdown
	}
	if err := s.take(u); err != nil {
		return err
	}
	if u.left() < want { // P1
		used := u.pos - mem.Load64(u.other)
		if used > s.n {
			return badSPSC("%d messages in %d slots", used, s.n)
		}
		u.till = u.pos - used + s.n
	}
	if u.left() == 0 {
		return ErrFull
	}
	u.open(s)
	return nil
}

// Publish makes the message everybody's that was written into Room. It reports false
// if that came too late: the stream has ended before it. One doubt is left, see PutIn.
func (s *SPSC) Publish() bool { return s.PublishNow() || s.PublishRest() }

// PublishRest is Publish after a PublishNow that was not all.
//
//go:noinline
func (s *SPSC) PublishRest() bool {
	u := &s.put
	if !u.plain {
		s.raceRelease(u.pos)
		pos := u.pos + 1
		u.pos = pos
		u.at += s.size
		storeFenced(u.own, pos) // P3
	}
	v := mem.Load64(s.look)
	return v&(spscShut|bellAsleep) == 0 || s.heed(v, 1) == 1 // P4, which may be the second one
}

// publish is P3 and P4 of the next n messages, and returns how many of them are in.
func (s *SPSC) publish(n uint64) uint64 {
	u := &s.put
	u.advance(s, n)
	u.store(s) // P3
	v := mem.Load64(s.look)
	if v&(spscShut|bellAsleep) != 0 { // P4
		return s.heed(v, n)
	}
	return n
}

// heed is the rest of P4, which has something to see to.
//
//go:noinline
func (s *SPSC) heed(v, n uint64) uint64 {
	if v&spscShut != 0 {
		n = s.decide(n) // E1
	}
	s.items.Ring(-1)
	return n
}

// PutRun puts the first of up to n messages that lie at src one after the other, as
// many as there is room for, and publishes them at once. It returns how many are in;
// fewer than there was room for with ErrShutdown. It does not wait.
func (s *SPSC) PutRun(src unsafe.Pointer, n int) (int, error) {
	u := &s.put
	want := uint64(n)
	if u.left() < want || mem.Load64(s.look)&spscShut != 0 { // P0
		if err := s.room(want); err != nil {
			return 0, err
		}
	}
	k, at, first, more := s.run(u, want)
	if mem.RaceEnabled {
		for i := range k {
			s.raceAcquire(u.pos + i)
		}
	}
	mem.Copy(mem.Place(unsafe.Add(s.slots, at)), src, first) // P2
	if more != 0 {
		mem.Copy(mem.Place(s.slots), unsafe.Add(src, first), more)
	}
	if mem.RaceEnabled {
		for i := range k {
			s.raceRelease(u.pos + i)
		}
	}
	if in := s.publish(k); in != k {
		return int(in), ErrShutdown
	}
	return int(k), nil
}

// PutIn is asked in zeroes of the n messages that a call published last: how many of
// them are in, in the region.
func (s *SPSC) PutIn(n int) int {
	u := &s.put
	if mem.Load64(u.own) == u.pos {
		return 0 // they were published here
	}
	return int(below(s.lastEnd, u.pos, uint64(n)))
}
