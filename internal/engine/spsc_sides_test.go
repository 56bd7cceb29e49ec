package engine

import (
	"fmt"
	"testing"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// Shutdown comes before busy: whoever has the side.
func TestSPSCShutBeforeBusy(t *testing.T) {
	a, s := heapSPSC(t, SPSCConfig{Slots: 4, Room: 8}, envOf(1))
	s.putWord(nil, 1)
	s.Shutdown()
	if err := attachSPSC(t, a, envOf(2)).putWord(nil, 1); err != ErrShutdown {
		t.Errorf("another's Put after Shutdown: %v", err)
	}
}

// A call that waits waits for the side of one who is dead, and no other.
func TestSPSCWaitsForADeadOne(t *testing.T) {
	for name, call := range map[string]func(s *SPSC, by Sleeper) error{
		"put": func(s *SPSC, by Sleeper) error { return s.putWord(by, 3) },
		"get": func(s *SPSC, by Sleeper) error { _, err := s.getWord(by); return err },
	} {
		a, s := heapSPSC(t, SPSCConfig{Slots: 4, Room: 8}, envOf(1))
		s.putWord(nil, 1)
		s.putWord(nil, 2)
		if _, err := s.getWord(nil); err != nil {
			t.Fatal(err)
		}
		other, dead := attachSPSC(t, a, envOf(2)), Self{9, 9}
		other.Leaves = func(who Self) bool { return who == dead }
		if a := mem.Heap(SPSCConfig{Slots: 1}.Size()); !(&spscSide{claim: a.W64(spscProducer)}).leaves(other) {
			t.Errorf("%s: nobody has the side, and that is not waited out", name)
		}
		if err := call(other, &nap{}); err != ErrBusy {
			t.Errorf("%s: the other lives: %v", name, err)
		}
		dead = Self{1, 1}
		if err := call(other, nil); err != ErrBusy {
			t.Errorf("%s: the other is dead, and it does not wait: %v", name, err)
		}
		by := &nap{sleeps: 2, wake: func() { recoverSPSC(a, envOf(3), dead) }}
		if err := call(other, by); err != nil || by.sleeps != 0 {
			t.Errorf("%s: the other is dead: %v, with %d sleeps left", name, err, by.sleeps)
		}
	}
}

// A side is of the first that uses it, until that is recovered; then of the next, who
// goes on where the first one was.
func TestSPSCSides(t *testing.T) {
	a, s := heapSPSC(t, SPSCConfig{Slots: 4, Room: 8}, envOf(1))
	other := attachSPSC(t, a, envOf(2))
	for _, err := range []error{s.putWord(nil, 1), s.putWord(nil, 2)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := other.putWord(nil, 9); err != ErrBusy {
		t.Errorf("a second producer: %v", err)
	}
	if k, err := other.PutRun(unsafe.Pointer(new(uint64)), 1); k != 0 || err != ErrBusy {
		t.Errorf("a second producer's run: %d, %v", k, err)
	}
	if v, err := other.getWord(nil); v != 1 || err != nil {
		t.Errorf("the consumer: %d, %v", v, err)
	}
	if _, err := s.getWord(nil); err != ErrBusy {
		t.Errorf("a second consumer: %v", err)
	}
	l := lookSPSC(a)
	if fmt.Sprint(l.Holders) != "[{{1 1} producer 1 0} {{2 1} consumer 1 0}]" || l.Len != 1 || l.Cap != 4 {
		t.Errorf("%+v", l)
	}
	for _, dead := range []Self{{3, 1}, {1, 2}} {
		recoverSPSC(a, envOf(3), dead)
		if err := other.putWord(nil, 9); err != ErrBusy {
			t.Errorf("%v was recovered, and not the producer: %v", dead, err)
		}
	}
	for range 2 {
		recoverSPSC(a, envOf(3), Self{1, 1})
	}
	if err := other.putWord(nil, 3); err != nil {
		t.Error(err)
	}
	recoverSPSC(a, envOf(3), Self{2, 1})
	third := attachSPSC(t, a, envOf(3))
	for _, want := range []uint64{2, 3} {
		if v, err := third.getWord(nil); v != want || err != nil {
			t.Errorf("the next consumer: %d, %v; want %d", v, err, want)
		}
	}
	checkedSPSC(t, a)

	// What a process holds it finds again, though no handle is left of the first.
	if v, err := attachSPSC(t, a, envOf(3)).getWord(nil); err != ErrEmpty {
		t.Errorf("a consumer's second handle: %d, %v", v, err)
	}
}
