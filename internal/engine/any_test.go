package engine

import (
	"errors"
	"slices"
	"testing"

	"example.com/tandem/internal/mem"
)

// A told is a Source that is ready when the test says so.
type told struct {
	bell  Bell
	ready bool
	one   bool
	err   error
	looks int
	unr   int
}

func (s *told) Ready(uint64) (bool, error) { s.looks++; return s.ready, s.err }
func (s *told) Awaited() (*Bell, bool)     { return &s.bell, s.one }
func (s *told) Unrung()                    { s.unr++ }

// A dozer is an AnySleeper without a spin, whose sleeps are the test's.
type dozer struct {
	now    int64
	limits []int64 // of its sleeps, from when they began
	words  int
	armed  bool // as it says
	sleep  func(n int) error
}

func (s *dozer) Spin() bool { return false }
func (s *dozer) Now() int64 { return s.now }
func (s *dozer) Arms() bool { return s.armed }

func (s *dozer) SleepAny(words []*uint32, values []uint32, limit int64) error {
	n := len(s.limits)
	if limit != 0 {
		limit -= s.now
	}
	s.limits, s.words = append(s.limits, limit), len(words)
	s.now += limit
	return s.sleep(n)
}

// tolds are sources of a region, on heap memory; woken counts the wake-ups of each.
func tolds(n int, env Env) (all []*told, woken map[*uint32]int) {
	a, woken := mem.Heap(uint64(128*n)), map[*uint32]int{}
	env.Wake = func(w *uint32, n int) int { woken[w] += max(n, -n); return 1 }
	for i := range n {
		all = append(all, &told{bell: patientBell(a.W32(uint64(128*i)), env), one: true})
	}
	return all, woken
}

func anyOfThem(all []*told) *Any {
	a := new(Any)
	a.Reset()
	for _, s := range all {
		a.Add(s)
	}
	return a
}

// After a sleep all are looked at, and each that is ready and rung for one is rung again;
// without a sleep none is.
func TestAnyPassesOn(t *testing.T) {
	all, woken := tolds(4, Env{})
	all[3].one = false
	a := anyOfThem(all)
	all[1].ready = true
	if i, err := a.Look(); i != 1 || err != nil || len(woken) != 0 || all[2].looks != 0 {
		t.Errorf("Look = %d, %v, after %v wake-ups and %d looks at what comes later", i, err, woken, all[2].looks)
	}
	all[1].ready = false
	s := &dozer{armed: true}
	s.sleep = func(int) error { all[1].ready, all[2].ready, all[3].ready = true, true, true; return nil }
	if i, err := a.Wait(s); i != 1 || err != nil || s.words != 4 {
		t.Errorf("Wait = %d, %v, on %d words", i, err, s.words)
	}
	for i, want := range []int{0, 1, 1, 0} {
		if n := woken[all[i].bell.w]; n != want {
			t.Errorf("source %d: %d woken, want %d", i, n, want)
		}
	}
}

// What ends a wait with an error is told after the look that is owed, with what is ready.
func TestAnyErrors(t *testing.T) {
	all, woken := tolds(3, Env{})
	a := anyOfThem(all)
	s := &dozer{armed: true, sleep: func(int) error { all[2].ready = true; return errAsleep }}
	if i, err := a.Wait(s); i != 2 || err != errAsleep || a.Bad() != -1 || woken[all[2].bell.w] != 1 {
		t.Errorf("Wait = %d, %v, %v woken", i, err, woken)
	}
	a = anyOfThem(all)
	all[0].err, all[1].err = errors.New("first"), errors.New("second")
	if i, err := a.Look(); i != 2 || err != nil {
		t.Errorf("Look = %d, %v beside two that cannot tell", i, err)
	}
	all[2].ready = false
	if i, err := a.Look(); i != -1 || err != all[0].err || a.Bad() != 0 {
		t.Errorf("Look = %d, %v, by %d", i, err, a.Bad())
	}
	ends := func(how error, f func()) (int, error) {
		all[0].err, all[2].ready = nil, false
		all[1].err = nil
		return a.Wait(&dozer{armed: true, sleep: func(int) error { f(); return how }})
	}
	if i, err := ends(nil, func() { all[0].err, all[2].ready = errors.New("now"), true }); i != 2 || err != nil {
		t.Errorf("Wait = %d, %v beside one that cannot tell any more", i, err)
	}
	if i, err := ends(errAsleep, func() { all[0].err = errors.New("now") }); i != -1 || err != errAsleep || a.Bad() != -1 {
		t.Errorf("Wait = %d, %v, by %d, of a sleep that ended beside one that cannot tell any more", i, err, a.Bad())
	}
}

// One Sync for all, when all are armed and before any is looked at; then a short sleep,
// if it may have missed somebody, and again when a bell has moved.
func TestAnySyncs(t *testing.T) {
	syncs := 0
	var all []*told
	env := Env{Misses: true}
	env.Sync = func() bool {
		syncs++
		for i, s := range all {
			if !s.bell.Armed() {
				t.Errorf("source %d is not armed at the Sync", i)
			}
			if syncs == 1 && s.looks != 0 {
				t.Errorf("source %d was looked at before the Sync", i)
			}
		}
		return true
	}
	all, _ = tolds(3, env)
	a := anyOfThem(all)
	s := &dozer{armed: true}
	s.sleep = func(n int) error {
		switch n {
		case 2:
			all[1].bell.Ring(-1)
		case 5:
			all[0].ready = true
		}
		return nil
	}
	if i, err := a.Wait(s); i != 0 || err != nil {
		t.Fatalf("Wait = %d, %v", i, err)
	}
	if want := []int64{1e6, 0, 0, 1e6, 0, 0}; !slices.Equal(s.limits, want) || syncs != len(want) {
		t.Errorf("it slept for %v, and made fences %d times; want %v", s.limits, syncs, want)
	}
	if all[0].unr != 3 || all[1].unr != 2 { // after the long ones in which nobody rang
		t.Errorf("after a long sleep for which nobody rang: %d and %d times", all[0].unr, all[1].unr)
	}
}

// Of several regions one is enough whose Sync may have missed somebody.
func TestAnyMisses(t *testing.T) {
	sync := func() bool { return true }
	for _, misses := range [][]bool{{true, false}, {false, true}} {
		var all []*told
		for _, m := range misses {
			one, _ := tolds(1, Env{Sync: sync, Misses: m})
			all = append(all, one...)
		}
		s := &dozer{armed: true, sleep: func(n int) error { all[0].ready = n == 1; return nil }}
		if i, err := anyOfThem(all).Wait(s); i != 0 || err != nil || !slices.Equal(s.limits, []int64{1e6, 0}) {
			t.Errorf("%v: Wait = %d, %v; slept %v", misses, i, err, s.limits)
		}
	}
}

// Who cannot make the others' fences sleeps in slices that grow.
func TestAnySlices(t *testing.T) {
	all, _ := tolds(2, Env{Sync: func() bool { return false }})
	s := &dozer{armed: true, sleep: func(n int) error { all[1].ready = n == 9; return nil }}
	if i, err := anyOfThem(all).Wait(s); i != 1 || err != nil {
		t.Fatalf("Wait = %d, %v", i, err)
	}
	want := []int64{1e6, 2e6, 4e6, 8e6, 16e6, 32e6, 64e6, 128e6, 256e6, 256e6}
	if !slices.Equal(s.limits, want) {
		t.Errorf("it slept for %v, want %v", s.limits, want)
	}
}

// Who cannot sleep on several words arms nothing, and has no wake-up to pass on.
func TestAnyLooks(t *testing.T) {
	all, woken := tolds(2, Env{Sync: func() bool { t.Error("a Sync"); return true }})
	s := &dozer{sleep: func(n int) error { all[1].ready = n == 2; return nil }}
	if i, err := anyOfThem(all).Wait(s); i != 1 || err != nil || len(woken) != 0 || all[0].bell.Armed() || len(s.limits) != 3 {
		t.Errorf("Wait = %d, %v; woken %v; armed %v; slept %v", i, err, woken, all[0].bell.Armed(), s.limits)
	}
}

// A wait for many allocates nothing when another was before it.
func TestAnyAllocatesNothing(t *testing.T) {
	if mem.RaceEnabled {
		t.Skip("the race detector's build allocates otherwise")
	}
	all, _ := tolds(300, Env{})
	a, s := anyOfThem(all), &dozer{armed: true, limits: make([]int64, 0, 100000)}
	s.sleep = func(n int) error { all[299].ready = n%2 == 1; return nil }
	if n := testing.AllocsPerRun(100, func() {
		a.Reset()
		for _, s := range all {
			a.Add(s)
		}
		if i, err := a.Wait(s); i != 299 || err != nil {
			t.Fatal(i, err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
