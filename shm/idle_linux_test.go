package shm

import (
	"context"
	"fmt"
	"testing"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// switches is how often a guard's thread has gone to sleep.
func switches(t *testing.T, pid, tid int) (n int) {
	t.Helper()
	return testproc.Get(testproc.Sleeps(pid, tid))(t)
}

// steadySwitches is how often it has when it does so no more.
func steadySwitches(t *testing.T, pid, tid int) int {
	t.Helper()
	last := -1
	for end := time.Now().Add(testproc.Patience); ; time.Sleep(50 * time.Millisecond) {
		n := switches(t, pid, tid)
		if n == last {
			return n
		}
		if last = n; time.Now().After(end) {
			t.Fatalf("thread %d of process %d never rests", tid, pid)
		}
	}
}

// A guard that is not on duty sleeps for as long as nothing happens, however
// many there are, and whoever comes, leaves and dies elsewhere.
func TestIdleGuardSleeps(t *testing.T) {
	if !sys.HaveWaitv() {
		t.Skip("without futex_waitv a guard looks at its words now and then")
	}
	path := testPath(t)
	r := testproc.Get(Create(path, &Options{Participants: 24}))(t)
	defer r.Close()
	var cs []*testproc.Child
	for range 14 {
		c := visitor.Start(t, path)
		c.Line()
		cs = append(cs, c)
	}
	sleeper := r.Participants()[6] // on duty are the first five, and it watches the next four
	tid := int(r.a.rec(uint32(sleeper.Index)).Alive() & sys.FutexTIDMask)
	steady := func() int { return steadySwitches(t, sleeper.PID, tid) }
	before := steady()
	late := visitor.Start(t, path)
	late.Line()
	late.Kill()
	cs[12].Say("leave")
	cs[12].Expect("closed")
	gone := func() bool { return len(r.Participants()) == 14 }
	for end := time.Now().Add(testproc.Patience); !gone(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("participants: %v", r.Participants())
		}
	}
	time.Sleep(300 * time.Millisecond) // it might take its time
	// Now and then it looks, and looks again, whether those on duty are at it.
	if n := steady() - before; n > 2 {
		t.Errorf("the guard of participant %d woke %d times", sleeper.Index, n)
	}
}

// listener: path. Attaches, and says whose ends it is told of.
var listener = testproc.Role("listener", func(args []string) {
	r, err := Open(args[0], nil)
	testproc.Must(err)
	exits := r.Exits(context.Background())
	testproc.Say("listens")
	for p := range exits {
		testproc.Say(p.Index)
	}
})

// Where somebody is suspected and lives on, who is told of another end does not
// stay awake for that.
func TestLastingSuspicionLetsSleep(t *testing.T) {
	if !sys.HaveWaitv() {
		t.Skip("without futex_waitv a guard looks at its words now and then")
	}
	path := testPath(t)
	r := testproc.Get(Create(path, nil))(t)
	defer r.Close()
	var cs []*testproc.Child
	for range region.DutyPosts + 1 { // the last two are not on duty
		c := visitor.Start(t, path)
		c.Line()
		cs = append(cs, c)
	}
	l := listener.Start(t, path) // it watches the first four
	l.Expect("listens")
	suspect, told := uint32(region.DutyPosts), region.DutyPosts+1
	cs[suspect-1].Freeze()
	p := r.a.rec(suspect).P32(region.RecAlive)
	mem.Store32(p, mem.Load32(p)|sys.FutexOwnerDied)
	tid := int(r.a.rec(uint32(told+1)).Alive() & sys.FutexTIDMask)
	before := steadySwitches(t, l.PID(), tid)
	cs[told-1].Kill()
	l.Expect(fmt.Sprint(told))
	if n := steadySwitches(t, l.PID(), tid) - before; n > 10 {
		t.Errorf("its guard woke %d times", n)
	}
}
