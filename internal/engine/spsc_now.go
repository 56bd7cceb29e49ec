package engine

import (
	"unsafe"

	"example.com/tandem/internal/mem"
)

// The part of Put and Get that is in the caller's code, where all that is needed is known
// already: how far one goes without a look at the other's index (upto), and that stores need
// no fence (plain). One number moves there, at, and the index with it: so a Put of a word
// is three stores and the two looks at what Shutdown and sleepers write.
//
// upto is where in the slots one ends, not a position: at the latest after the last slot.
// So at, which is looked at once a call, is below span when it is used, whatever several
// goroutines have made of it that use a side at once. Nobody may do that: what they then
// spoil is their own messages.

// Room is TryRoom where that needs no look at head; or false.
func (s *SPSC) Room() (p unsafe.Pointer, ok bool) {
	u := &s.put
	at := u.at
	if at >= u.upto || mem.Load64(s.look)&spscShut != 0 { // P0
		return nil, false
	}
	return s.place(u, at), true
}

// PublishNow is Publish where nobody is to be heeded, and the store needs no fence. Else it
// is false, and PublishRest is to follow.
func (s *SPSC) PublishNow() bool {
	u := &s.put
	if !u.plain {
		return false
	}
	s.raceRelease(u.pos)
	pos := u.pos + 1
	u.pos = pos
	u.at += s.size
	mem.Release64(u.own, pos)                            // P3
	return mem.Load64(s.look)&(spscShut|bellAsleep) == 0 // P4
}

// Next is TryNext where that needs no look at tail; or false.
func (s *SPSC) Next() (p unsafe.Pointer, ok bool) {
	u := &s.get
	at := u.at
	if at >= u.upto {
		return nil, false
	}
	return s.place(u, at), true
}

// AdvanceNow is Advance as PublishNow is Publish; AdvanceRest is to follow.
func (s *SPSC) AdvanceNow() bool {
	u := &s.get
	if !u.plain {
		return false
	}
	s.raceRelease(u.pos)
	pos := u.pos + 1
	u.pos = pos
	u.at += s.size
	mem.Release64(u.own, pos) // G4
	return !s.space.Armed()   // G5
}

// RoomAgain is TryRoom of one who has the side, and need not wait for the other to come
// away (PutsClose); or nil. NextAgain is TryNext likewise: with each message, where they
// come one by one.
//
//go:noinline
func (s *SPSC) RoomAgain() unsafe.Pointer {
	u := &s.put
	if mem.Load64(s.look)&spscShut != 0 { // P0
		return nil
	}
	if u.left() == 0 {
		if !u.mine || u.near(s) {
			return nil
		}
		used := u.pos - mem.Load64(u.other) // P1
		if used >= s.n {
			return nil
		}
		u.till = u.pos - used + s.n
	}
	return s.place(u, u.open(s))
}

//go:noinline
func (s *SPSC) NextAgain() unsafe.Pointer {
	u := &s.get
	if u.left() == 0 {
		if !u.mine || u.near(s) {
			return nil
		}
		there := mem.Load64(u.other) - u.pos // G1
		if there-1 >= s.n || mem.Load64(s.end) != 0 {
			return nil
		}
		u.till = u.pos + there
	}
	return s.place(u, u.open(s))
}

// open sets how far one goes from here, and returns where that is.
func (u *spscSide) open(s *SPSC) uintptr {
	at := u.slot(s)
	u.at, u.upto = at, min(at+uintptr(min(u.left(), s.n))*s.size, s.span)
	if !u.plain { // once it holds, it does for good
		u.plain = s.unfenced.Load()
	}
	return at
}

// slot is where the slot of pos lies, below span in any case.
func (u *spscSide) slot(s *SPSC) uintptr {
	if at := u.at; at < s.span {
		return at
	}
	return 0
}

// place is the slot at at.
func (s *SPSC) place(u *spscSide, at uintptr) unsafe.Pointer {
	s.raceAcquire(u.pos)
	return mem.Place(unsafe.Add(s.slots, at))
}
