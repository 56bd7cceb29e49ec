package engine

import (
	"errors"
	"fmt"
	"io"
	"sync"
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

// Goroutines of two participants on heap memory, which the race detector watches.
func TestSPSCHammer(t *testing.T) {
	for _, slots := range []int{1, 3, 64} {
		a, s := heapSPSC(t, SPSCConfig{Slots: slots, Room: 8}, envOf(1))
		r := attachSPSC(t, a, envOf(2))
		const each = 20000
		var wg sync.WaitGroup
		wg.Go(func() {
			vs := make([]uint64, 5)
			for i := uint64(0); i < each; {
				if i%3 == 0 {
					n := min(uint64(len(vs)), each-i)
					for k := range n {
						vs[k] = i + k
					}
					k, err := s.PutRun(unsafe.Pointer(&vs[0]), int(n))
					if err == nil {
						i += uint64(k)
						continue
					} else if err != ErrFull {
						t.Error(err)
						return
					}
				}
				if err := s.putWord(yielder{}, i); err != nil {
					t.Error(err)
					return
				}
				i++
			}
			s.Shutdown()
		})
		due := uint64(0)
		for {
			var vs [4]uint64
			k, err := r.GetRun(unsafe.Pointer(&vs[0]), len(vs))
			if err == ErrEmpty {
				k = 1
				vs[0], err = r.getWord(yielder{})
			}
			if err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			for _, v := range vs[:k] {
				if v != due {
					t.Fatalf("%d came, %d was due", v, due)
				}
				due++
			}
		}
		wg.Wait()
		if due != each {
			t.Errorf("%d of %d came", due, each)
		}
		checkedSPSC(t, a)
	}
}
