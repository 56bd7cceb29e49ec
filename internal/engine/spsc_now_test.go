package engine

import (
	"testing"
	"unsafe"
)

// Who looks at the other's index and no further takes nothing for granted.
func TestSPSCAgain(t *testing.T) {
	const slots = 4
	for name, tt := range map[string]struct {
		harm      func(s *SPSC)
		put, get  bool // there is something, all the same
		otherwise bool // asked of one who has no side
	}{
		"nothing":           {harm: func(s *SPSC) {}, put: true, get: true},
		"no side":           {harm: func(s *SPSC) { *s.get.own = 0 }, otherwise: true},
		"shut down":         {harm: func(s *SPSC) { s.Shutdown() }, get: true},
		"an end":            {harm: func(s *SPSC) { *s.end = 9 }, put: true},
		"full, and nothing": {harm: func(s *SPSC) { *s.get.own, *s.put.own = s.put.pos-slots, s.get.pos }},
		"head beyond tail":  {harm: func(s *SPSC) { *s.get.own = s.put.pos + 1 }, get: true},
		"tail before head":  {harm: func(s *SPSC) { *s.put.own = s.get.pos - 1 }, put: true},
		"far apart":         {harm: func(s *SPSC) { *s.get.own, *s.put.own = s.put.pos-slots-1, s.get.pos+slots+1 }},
	} {
		a, s := heapSPSC(t, SPSCConfig{Slots: slots, Room: 8}, envOf(1))
		for i := range uint64(slots) {
			if err := s.putWord(nil, i); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if _, err := s.getWord(nil); err != nil {
				t.Fatal(err)
			}
		}
		s.get.till, s.get.upto = s.get.pos, 0 // it knew of two
		tt.harm(s)
		if tt.otherwise {
			s = attachSPSC(t, a, envOf(2))
		}
		if p := s.RoomAgain(); (p != nil) != tt.put {
			t.Errorf("%s: room: %v", name, p != nil)
		}
		if p := s.NextAgain(); (p != nil) != tt.get {
			t.Errorf("%s: a message: %v", name, p != nil)
		}
	}
}

// What was open before a run is not after it.
func TestSPSCRunCloses(t *testing.T) {
	_, s := heapSPSC(t, SPSCConfig{Slots: 4, Room: 8}, envOf(1))
	var vs [4]uint64
	if err := s.putWord(nil, 1); err != nil {
		t.Fatal(err)
	}
	if n, err := s.PutRun(unsafe.Pointer(&vs[0]), 4); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if _, ok := s.Room(); ok {
		t.Error("there is room in a full ring")
	}
	if _, err := s.getWord(nil); err != nil {
		t.Fatal(err)
	}
	if n, err := s.GetRun(unsafe.Pointer(&vs[0]), 4); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if _, ok := s.Next(); ok {
		t.Error("there is a message in an empty ring")
	}
}

// Who is to see first how near the other is does so.
func TestSPSCAgainApart(t *testing.T) {
	_, s := heapSPSC(t, SPSCConfig{Slots: apartLeast, Room: 8}, envOf(1))
	for i := range uint64(apartLeast) {
		if err := s.putWord(nil, i); err != nil {
			t.Fatal(err)
		}
	}
	for range apartLeast / 2 {
		if _, err := s.getWord(nil); err != nil {
			t.Fatal(err)
		}
	}
	s.get.till = s.get.pos
	if s.RoomAgain() != nil || s.NextAgain() != nil {
		t.Error("one goes on that is to look how near the other is")
	}
	s.PutLate(false)
	s.GetLate(false)
	if s.RoomAgain() == nil || s.NextAgain() == nil {
		t.Error("one that has looked does not go on")
	}
}
