package engine

import (
	"testing"

	"example.com/tandem/internal/mem"
)

// Which changes ring space, of a Reliable broadcast on which somebody sleeps who wants to
// publish: those that let somebody on, and no others.
func TestBroadcastRings(t *testing.T) {
	c := BroadcastConfig{Slots: 3, Reliable: true, MaxMessage: 16, Fixed: true, Blocks: 8, BlockSize: 64, Rows: 8, Subscribers: 4}
	a := mem.Heap(c.Size())
	c.Init(a)
	rings := 0
	b, err := AttachBroadcast(a, Env{Self: Self{Index: 1, Epoch: 1}, Wake: func(w *uint32, n int) int {
		if w == a.W32(broadcastSpace) && n == -1 {
			rings++
		}
		return 1 // somebody is there, always
	}})
	if err != nil {
		t.Fatal(err)
	}
	rang := func(what string, want bool, f func() error, err error) {
		t.Helper()
		b.space.Arm()
		rings = 0
		if got := f(); got != err {
			t.Errorf("%s: %v", what, got)
		}
		if rings != 0 != want {
			t.Errorf("%s rang %d times", what, rings)
		}
	}
	publish := func() error { return b.TryPublish(said(1, 16)) }
	next := func(s *Subscription) func() error {
		return func() error { _, err := s.GetNow(); return err }
	}
	slow, other, fast := subscribe(t, b), subscribe(t, b), subscribe(t, b)
	for range 2 {
		rang("a Publish into a ring with room", true, publish, nil)
	}
	rang("the last Publish that there is room for", false, publish, nil)
	rang("a TryPublish into a full ring", false, publish, ErrFull)
	for range 2 {
		rang("Next of one who is not the slowest", false, next(other), nil)
	}
	for range 3 {
		rang("Next of one who is not the slowest", false, next(fast), nil)
	}
	rang("Next of the slowest", true, next(slow), nil)
	rang("the last Publish that there is room for", false, publish, nil)
	rang("Next of the slowest", true, next(slow), nil)
	rang("Next of one of two that are the slowest", false, next(other), nil)
	rang("Next of the other one", true, next(slow), nil)
	rang("Close", true, func() error { other.Close(); return nil }, nil)
	rang("Subscribe", true, func() error { other = subscribe(t, b); return nil }, nil)
	rang("Close", true, func() error { other.Close(); return nil }, nil)
	rang("Shutdown", true, b.Shutdown, nil)
}

// Where there is room in the ring, and too little memory: those that read what could go.
func TestBroadcastRingsForBlocks(t *testing.T) {
	c := BroadcastConfig{Slots: 9, Reliable: true, MaxMessage: 100, Blocks: 4, BlockSize: 64, Rows: 8, Subscribers: 4}
	a, b := newBroadcast(t, c)
	rings := 0
	b.space.env.Wake = func(*uint32, int) int { rings++; return 1 }
	slow, fast := subscribe(t, b), subscribe(t, b)
	for range 2 {
		if err := b.TryPublish(said(1, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.TryPublish(said(1, 100)); err != ErrFull {
		t.Fatal(err)
	}
	for i, s := range []*Subscription{fast, fast, slow} {
		b.space.Arm()
		rings = 0
		if _, err := s.GetNow(); err != nil {
			t.Fatal(err)
		}
		if rings != 0 != (s == slow) {
			t.Errorf("Next number %d rang %d times", i, rings)
		}
	}
	quietBroadcast(t, a)
}

// What is full without a doubt, for its slots or its blocks, holds no block for a moment.
func TestBroadcastFullClaimsNothing(t *testing.T) {
	for _, c := range []BroadcastConfig{
		{Slots: 4, Reliable: true, MaxMessage: 16, Fixed: true, Blocks: 8, BlockSize: 64, Rows: 8, Subscribers: 4},
		{Slots: 9, Reliable: true, MaxMessage: 300, Blocks: 9, BlockSize: 64, Rows: 8, Subscribers: 4},
	} {
		a, b := newBroadcast(t, c)
		s := subscribe(t, b)
		for b.TryPublish(said(1, c.MaxMessage)) == nil {
		}
		other := attachBroadcast(t, a, 2)
		other.PublishNow(said(2, c.MaxMessage)) // it has an old hint
		before := append([]byte(nil), a.Bytes(0, a.Size())...)
		for _, b := range []*Broadcast{b, other, other} {
			if err := b.PublishNow(said(2, c.MaxMessage)); err != ErrFull {
				t.Fatal(err)
			}
		}
		if string(before) != string(a.Bytes(0, a.Size())) {
			t.Errorf("%+v: it has changed something", c)
		}
		if _, err := s.GetNow(); err != nil {
			t.Fatal(err)
		}
	}
}

// A subscriber was stopped after its copy, until the slot had the same word again, for the
// message of 2^31 laps later. It has not copied that one.
func TestBroadcastSameWord(t *testing.T) {
	c := broadcastConfigs[1]
	_, b := newBroadcast(t, c)
	s := subscribe(t, b)
	if err := b.TryPublish(said(1, 16)); err != nil {
		t.Fatal(err)
	}
	var m Incoming
	if err := s.Look(&m); err != nil || !s.Read(&m, make([]byte, 16)) {
		t.Fatal(err)
	}
	*b.pos(m.first) += b.n << turnBits
	for i := range b.n - 1 {
		*b.slot(s.next + 1 + i) = voidWord(s.next/b.n+1<<turnBits-1, 0)
	}
	if got, err := s.Take(&m, true); got || err != nil {
		t.Fatalf("it takes for whole what it copied of another: %v", err)
	}
	if err := s.Look(new(Incoming)); err != nil || s.next != m.p+b.n<<turnBits || s.missed != b.n<<turnBits {
		t.Fatalf("at %d, from %d, %d missed: %v", s.next, m.p, s.missed, err)
	}
}
