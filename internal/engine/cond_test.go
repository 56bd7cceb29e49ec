package engine

import (
	"errors"
	"testing"

	"example.com/tandem/internal/mem"
)

// freeLock is a lock that nobody else wants.
type freeLock struct{}

func (freeLock) Unlock() error       { return nil }
func (freeLock) Lock() (bool, error) { return false, nil }
func (freeLock) Abandoned() bool     { return false }
func (freeLock) Over() bool          { return false }

func newCond(t *testing.T, participants int) (mem.Area, *Cond) {
	t.Helper()
	a := mem.Heap(CondSize(participants))
	InitCond(a)
	c, err := AttachCond(a, Env{Self: Self{1, 1}, Wake: func(*uint32, int) int { return 0 }}, new(CondLine))
	if err != nil {
		t.Fatal(err)
	}
	return a, c
}

// setRow writes a row, and the bit that says so.
func setRow(a mem.Area, i int, r uint64) {
	*a.W64(512 + 128*uint64(i)) = r
	*a.W64(384 + uint64(i)/64*8) |= 1 << (i % 64)
}

const (
	rowOfTwo  = 5<<40 | 2<<20 | 1 // epoch 5: two wait, one of them is notified
	rowOfDead = 1<<63 | rowOfTwo
)

// A recovery that comes late does nothing to who uses the index by now.
func TestCondRecovery(t *testing.T) {
	for _, tt := range []struct {
		row   uint64
		epoch uint32
		want  uint64
	}{
		{rowOfTwo, 5, rowOfDead},
		{rowOfTwo, 6, rowOfDead},
		{rowOfTwo, 4, rowOfTwo},
		{rowOfDead, 5, rowOfDead},
		{0, 5, 0},
		{1<<40 | 1<<20, 1<<23 | 1, 1<<63 | 1<<40 | 1<<20}, // the epoch's low bits
		{1<<40 | 1<<20, 1<<23 - 1, 1<<40 | 1<<20},
	} {
		a, c := newCond(t, 4)
		setRow(a, 3, tt.row)
		if err := recoverCond(a, c.env, Self{3, tt.epoch}); err != nil {
			t.Fatal(err)
		}
		if got := *a.W64(512 + 128*3); got != tt.want {
			t.Errorf("recovery of epoch %d makes %#x of %#x, want %#x", tt.epoch, got, tt.row, tt.want)
		}
	}
}

// The dead one's notification goes to who waits; and to nobody, if nobody does.
func TestCondHeals(t *testing.T) {
	a, c := newCond(t, 130)
	setRow(a, 3, rowOfDead)
	setRow(a, 129, 1<<40|2<<20)
	if n, err := c.NotifyHere(0); n != 0 || err != nil {
		t.Fatalf("Notify(0) = %d, %v", n, err)
	}
	if dead, other := *a.W64(512 + 128*3), *a.W64(512 + 128*129); dead != 0 || other != 1<<40|2<<20|1 {
		t.Errorf("after healing the dead one's row is %#x and the other %#x", dead, other)
	}
	if err := checkCond(a); err != nil {
		t.Error(err)
	}
	setRow(a, 3, 1<<63|5<<40|2<<20|2)
	if n, err := c.NotifyHere(5); n != 0 || err != nil { // one was left to be notified, and was by healing
		t.Errorf("Notify = %d, %v", n, err)
	}
	if other := *a.W64(512 + 128*129); other != 1<<40|2<<20|2 {
		t.Errorf("after healing the row is %#x", other)
	}
}

// goneLock is a lock that cannot be had again once it was given up.
type goneLock struct{ freeLock }

func (goneLock) Lock() (bool, error) { return false, ErrCorrupt }

// Who is notified and cannot have the lock takes the notification with it; who
// is not leaves what another of its process was given.
func TestCondLockGone(t *testing.T) {
	for _, first := range []bool{true, false} {
		a, c := newCond(t, 4)
		join := func() {
			if _, err := c.join(); err != nil {
				t.Fatal(err)
			}
		}
		if !first {
			join()
		}
		s := &script{t: t}
		s.sleeps = []func(int64){func(int64) {
			if first {
				join()
			}
			if n, err := c.NotifyHere(1); n != 1 || err != nil {
				t.Errorf("Notify = %d, %v", n, err)
			}
		}, func(int64) { setRow(a, 2, rowOfDead) }} // a reason to ask for the lock
		if err := c.Wait(s, goneLock{}); err != ErrCorrupt {
			t.Errorf("Wait = %v", err)
		}
		want := uint64(1<<40 | 1<<20 | 1)
		if first {
			want--
		}
		if got := *a.W64(512 + 128); got != want {
			t.Errorf("notified %v: the row is %#x, want %#x", first, got, want)
		}
	}
}

// Turns: one after another is notified, and large numbers are shared out.
func TestCondTakesTurns(t *testing.T) {
	a, c := newCond(t, 100)
	rows := []int{0, 7, 63, 64, 99}
	for _, i := range rows {
		setRow(a, i, 1<<40|8<<20)
	}
	for n := range 10 {
		if k, err := c.NotifyHere(1); k != 1 || err != nil {
			t.Fatalf("Notify = %d, %v", k, err)
		}
		for k, i := range rows {
			if want := (n + len(rows) - k) / len(rows); int(*a.W64(512 + 128*uint64(i))&0xfffff) != want {
				t.Errorf("after %d notifications row %d is %#x, want %d", n+1, i, *a.W64(512 + 128*uint64(i)), want)
			}
		}
	}
	if k, err := c.NotifyHere(13); k != 13 || err != nil {
		t.Fatalf("Notify = %d, %v", k, err)
	}
	for _, i := range rows {
		if g := *a.W64(512 + 128*uint64(i)) & 0xfffff; g < 4 || g > 5 {
			t.Errorf("%d of 23 notifications went to row %d", g, i)
		}
	}
	if k, err := c.NotifyHere(1000); k != 40-23 || err != nil {
		t.Fatalf("Notify = %d, %v", k, err)
	}
}

// What cannot be is told once, and then the Cond can be used again, if that is
// all that was wrong.
func TestCondCorrupt(t *testing.T) {
	for name, damage := range map[string]func(a mem.Area){
		"log of a row that is none": func(a mem.Area) { *a.W64(256) = 9<<11 | 1 },
		"log without its flag":      func(a mem.Area) { *a.W64(256) = 1 << 11 },
		"log of other rows":         func(a mem.Area) { *a.W64(256) = 1<<11 | 1; *a.W64(264) = rowOfTwo },
		"dead row":                  func(a mem.Area) { setRow(a, 3, 1<<63|5<<40|1<<20|2) },
	} {
		a, c := newCond(t, 4)
		damage(a)
		if _, err := c.NotifyHere(1); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: Notify = %v", name, err)
		}
		if _, err := c.NotifyHere(1); err != nil {
			t.Errorf("%s: the next Notify = %v", name, err)
		}
	}
	for name, damage := range map[string]func(a mem.Area){
		"more notified than wait": func(a mem.Area) { setRow(a, 1, 1<<40|1<<20|2) },
		"another's epoch":         func(a mem.Area) { setRow(a, 1, 2<<40|1<<20) },
		"nobody of an epoch":      func(a mem.Area) { setRow(a, 1, 1<<40) },
	} {
		a, c := newCond(t, 4)
		damage(a)
		if err := c.Wait(sleeping(func() {}), freeLock{}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: Wait = %v", name, err)
		}
	}
	// Damage while one waits: it returns.
	a, c := newCond(t, 4)
	for name, r := range map[string]uint64{"nothing": 0, "dead": 1<<63 | 1<<40 | 1<<20, "another": 7<<40 | 1<<20} {
		*c.row = 0
		if err := c.Wait(sleeping(func() { setRow(a, 1, r) }), freeLock{}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Wait, with %s in its row = %v", name, err)
		}
		if c.line.head != nil {
			t.Error("it stands in line")
		}
	}
}

// sleeping is a sleeper that does something in its sleep.
type sleeping func()

func (f sleeping) Spin() bool                  { return false }
func (f sleeping) Now() int64                  { return 0 }
func (f sleeping) Sleep(*uint32, uint32) error { f(); return nil }

// Waiters of one process that are notified are the first who came.
func TestCondLine(t *testing.T) {
	l := new(CondLine)
	var ws []*condWaiter
	for range 5 {
		ws = append(ws, l.join())
	}
	place := func(want ...int) {
		t.Helper()
		for i, w := range ws {
			for n := range 7 {
				if got := l.first(w, n); got != (want[i] >= 0 && want[i] < n) {
					t.Errorf("%d is one of the first %d: %v", i, n, got)
				}
			}
		}
	}
	place(0, 1, 2, 3, 4)
	l.leave(ws[2])
	place(0, 1, -1, 2, 3)
	l.leave(ws[0])
	l.leave(ws[4])
	place(-1, 0, -1, 1, -1)
	ws[0] = l.join()
	ws[2], ws[4] = nil, nil
	place(2, 0, -1, 1, -1)
	l.leave(ws[1])
	l.leave(ws[3])
	l.leave(ws[0])
	if l.head != nil || l.tail != nil {
		t.Error("an empty line is not empty")
	}
}
