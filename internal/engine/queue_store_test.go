package engine

import (
	"sync/atomic"
	"testing"
	"time"
)

// sleeps is a Sleeper that notes up to when it was to sleep, and ends after some.
type sleeps struct {
	until  []int64
	most   int
	now    int64
	asleep func(n int) // is called in the n-th
}

func (s *sleeps) Spin() bool { return false }
func (s *sleeps) Now() int64 { return 1000 + s.now }
func (s *sleeps) Sleep(w *uint32, v uint32) error {
	return s.SleepUntil(w, v, 0)
}
func (s *sleeps) SleepUntil(_ *uint32, _ uint32, limit int64) error {
	s.until = append(s.until, max(0, limit-s.Now()))
	s.now = max(s.now, limit-1000)
	if s.asleep != nil {
		s.asleep(len(s.until))
	}
	if len(s.until) == s.most {
		return errNoNap
	}
	return nil
}

// waits is each operation that sleeps, and what it sleeps on.
var waits = map[string]func(t *testing.T, q *Queue) (*Bell, func(by Sleeper) error){
	"Take": func(t *testing.T, q *Queue) (*Bell, func(by Sleeper) error) {
		return &q.items, func(by Sleeper) error { _, err := q.Take(by, true); return err }
	},
	"Put": func(t *testing.T, q *Queue) (*Bell, func(by Sleeper) error) {
		fill(t, q, q.Cap())
		return &q.space, func(by Sleeper) error { return q.Put(by, make([]byte, 16)) }
	},
	"Join": func(t *testing.T, q *Queue) (*Bell, func(by Sleeper) error) {
		fill(t, q, 1)
		return &q.idle, q.Join
	},
}

// A sleeper makes the others' fences when it has said that it sleeps, each time, and
// also where another has said so before.
func TestQueueSleeperMakesTheFences(t *testing.T) {
	for name, start := range waits {
		for _, armed := range []bool{false, true} {
			a, _ := heapQueue(t, QueueConfig{Slots: 2, Room: 16})
			syncs, early := 0, 0
			var bell *Bell
			q, err := AttachQueue(a, Env{Self: Self{0, 1}, Wake: func(*uint32, int) int { return 0 }, Unfenced: new(atomic.Bool),
				Sync: func() bool {
					if syncs++; !bell.Armed() {
						early++
					}
					return true
				}})
			if err != nil {
				t.Fatal(err)
			}
			bell, op := start(t, q)
			if armed {
				bell.Arm()
			}
			by := &sleeps{most: 3}
			if err := op(by); err != errNoNap || syncs != 3 || early != 0 {
				t.Errorf("%s, armed before %v: %v, with %d fences in %d sleeps, %d too early", name, armed, err, syncs, len(by.until), early)
			}
			for _, limit := range by.until {
				if limit != 0 {
					t.Errorf("%s sleeps up to %d", name, limit)
				}
			}
		}
	}
}

// One whose fences may miss somebody looks again a moment later: once, and anew where
// the bell was rung, for then it was clear for some time.
func TestQueueFirstSleepIsShort(t *testing.T) {
	for name, start := range waits {
		for _, tt := range []struct {
			ring int // in this sleep
			want []bool
		}{
			{0, []bool{true, false, false, false, false}},
			{1, []bool{true, true, false, false, false}},
			{3, []bool{true, false, false, true, false}},
		} {
			a, _ := heapQueue(t, QueueConfig{Slots: 2, Room: 16})
			q, err := AttachQueue(a, Env{Self: Self{0, 1}, Wake: func(*uint32, int) int { return 1 },
				Unfenced: new(atomic.Bool), Sync: func() bool { return true }, Misses: true})
			if err != nil {
				t.Fatal(err)
			}
			bell, op := start(t, q)
			by := &sleeps{most: len(tt.want), asleep: func(n int) {
				if n == tt.ring {
					bell.Ring(1)
				}
			}}
			if err := op(by); err != errNoNap {
				t.Errorf("%s: %v", name, err)
			}
			for i, short := range tt.want {
				if d := by.until[i]; short && (d <= 0 || d > int64(time.Millisecond)) || !short && d != 0 {
					t.Errorf("%s, rung in sleep %d: sleep %d is of %v", name, tt.ring, i+1, time.Duration(d))
				}
			}
		}
	}
}

// A slice that was cut short is none.
func TestQueueSliceIsWhole(t *testing.T) {
	a, _ := heapQueue(t, QueueConfig{Slots: 2, Room: 16})
	q, err := AttachQueue(a, Env{Self: Self{0, 1}, Wake: func(*uint32, int) int { return 1 },
		Unfenced: new(atomic.Bool), Sync: func() bool { return true }, Misses: true})
	if err != nil {
		t.Fatal(err)
	}
	by := &sleeps{most: 3}
	by.asleep = func(n int) {
		if n == 1 {
			by.now = int64(slice) / 2
		}
	}
	if _, err := q.Take(by, false); err != errNoNap || by.until[1] == 0 || by.until[2] != 0 {
		t.Errorf("%v, sleeps of %v", err, by.until)
	}
}

// One that cannot make them sleeps in slices, which grow.
func TestQueueSleepsInSlices(t *testing.T) {
	for name, start := range waits {
		a, _ := heapQueue(t, QueueConfig{Slots: 2, Room: 16})
		q, err := AttachQueue(a, Env{Self: Self{0, 1}, Wake: func(*uint32, int) int { return 0 },
			Unfenced: new(atomic.Bool), Sync: func() bool { return false }})
		if err != nil {
			t.Fatal(err)
		}
		_, op := start(t, q)
		by := &sleeps{most: 20}
		if err := op(by); err != errNoNap {
			t.Errorf("%s: %v", name, err)
		}
		last := int64(0)
		for i, limit := range by.until {
			d := limit
			if d <= 0 || d < last || i == 0 && d > int64(time.Millisecond) || d > int64(time.Second) {
				t.Errorf("%s: sleep %d of %v, after one of %v", name, i, time.Duration(d), time.Duration(last))
			}
			last = d
		}
	}
}

// One that cannot make them gives what is under way time before it says that there is
// nothing, or no room, and looks again.
func TestQueueVerdictWithoutFences(t *testing.T) {
	a, _ := heapQueue(t, QueueConfig{Slots: 1, Room: 16})
	var late func()
	attach := func(index uint32, sync func() bool) *Queue {
		q, err := AttachQueue(a, Env{Self: Self{index, 1}, Wake: func(*uint32, int) int { return 0 }, Unfenced: new(atomic.Bool), Sync: sync})
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	other := attach(0, nil)
	q := attach(1, func() bool { late(); return false })

	s, err := other.TryClaim()
	if err != nil {
		t.Fatal(err)
	}
	late = func() { other.Publish(s) }
	got, err := q.Take(nil, false)
	if err != nil {
		t.Fatalf("Take of what is put: %v", err)
	}
	q.Release(got)

	late = func() {}
	fill(t, other, 1)
	if s, err = other.Take(nil, false); err != nil {
		t.Fatal(err)
	}
	late = func() { other.Release(s) }
	if err := q.TryPut(make([]byte, 16)); err != nil {
		t.Fatalf("TryPut where there is room: %v", err)
	}
}
