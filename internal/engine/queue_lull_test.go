package engine

import "testing"

// An end is one end of a queue, at which calls wait.
type end struct {
	*Queue
	lull *lull
	s    *driven
	wait func(s Sleeper) error // one call
	try  func() error          // one that does not wait
	come func() error          // what it waits for, once
	none error
}

// ends are both, each just before a call that waits.
func ends(t *testing.T, slots int) map[string]*end {
	c := QueueConfig{Slots: slots, Room: 8}
	msg := make([]byte, 8)
	_, q := heapQueue(t, c)
	get := &end{Queue: q, lull: &q.gets, none: ErrEmpty,
		wait: func(s Sleeper) error {
			slot, err := q.Take(s, false)
			if err == nil {
				q.Release(slot)
			}
			return err
		},
		try:  func() error { return discard(q) },
		come: func() error { return q.TryPut(msg) },
	}
	_, q2 := heapQueue(t, c)
	for q2.TryPut(msg) == nil {
	}
	put := &end{Queue: q2, lull: &q2.puts, none: ErrFull,
		wait: func(s Sleeper) error { return q2.Put(s, msg) },
		try:  func() error { return q2.TryPut(msg) },
		come: func() error { return discard(q2) },
	}
	for _, e := range []*end{get, put} {
		e.s = &driven{t: t}
	}
	return map[string]*end{"get": get, "put": put}
}

// runs has n waits, in each of which so many come as run says, and returns
// after how many of them there is a lull.
func (e *end) runs(n, run int) (lulls int) {
	e.s.t.Helper()
	for range n {
		e.s.spins = 0
		e.s.do = func(spin int) {
			if spin == 1 {
				for range run {
					if err := e.come(); err != nil {
						e.s.t.Fatal(err)
					}
				}
			}
		}
		if err := e.wait(e.s); err != nil {
			e.s.t.Fatal(err)
		}
		if e.lull.micros.Load() > 0 {
			lulls++
		}
		taken := 1
		for err := e.try(); err != e.none; err = e.try() {
			if err != nil {
				e.s.t.Fatal(err)
			}
			taken++
		}
		if taken != run {
			e.s.t.Fatalf("%d of %d", taken, run)
		}
	}
	return lulls
}

// Who finds one message, or room for one, each time lets time pass in some of its
// first waits, and then in one of a thousand.
func TestLoneMessagesMeetNoLull(t *testing.T) {
	for name, e := range ends(t, 4096) {
		if n := e.runs(3000, 1); n == 0 || n > 13 {
			t.Errorf("%s: %d of 3000 waits have a lull, want a few", name, n)
		}
	}
}

// A lull grows while several come, shrinks while fewer do, and is gone when one has
// come alone.
func TestLullFollowsTheRuns(t *testing.T) {
	for name, e := range ends(t, 4096) {
		lull := func(want uint32, when string) {
			t.Helper()
			if got := e.lull.micros.Load(); got != want {
				t.Errorf("%s: %d µs %s, want %d", name, got, when, want)
			}
		}
		e.runs(1, 100)
		lull(1, "at first")
		e.runs(1, 100)
		lull(2, "after a run of 100")
		e.runs(10, 100)
		lull(lullMost, "after more of them")
		e.runs(1, lullMost*lullSeveral-1)
		e.runs(1, 2)
		lull(lullMost/2, "after a shorter run")
		e.runs(1, 100)
		lull(lullMost/4, "after a run of two")
		e.runs(2, 100)
		lull(lullMost, "after more of them again")
		e.runs(1, 1)
		e.runs(1, lullSeveral)
		lull(0, "after a lone one")
		e.runs(1, 100)
		lull(1, "when several have come")
		e.runs(1, 1)
		e.runs(1, 1)
		lull(0, "after a lone one again")
		e.runs(1, 1)
		lull(1, "when it is tried, since it has paid")
		e.runs(1, 100)
		lull(0, "when it was tried in vain")
		e.runs(2, 100)
		lull(2, "when they come on")
	}
}

// In a small ring a long lull is one in which the others stand still.
func TestLullOfSmallRings(t *testing.T) {
	for _, tt := range []struct{ slots, most int }{{1, 0}, {lullSeveral, 0}, {4*lullSeveral - 1, 0}, {4 * lullSeveral, 1}, {8 * lullSeveral, 2}} {
		for name, e := range ends(t, tt.slots) {
			most := uint32(0)
			for range 50 {
				e.runs(1, tt.slots)
				most = max(most, e.lull.micros.Load())
			}
			if most != uint32(tt.most) {
				t.Errorf("%s, %d slots: a lull of %d µs, want %d", name, tt.slots, most, tt.most)
			}
		}
	}
}

// Who does not spin has no lull either.
func TestLullIsTheSleepers(t *testing.T) {
	for name, e := range ends(t, 4096) {
		e.s.awake = true
		if n := e.runs(20, 100); n != 0 {
			t.Errorf("%s: %d waits have a lull", name, n)
		}
	}
}

// A second fruitless look at the same position is no other: it changes no lull.
func TestLullCountsALookOnce(t *testing.T) {
	_, q := heapQueue(t, QueueConfig{Slots: 4096, Room: 8})
	s := &driven{t: t}
	q.gets.every.Store(7)
	q.gets.left.Store(5)
	for range 3 {
		q.pause(s, &q.gets, 100)
	}
	if n := q.gets.left.Load(); n != 4 {
		t.Errorf("3 looks at one position count as %d", 5-n)
	}
}

// Who has no Waiter yet looks at the slot alone, sees what comes, and ends if nothing
// does; and where there is a lull it does not look meanwhile.
func TestQueueSoon(t *testing.T) {
	_, q := heapQueue(t, QueueConfig{Slots: 4096, Room: 8})
	put := func() {
		if err := q.TryPut(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
	}
	if q.Soon(false, 100) {
		t.Error("something is there in an empty queue")
	}
	put()
	if !q.Soon(false, 1) {
		t.Error("nothing is there after a Put")
	}
	if q.Soon(false, 0) {
		t.Error("it looks where it is not to")
	}
	if err := discard(q); err != nil {
		t.Fatal(err)
	}
	came := make(chan bool)
	go func() { came <- q.Soon(false, 1<<40) }()
	put()
	if !<-came {
		t.Error("it does not see what comes")
	}
	q.gets.micros.Store(1)
	q.gets.from = q.head.load() + 1 - 100 // so many have come since
	if !q.Soon(true, 0) || q.gets.micros.Load() != 2 {
		t.Errorf("a lull of %d µs, or nothing there after it", q.gets.micros.Load())
	}
}
