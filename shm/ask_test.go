package shm

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"example.com/tandem/internal/object"
	"example.com/tandem/internal/testproc"
)

// removedByOther is participant 1, which has an object open that is garbage
// there, and that participant 0 has removed.
func removedByOther(t *testing.T) (r, other *Region) {
	was := debug.SetGCPercent(-1) // nobody else collects it
	t.Cleanup(func() { debug.SetGCPercent(was) })
	h := newHeapRegion(t, 1<<20, 2, 8)
	r, other = h.attach(0), h.attach(1)
	openOK(t, other, lockOf("a"))
	if err := r.Remove("a"); err != nil {
		t.Fatal(err)
	}
	return r, other
}

// Who is asked answers every request that was made until then.
func TestAnswer(t *testing.T) {
	r, other := removedByOther(t)
	first, second := r.a.request(), r.a.request()
	if len(first) != 1 || len(second) != 1 || first[0].paid() || second[0].paid() {
		t.Fatalf("asked: %v, %v", first, second)
	}
	other.a.tidy()
	if !first[0].paid() || !second[0].paid() {
		t.Error("no answer")
	}
	if r.a.Opened(0) {
		t.Error("answered, and what nothing reaches is still open")
	}
	if debts := r.a.request(); len(debts) != 0 {
		t.Errorf("asked %v, who has no removed object open", debts)
	}
}

// An answer comes after the cleanups that a collection has begun: until then they reach an
// object, as a connection's does that nobody closed.
func TestAnswerAfterCleanups(t *testing.T) {
	was := debug.SetGCPercent(-1)
	t.Cleanup(func() { debug.SetGCPercent(was) })
	h := newHeapRegion(t, 1<<20, 2, 8)
	r, other := h.attach(0), h.attach(1)
	vain.Store(0)
	other.a.cleanupLimit = testproc.Patience
	ran := false
	c := openOK(t, other, lockOf("a"))
	runtime.AddCleanup(c, func(whole *object.Core) {
		other.a.uses.mu.Lock() // as others' cleanups do
		ran = true
		other.a.uses.mu.Unlock()
		whole.KeepAlive()
	}, c.Whole())
	testproc.OK(t, r.Remove("a"))
	debts := r.a.request()
	other.a.tidy()
	other.a.uses.mu.Lock()
	defer other.a.uses.mu.Unlock()
	if !debts[0].paid() || r.a.Opened(0) || !ran {
		t.Errorf("answered: %v, still open: %v, cleaned up: %v", debts[0].paid(), r.a.Opened(0), ran)
	}
}

// Who is asked without end collects some of the time.
func TestAskedWithoutEnd(t *testing.T) {
	r, other := removedByOther(t)
	uses := &other.a.uses
	uses.rested = time.Now().Add(time.Hour)
	debts := r.a.request()
	other.a.tidy()
	if debts[0].paid() || !r.a.Opened(0) {
		t.Fatal("it did not rest")
	}
	uses.mu.Lock()
	uses.rested = time.Now().Add(-time.Hour)
	uses.alarm.Reset(0)
	uses.mu.Unlock()
	for end := time.Now().Add(testproc.Patience); !debts[0].paid(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no answer after its rest")
		}
	}
	uses.mu.Lock()
	defer uses.mu.Unlock()
	if time.Since(uses.rested) > time.Minute || uses.alarm != nil {
		t.Errorf("it rests until %v", uses.rested)
	}
}

// An alarm that is set for later is brought forward.
func TestAlarmIsBroughtForward(t *testing.T) {
	r := newHeapRegion(t, 1<<20, 2, 8).attach(0)
	uses := &r.a.uses
	isSet := func() bool {
		uses.mu.Lock()
		defer uses.mu.Unlock()
		return uses.alarm != nil
	}
	uses.mu.Lock()
	r.a.setAlarm(time.Now().Add(time.Hour))
	r.a.setAlarm(time.Now().Add(time.Millisecond))
	r.a.setAlarm(time.Now().Add(time.Hour))
	uses.mu.Unlock()
	for end := time.Now().Add(testproc.Patience); isSet(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it comes late")
		}
	}
}

// Who leaves, or dies, owes nothing.
func TestTheGoneOweNothing(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	h := newHeapRegion(t, 1<<20, 3, 8)
	r, leaver, victim := h.attach(0), h.attach(1), h.attach(2)
	for _, o := range []*Region{leaver, victim} {
		openOK(t, o, lockOf("a"))
	}
	if err := r.Remove("a"); err != nil {
		t.Fatal(err)
	}
	debts := r.a.request()
	if len(debts) != 2 || debts[0].paid() || debts[1].paid() {
		t.Fatalf("%v", debts)
	}
	leaver.a.leave(leaver.a.self, leaver.a.env, func() {})
	h.kill(victim)
	if !debts[0].paid() || !debts[1].paid() {
		t.Error("an answer is expected of one who is gone")
	}
}

// A handle that is closed and not let go of has the collector look a few times, ever later.
func TestKeptHandleIsLookedForAgain(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // nobody else has it look
	h := newHeapRegion(t, 1<<20, 2, 8)
	r := h.attach(0)
	uses := &r.a.uses
	looks := func(i uint32) int {
		uses.mu.Lock()
		defer uses.mu.Unlock()
		if u := uses.m[i]; u != nil {
			return u.kept.n
		}
		return 0
	}
	closed := func(name string) *object.Core {
		c := openOK(t, r, lockOf(name))
		if err := r.Remove(name); err != nil {
			t.Fatal(err)
		}
		if looks(c.Entry) != 0 {
			t.Fatal("a handle that is open is taken for closed")
		}
		c.Close()
		return c
	}
	await := func(what string, is func() bool) {
		t.Helper()
		for end := time.Now().Add(testproc.Patience); !is(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("waited in vain: " + what)
			}
		}
	}

	noAlarm := func() {
		if uses.alarm != nil {
			uses.alarm.Stop()
			uses.alarm = nil
		}
	}

	var c *object.Core
	var i uint32
	for n := 0; ; n++ {
		c = closed(fmt.Sprint("a", n)) // as by a call that is about to end
		i = c.Entry
		await("a look", func() bool { return looks(i) > 0 })
		if !r.a.IsOpener(0, i) {
			t.Error("what is still reached was let go of")
		}
		most := looks(i) == looksMost // this test was held up
		c.KeepAlive()
		c = nil
		if !most {
			await("another look, which finds nothing", func() bool { return !r.a.Opened(i) })
			break
		}
	}

	for n := 0; ; n++ {
		c = closed(fmt.Sprint("b", n))
		i = c.Entry
		await("the first look", func() bool { return looks(i) > 0 })
		uses.mu.Lock()
		if uses.m[i].kept.n < looksMost && uses.alarm != nil && uses.alarm.Stop() {
			uses.alarm = nil
			break // with the lock, and no alarm under way
		}
		uses.mu.Unlock() // this test was held up
		c.KeepAlive()
		c = nil
		collectUntil(t, func() bool { return !r.a.Opened(i) })
	}
	rested := time.Now().Add(time.Hour) // the next is due, and the collector is to rest
	uses.rested, uses.m[i].kept.again = rested, time.Now()
	uses.mu.Unlock()
	r.a.tidy()
	uses.mu.Lock()
	if uses.alarm == nil || uses.due.Before(rested) {
		t.Errorf("the alarm comes %v before the end of the rest", rested.Sub(uses.due))
	}
	uses.rested = time.Time{}
	noAlarm()
	uses.mu.Unlock()
	r.a.tidy()
	await("the last look", func() bool { return looks(i) == looksMost })
	r.a.tidy()
	uses.mu.Lock()
	uses.m[i].kept.again = time.Time{}
	if uses.alarm != nil || r.a.hasForsaken() {
		t.Error("the collector is asked again and again")
	}
	uses.mu.Unlock()
	c.KeepAlive()
	c = nil
	collectUntil(t, func() bool { return !r.a.Opened(i) })
}
