package engine_test

import (
	"errors"
	"reflect"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

func semaphoreOps(bounded bool) engine.Ops {
	kind := engine.KindSemaphore
	if bounded {
		kind = engine.KindBoundedSemaphore
	}
	ops, _ := engine.OpsOf(kind)
	return ops
}

func newSemaphore(t testing.TB, initial int, bounded bool) (mem.Area, func(index uint32) *engine.Semaphore) {
	t.Helper()
	a := mem.Heap(engine.SemaphoreSize(3))
	engine.InitSemaphore(a, initial)
	f := newHeapFutex()
	return a, func(index uint32) *engine.Semaphore {
		s, err := engine.AttachSemaphore(a, f.env(index, 5), bounded)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// What a death gives back, for each kind.
func TestSemaphoreRecover(t *testing.T) {
	const dead, other = 0, 1
	type change struct {
		who uint32
		n   int // below 0: takes so many
	}
	for _, tt := range []struct {
		name     string
		initial  int
		changes  []change
		want     int
		onlyOpen bool // not for a bounded one
	}{
		{"had nothing", 3, []change{{dead, -2}, {dead, 2}}, 3, false},
		{"held all", 3, []change{{dead, -3}}, 3, false},
		{"held some, as another does", 5, []change{{dead, -2}, {other, -1}}, 4, false},
		{"held, and others took the rest", 2, []change{{dead, -1}, {other, -1}}, 1, false},
		{"gave what another took", 2, []change{{other, -2}, {dead, 1}}, 1, false},
		{"gave beyond initial", 2, []change{{dead, 5}}, 7, true},
		{"consumed signals", 0, []change{{other, 9}, {dead, -4}}, 5, true},
		{"consumed all signals", 0, []change{{other, 9}, {dead, -9}}, 0, true},
		{"held, and more than initial is there", 2, []change{{other, 9}, {dead, -3}}, 8, true},
		{"held, and there is room for some of it", 3, []change{{other, 4}, {dead, -6}, {other, 1}}, 3, true},
		{"what another gave for it is its own still", 3, []change{{dead, -2}, {other, 1}, {other, -1}}, 3, false},
	} {
		for _, bounded := range []bool{false, true} {
			if bounded && tt.onlyOpen {
				continue
			}
			a, attach := newSemaphore(t, tt.initial, bounded)
			s := []*engine.Semaphore{dead: attach(dead), other: attach(other)}
			for _, c := range tt.changes {
				for ; c.n < 0; c.n++ {
					if ok, err := s[c.who].TryAcquire(); !ok || err != nil {
						t.Fatalf("%s: TryAcquire = %v, %v", tt.name, ok, err)
					}
				}
				if c.n > 0 {
					if err := s[c.who].Release(c.n); err != nil {
						t.Fatalf("%s: Release(%d) = %v", tt.name, c.n, err)
					}
				}
			}
			word := s[other].Bell.Arm()
			for range 2 { // the second time nothing is left to do
				if err := semaphoreOps(bounded).Recover(a, newHeapFutex().env(other, 5), engine.Self{Index: dead, Epoch: 5}); err != nil {
					t.Fatal(err)
				}
				if v := s[other].Value(); v != tt.want {
					t.Errorf("%s, bounded %v: value %d, want %d", tt.name, bounded, v, tt.want)
				}
			}
			if *s[other].Bell.Word() == word {
				t.Errorf("%s: the bell was not rung", tt.name)
			}
			if err := semaphoreOps(bounded).Check(a); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
	}
}

func TestSemaphoreLook(t *testing.T) {
	a, attach := newSemaphore(t, 7, true)
	taker, giver := attach(1), attach(2)
	for range 4 {
		taker.TryAcquire()
	}
	giver.Release(1)
	giver.Bell.Arm()
	want := engine.Look{Value: "4", Waiters: 1, Len: 4, Cap: 7,
		Holders: []engine.Holding{{Who: engine.Self{Index: 1, Epoch: 5}, What: "permit", N: 4}}}
	if got := semaphoreOps(true).Look(a); !reflect.DeepEqual(got, want) {
		t.Errorf("look = %+v, want %+v", got, want)
	}
	want.Len, want.Cap = 0, 0
	if got := semaphoreOps(false).Look(a); !reflect.DeepEqual(got, want) {
		t.Errorf("look = %+v, want %+v", got, want)
	}
}

// What cannot be is found, and nothing is done with it.
func TestSemaphoreCorrupt(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(a mem.Area)
		attach bool // still possible
	}{
		{"more than there can be", func(a mem.Area) { *a.W64(0) = 1 << 24 }, false},
		{"above the bound", func(a mem.Area) { *a.W64(128) = 8 }, true},
		{"changed by nobody who can be", func(a mem.Area) { *a.W64(128) |= 4 << 24 }, true},
		{"an impossible share", func(a mem.Area) { *a.W64(128 + 128) = 1 << 31 }, true},
	} {
		a, _ := newSemaphore(t, 7, true)
		tt.damage(a)
		if err := semaphoreOps(true).Check(a); !errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("%s: Check = %v", tt.name, err)
		}
		_, err := engine.AttachSemaphore(a, engine.Env{}, true)
		if (err == nil) != tt.attach || err != nil && !errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("%s: Attach = %v", tt.name, err)
		}
	}
	if _, err := engine.AttachSemaphore(mem.Heap(engine.SemaphoreSize(1)).Sub(0, 256), engine.Env{}, false); !errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("Attach to too few bytes = %v", err)
	}
}

func BenchmarkSemaphore(b *testing.B) {
	_, attach := newSemaphore(b, 1, true)
	s := attach(2)
	s.TryAcquire()
	s.Release(1)
	for b.Loop() {
		if !s.AcquireNow() || !s.ReleaseNow(1) {
			b.Fatal("not now")
		}
		s.Wake(1)
	}
}
