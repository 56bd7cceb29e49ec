package engine

import (
	"io"
	"testing"
	"unsafe"
)

func TestSPSCEnd(t *testing.T) {
	a, s := heapSPSC(t, SPSCConfig{Slots: 4, Room: 8}, envOf(1))
	if s.putWord(nil, 7) != nil {
		t.Fatal("no room")
	}
	s.Shutdown()
	s.Shutdown()
	if err := s.putWord(nil, 8); err != ErrShutdown {
		t.Errorf("Put: %v", err)
	}
	if k, err := s.PutRun(unsafe.Pointer(new(uint64)), 1); k != 0 || err != ErrShutdown {
		t.Errorf("PutRun: %d, %v", k, err)
	}
	if l := lookSPSC(a); l.State != "shut down" {
		t.Errorf("%+v", l)
	}
	if v, err := s.getWord(nil); v != 7 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
	for range 2 {
		if _, err := s.getWord(nil); err != io.EOF {
			t.Errorf("the end: %v", err)
		}
	}
	if l := lookSPSC(a); l.State != "at its end" || !s.IsShut() {
		t.Errorf("%+v", l)
	}
	checkedSPSC(t, a)
}

// A Put whose first look was before the Shutdown asks where the stream ends.
func TestSPSCLatePut(t *testing.T) {
	for _, tt := range []struct {
		end  uint64 // as the consumer has set it
		in   int
		want error
	}{
		{0, 3, nil}, {1, 0, ErrShutdown}, {2, 0, ErrShutdown}, {3, 1, ErrShutdown}, {4, 2, ErrShutdown}, {5, 3, nil}, {9, 3, nil},
	} {
		a, s := heapSPSC(t, SPSCConfig{Slots: 8, Room: 8}, envOf(1))
		if s.putWord(nil, 0) != nil {
			t.Fatal("no room")
		}
		s.put.pos, s.put.till, s.put.at = 4, 8, 32 // three more are written
		s.put.store(s)
		*s.look |= spscShut
		*s.end = tt.end
		if in := s.heed(*s.look, 3); in != uint64(tt.in) {
			t.Errorf("end %d: %d are in, want %d", tt.end, in, tt.in)
		}
		if tt.end == 0 && *s.end != 5 {
			t.Errorf("the end is %d", *s.end)
		}
		*s.end = tt.end
		s.Leave(a)
		*s.put.own = 0 // zeroes
		if in := s.PutIn(3); in != tt.in {
			t.Errorf("end %d: %d are in by what was left, want %d", tt.end, in, tt.in)
		}
		*s.put.own = 4
		if in := s.PutIn(3); in != 0 {
			t.Errorf("%d are in, and were stored in zeroes", in)
		}
	}
}

// What a late Put leaves beyond the end is nobody's, also beside messages that are there.
func TestSPSCBeyondTheEnd(t *testing.T) {
	a, s := heapSPSC(t, SPSCConfig{Slots: 8, Room: 8}, envOf(1))
	for i := range uint64(5) {
		s.putWord(nil, i)
	}
	s.Shutdown()
	*s.end = 3 + 1
	if l := lookSPSC(a); l.Len != 3 || s.Len() != 3 {
		t.Errorf("%d are there", l.Len)
	}
	var vs [8]uint64
	if n, err := s.GetRun(unsafe.Pointer(&vs[0]), 8); n != 3 || err != nil {
		t.Errorf("GetRun = %d, %v", n, err)
	}
	if n, err := s.GetRun(unsafe.Pointer(&vs[0]), 8); n != 0 || err != io.EOF {
		t.Errorf("GetRun = %d, %v", n, err)
	}
	checkedSPSC(t, a)
}
