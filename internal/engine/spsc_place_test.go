package engine

import (
	"sync"
	"testing"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// Each message lies in slot n mod slots, by whatever calls the others came.
func TestSPSCPlaces(t *testing.T) {
	for _, from := range []uint64{0, 7, 1<<32 - 3} {
		c := SPSCConfig{Slots: 5, Room: 8}
		a := mem.Heap(c.Size())
		c.InitAt(a, from)
		s := attachSPSC(t, a, envOf(1))
		vs := make([]uint64, 5)
		at := func(u *spscSide, p unsafe.Pointer) {
			t.Helper()
			if want := unsafe.Add(s.slots, u.pos%5*8); p != want {
				t.Fatalf("position %d lies %d bytes from its place", u.pos, uintptr(p)-uintptr(want))
			}
		}
		for i := range 60 {
			run := 1 + i%5
			for n := 0; n < run; {
				p, ok := s.Room()
				if !ok {
					var err error
					if p, err = s.TryRoom(); err != nil {
						t.Fatal(err)
					}
				}
				if at(&s.put, p); i%3 == 0 {
					s.Publish()
					n++
					continue
				}
				k, err := s.PutRun(unsafe.Pointer(&vs[0]), run-n)
				if err != nil {
					t.Fatal(err)
				}
				n += k
			}
			for n := 0; n < run; {
				p, ok := s.Next()
				if !ok {
					var err error
					if p, err = s.TryNext(); err != nil {
						t.Fatal(err)
					}
				}
				if at(&s.get, p); i%3 == 1 {
					s.Advance()
					n++
					continue
				}
				k, err := s.GetRun(unsafe.Pointer(&vs[0]), run-n)
				if err != nil {
					t.Fatal(err)
				}
				n += k
			}
		}
	}
}

// Several goroutines at one side, which nobody may: they spoil messages of their own, and
// nothing that lies beside the slots.
func TestSPSCMisuse(t *testing.T) {
	if mem.RaceEnabled {
		t.Skip("it is a race")
	}
	const slots, beside = 3, 1 << 16
	c := SPSCConfig{Slots: slots, Room: 8}
	around := mem.Heap(beside + c.Size() + beside)
	a := around.Sub(beside, c.Size())
	c.Init(a)
	s := attachSPSC(t, a, envOf(1))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			msgs := [64]uint64{}
			for i := range msgs {
				msgs[i] = ^uint64(0)
			}
			for n := range 50_000 {
				switch p := unsafe.Pointer(&msgs[0]); {
				case i < 2 && n%2 == 0:
					s.PutRun(p, len(msgs))
				case i < 2:
					s.putWord(nil, msgs[0])
				case n%2 == 0:
					s.GetRun(p, len(msgs))
				default:
					s.getWord(nil)
				}
			}
		})
	}
	wg.Wait()
	var msgs [64]uint64
	for _, u := range []*spscSide{&s.put, &s.get} { // as two who count down at once leave it
		u.till = u.pos - 1
	}
	if n, err := s.PutRun(unsafe.Pointer(&msgs[0]), len(msgs)); n != slots || err != nil {
		t.Errorf("a run of %d put, %v", n, err)
	}
	if n, err := s.GetRun(unsafe.Pointer(&msgs[0]), len(msgs)); n != slots || err != nil {
		t.Errorf("a run of %d got, %v", n, err)
	}
	for _, part := range [][]byte{around.Bytes(0, beside), around.Bytes(beside+c.Size(), beside)} {
		for i, b := range part {
			if b != 0 {
				t.Fatalf("byte %d beside it is %#x", i, b)
			}
		}
	}
}
