package engine

import "testing"

// A side that comes near the other looks at it once in 64 messages, lets some time pass for
// it, and seldom does so again where that was in vain.
func TestSPSCApart(t *testing.T) {
	_, s := heapSPSC(t, SPSCConfig{Slots: apartLeast, Room: 8}, envOf(1))
	put := func(n int) {
		t.Helper()
		for i := range n {
			if err := s.putWord(nil, uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	get := func(n int) {
		t.Helper()
		for range n {
			if _, err := s.getWord(nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(100)
	get(markEvery - 1)
	if s.GetsClose(100) {
		t.Error("a consumer looks before 64 messages have passed")
	}
	get(1)
	if s.GetsClose(36) || !s.GetsClose(37) {
		t.Error("a consumer looks while it knows of enough, or does not when it knows of less")
	}
	for range 2 {
		s.GetLate(true) // nobody puts
		if s.GetsClose(37) {
			t.Error("a consumer that has looked looks again at once")
		}
	}
	if every, left := s.get.apart.every.Load(), s.get.apart.left.Load(); every != 1 || left != 0 {
		t.Errorf("gave way in vain, then passed an occasion: every %d, %d left", every, left)
	}
	put(apartLeast - 36)
	get(markEvery)
	s.GetLate(true)
	if s.get.apart.isDue() || s.get.looked != s.get.pos {
		t.Error("the producer is far, and the consumer gives way")
	}
	put(markEvery)
	get(1)
	put(1)
	if !s.PutsClose(1) {
		t.Error("a producer does not look into a full ring")
	}
	s.PutLate(false)
	if every := s.put.apart.every.Load(); every != 0 || s.PutsClose(1) {
		t.Errorf("a producer that may not give way does, every %d", every)
	}
}
