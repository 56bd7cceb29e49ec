package engine

import (
	"io"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// TryNext is where the next message lies, which is to be copied, and Advance called: or
// ErrEmpty, io.EOF, ErrBusy, ErrCorrupt.
func (s *SPSC) TryNext() (unsafe.Pointer, error) {
	if err := s.find(1); err != nil {
		return nil, err
	}
	return s.place(&s.get, s.get.slot(s)), nil
}

// AwaitNext waits for it, as AwaitRoom does.
func (s *SPSC) AwaitNext(by Sleeper) (unsafe.Pointer, error) {
	err := s.find(1)
	if err == ErrEmpty {
		s.pause(by, &s.get)
	}
	if s.get.waits(s, err, ErrEmpty) {
		_, e := s.items.Await(by, func() bool {
			err = s.find(1)
			return !s.get.waits(s, err, ErrEmpty)
		})
		if e != nil {
			return nil, e
		}
	}
	if err != nil {
		return nil, err
	}
	return s.place(&s.get, s.get.slot(s)), nil
}

// findTries bounds the turns of find. Twice round there is something new each time: a
// tail that has grown, or an end.
const findTries = 8

// find makes get.left at least 1, and looks at tail if that is less than want.
func (s *SPSC) find(want uint64) error {
	u := &s.get
	if u.left() >= want {
		u.open(s)
		return nil
	}
	if err := s.take(u); err != nil {
		return err
	}
	for range findTries {
		there := mem.Load64(u.other) - u.pos // G1
		if there > s.n {
			return badSPSC("%d messages in %d slots", there, s.n)
		}
		if end := mem.Load64(s.end); end != 0 {
			if u.pos >= end-1 {
				u.till = u.pos
				return io.EOF
			}
			there = min(there, end-1-u.pos)
		}
		u.till = u.pos + there
		if there > 0 {
			u.open(s)
			return nil
		}
		if mem.Load64(s.look)&spscShut == 0 { // G2
			return ErrEmpty
		}
		if err := s.conclude(u.pos); err != nil { // E2
			return err
		}
	}
	return badSPSC("no end at %d", u.pos)
}

// Advance ends the getting of the message that was at Next. Where it did so, GotInZeroes
// tells.
func (s *SPSC) Advance() {
	if !s.AdvanceNow() {
		s.AdvanceRest()
	}
}

// AdvanceRest is Advance after an AdvanceNow that was not all.
//
//go:noinline
func (s *SPSC) AdvanceRest() {
	u := &s.get
	if !u.plain {
		s.raceRelease(u.pos)
		pos := u.pos + 1
		u.pos = pos
		u.at += s.size
		storeFenced(u.own, pos) // G4
	}
	s.space.Ring(-1) // G5
}

// got is G4 and G5 of the next n messages.
func (s *SPSC) got(n uint64) {
	u := &s.get
	u.advance(s, n)
	u.store(s) // G4
	s.space.Ring(-1)
}

// GetRun gets up to n messages, as many as there are, and copies them to dst one after
// the other. It does not wait.
func (s *SPSC) GetRun(dst unsafe.Pointer, n int) (int, error) {
	u := &s.get
	want := uint64(n)
	if u.left() < want {
		if err := s.find(want); err != nil {
			return 0, err
		}
	}
	k, at, first, more := s.run(u, want)
	if mem.RaceEnabled {
		for i := range k {
			s.raceAcquire(u.pos + i)
		}
	}
	mem.Copy(dst, mem.Place(unsafe.Add(s.slots, at)), first) // G3
	if more != 0 {
		mem.Copy(unsafe.Add(dst, first), mem.Place(s.slots), more)
	}
	if mem.RaceEnabled {
		for i := range k {
			s.raceRelease(u.pos + i)
		}
	}
	s.got(k)
	return int(k), nil
}

// GotInZeroes is asked in zeroes: whether what the last call got was got there.
func (s *SPSC) GotInZeroes() bool { return mem.Load64(s.get.own) == s.get.pos }
