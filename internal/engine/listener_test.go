package engine

import (
	"testing"

	"example.com/tandem/internal/mem"
)

func heapListener(t *testing.T, c ListenerConfig, env Env) (mem.Area, *Listener) {
	t.Helper()
	a := mem.Heap(c.Size())
	c.Init(a)
	l, err := AttachListener(a, env)
	if err != nil {
		t.Fatal(err)
	}
	return a, l
}

// heapStream is an end of a stream that nobody has answered.
func heapStream(t *testing.T, env Env, dialer bool) (mem.Area, *Stream) {
	t.Helper()
	c := StreamConfig{Buffer: 64}
	a := mem.Heap(c.Size())
	c.Init(a, Self{3, 1}, 7)
	s, err := AttachStream(a, env, dialer)
	if err != nil {
		t.Fatal(err)
	}
	return a, s
}

// Who listens, who may then, and what each recovery leaves.
func TestListenerPlaces(t *testing.T) {
	env := func(i uint32) Env { return Env{Self: Self{i, 1}, Wake: func(*uint32, int) int { return 0 }} }
	a, l := heapListener(t, ListenerConfig{Backlog: 2, Rows: 4}, env(0))
	other, err := AttachListener(a, env(1))
	if err != nil {
		t.Fatal(err)
	}
	lives := func(Self) bool { return false }
	if _, err := l.Listening(); err != ErrNobody {
		t.Errorf("Listening = %v", err)
	}
	first, err := l.Listen(lives)
	if err != nil || !l.Stands(first) {
		t.Fatal(err)
	}
	for _, l := range []*Listener{l, other} {
		if _, err := l.Listen(lives); err != ErrListens {
			t.Errorf("Listen = %v", err)
		}
		if _, free := l.Free(lives); free {
			t.Error("it is free")
		}
	}
	second, err := other.Listen(func(who Self) bool { return who == Self{0, 1} })
	if err != nil || second == first || l.Stands(first) {
		t.Fatalf("%#x after %#x, %v", second, first, err)
	}
	l.Close(first) // of the dead one's
	if !other.Stands(second) {
		t.Error("an old Close ended the next one's listening")
	}
	if err := recoverListener(a, env(2), Self{0, 1}); err != nil || !other.Stands(second) {
		t.Errorf("the recovery of the old one: %v", err)
	}
	if look := lookListener(a); len(look.Holders) != 1 || look.Holders[0].Who != (Self{1, 1}) || look.Cap != 2 {
		t.Errorf("%+v", look)
	}
	if err := recoverListener(a, env(2), Self{1, 1}); err != nil || other.Stands(second) {
		t.Errorf("its own: %v", err)
	}
	third, err := l.Listen(lives)
	if err != nil || third == first {
		t.Errorf("%#x again, %v", third, err)
	}
	if err := other.Queue(nobody{}, second, Dialled{}); err != ErrNobody {
		t.Errorf("Queue = %v", err)
	}
	if err := checkListener(a); err != nil {
		t.Error(err)
	}
}

// Of a yes and a no one comes first, and that is it; a death refuses, or ends.
func TestStreamAnswers(t *testing.T) {
	env := func(i uint32) Env { return Env{Self: Self{i, 1}, Wake: func(*uint32, int) int { return 0 }} }
	for name, tt := range map[string]struct {
		do    func(a mem.Area, d, s *Stream)
		yes   bool
		state string
	}{
		"accepted":          {func(_ mem.Area, _, s *Stream) { s.Accept() }, true, ""},
		"refused":           {func(_ mem.Area, d, _ *Stream) { d.Refuse() }, false, "refused"},
		"accepted, refused": {func(_ mem.Area, d, s *Stream) { s.Accept(); d.Refuse() }, true, ""},
		"refused, accepted": {func(_ mem.Area, d, s *Stream) { d.Refuse(); s.Accept() }, false, "refused"},
		"the dialer dies":   {func(a mem.Area, _, s *Stream) { recoverStream(a, env(2), Self{3, 1}); s.Accept() }, false, "refused"},
		"the acceptor dies": {func(a mem.Area, _, s *Stream) { s.Accept(); recoverStream(a, env(2), Self{1, 1}) }, true, "closed"},
		"another dies":      {func(a mem.Area, _, s *Stream) { recoverStream(a, env(2), Self{3, 2}); s.Accept() }, true, ""},
		"half":              {func(_ mem.Area, _, s *Stream) { s.Accept(); s.End(EndWriting) }, true, "half closed"},
	} {
		a, d := heapStream(t, env(3), true)
		s, err := AttachStream(a, env(1), false)
		if err != nil {
			t.Fatal(err)
		}
		if answered, _ := d.Answered(); answered || lookStream(a).State != "not accepted" {
			t.Error("it is answered")
		}
		tt.do(a, d, s)
		if answered, yes := d.Answered(); !answered || yes != tt.yes {
			t.Errorf("%s: answered %v, yes %v", name, answered, yes)
		}
		if got := lookStream(a).State; got != tt.state {
			t.Errorf("%s: %q", name, got)
		}
		if err := checkStream(a); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
