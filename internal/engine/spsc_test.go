package engine

import (
	"errors"
	"testing"
	"unsafe"

	"example.com/tandem/internal/mem"
)

func heapSPSC(t testing.TB, c SPSCConfig, env Env) (mem.Area, *SPSC) {
	t.Helper()
	if c.Size() == 0 {
		t.Fatalf("%+v cannot be made", c)
	}
	a := mem.Heap(c.Size())
	c.Init(a)
	return a, attachSPSC(t, a, env)
}

func attachSPSC(t testing.TB, a mem.Area, env Env) *SPSC {
	t.Helper()
	s, err := AttachSPSC(a, env)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func envOf(index uint32) Env {
	return Env{Self: Self{index, 1}, Wake: func(*uint32, int) int { return 0 }}
}

// putWord and getWord are a Put and a Get of a word, or of none; of a Sleeper, waiting.
func (s *SPSC) putWord(by Sleeper, v uint64) error {
	p, ok := s.Room()
	var err error
	switch {
	case ok:
	case by == nil:
		p, err = s.TryRoom()
	default:
		if p = s.RoomAgain(); p == nil {
			p, err = s.AwaitRoom(by)
		}
	}
	if err != nil {
		return err
	}
	*(*uint64)(p) = v
	if !s.Publish() {
		return ErrShutdown
	}
	return nil
}

func (s *SPSC) getWord(by Sleeper) (uint64, error) {
	p, ok := s.Next()
	var err error
	switch {
	case ok:
	case by == nil:
		p, err = s.TryNext()
	default:
		if p = s.NextAgain(); p == nil {
			p, err = s.AwaitNext(by)
		}
	}
	if err != nil {
		return 0, err
	}
	v := *(*uint64)(p)
	s.Advance()
	return v, nil
}

func checkedSPSC(t testing.TB, a mem.Area) {
	t.Helper()
	if err := checkSPSC(a); err != nil {
		t.Error(err)
	}
}

func TestSPSCFillAndDrain(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8} {
		a, s := heapSPSC(t, SPSCConfig{Slots: n, Room: 8}, envOf(1))
		next, due := uint64(0), uint64(0)
		for lap := range 10 {
			for i := range n {
				if err := s.putWord(nil, next); err != nil {
					t.Fatal(err)
				}
				next++
				if s.Len() != i+1 {
					t.Fatalf("Len %d after %d puts", s.Len(), i+1)
				}
			}
			if err := s.putWord(nil, 0); err != ErrFull {
				t.Fatalf("%d slots, lap %d: %v", n, lap, err)
			}
			checkedSPSC(t, a)
			take := n
			if lap%2 == 0 {
				take = (n + 1) / 2
			}
			for range take {
				if v, err := s.getWord(nil); v != due || err != nil {
					t.Fatalf("%d, %v; want %d", v, err, due)
				}
				due++
			}
			for due < next {
				if v, err := s.getWord(nil); v != due || err != nil {
					t.Fatalf("%d, %v; want %d", v, err, due)
				}
				due++
			}
			if _, err := s.getWord(nil); err != ErrEmpty {
				t.Fatal(err)
			}
		}
		checkedSPSC(t, a)
	}
}

// Runs of every length, from every slot.
func TestSPSCRuns(t *testing.T) {
	for _, room := range []int{8, 24, 0} {
		_, s := heapSPSC(t, SPSCConfig{Slots: 5, Room: room}, envOf(1))
		next, due := byte(0), byte(0)
		for i := range 300 {
			n := 1 + i*7%9
			in := make([]byte, n*room+1)
			for k := range n {
				for b := range room {
					in[k*room+b] = next + byte(k)
				}
			}
			k, err := s.PutRun(unsafe.Pointer(&in[0]), n)
			if want := min(n, 5); k != want || err != nil {
				t.Fatalf("PutRun of %d: %d, %v", n, k, err)
			}
			next += byte(k)
			for due != next {
				out := make([]byte, 3*room+1)
				g, err := s.GetRun(unsafe.Pointer(&out[0]), 3)
				if err != nil || g == 0 || g > 3 {
					t.Fatalf("GetRun: %d, %v", g, err)
				}
				for k := range g {
					for b := range room {
						if out[k*room+b] != due {
							t.Fatalf("byte %d of message %d is %d", b, due, out[k*room+b])
						}
					}
					due++
				}
			}
			if g, err := s.GetRun(unsafe.Pointer(&in[0]), 3); g != 0 || err != ErrEmpty {
				t.Fatalf("GetRun of none: %d, %v", g, err)
			}
		}
	}
}

func TestSPSCCorrupt(t *testing.T) {
	fresh := func() (mem.Area, *SPSC) { return heapSPSC(t, SPSCConfig{Slots: 4, Room: 8}, envOf(1)) }
	for name, tt := range map[string]struct {
		harm func(a mem.Area)
		put  error
		get  error
	}{
		"tail ahead":  {func(a mem.Area) { *a.W64(spscTail) = 5 }, ErrCorrupt, ErrCorrupt},
		"tail behind": {func(a mem.Area) { *a.W64(spscHead) = 1 }, ErrCorrupt, ErrCorrupt},
		"an end":      {func(a mem.Area) { *a.W64(spscEnd) = 1 }, nil, nil},
		"flags":       {func(a mem.Area) { *a.W64(spscItems) |= 1 << 40 }, nil, nil},
		"a name":      {func(a mem.Area) { *a.W64(spscConsumer) = 3 }, nil, ErrBusy},
		"high":        {func(a mem.Area) { *a.W64(spscTail), *a.W64(spscHead) = ^uint64(0), ^uint64(3) }, nil, nil},
	} {
		a, s := fresh()
		tt.harm(a)
		if err := s.putWord(nil, 1); !errors.Is(err, tt.put) && (err != nil || tt.put != nil) {
			t.Errorf("%s: Put: %v", name, err)
		}
		if _, err := s.getWord(nil); tt.get != nil && !errors.Is(err, tt.get) {
			t.Errorf("%s: Get: %v", name, err)
		}
		if name != "high" && checkSPSC(a) == nil {
			t.Errorf("%s: Check finds nothing", name)
		}
	}
	// A side that is in use sees it, too.
	a, s := fresh()
	for range 4 {
		s.putWord(nil, 1)
	}
	for range 4 {
		s.getWord(nil)
	}
	*a.W64(spscHead), *a.W64(spscTail) = 90, 90
	if err := s.putWord(nil, 1); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Put: %v", err)
	}
	if _, err := s.getWord(nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Get: %v", err)
	}
	for _, c := range []SPSCConfig{{0, 8}, {-1, 8}, {1, -1}, {1<<28 + 1, 8}, {1 << 20, 1 << 30}} {
		if c.Size() != 0 {
			t.Errorf("%+v can be made", c)
		}
	}
	for _, a := range []mem.Area{mem.Heap(100), mem.Heap(4096)} {
		if _, err := AttachSPSC(a, envOf(1)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes of zeroes: %v", a.Size(), err)
		}
	}
}
