package shm

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// still is when all look that are made to: a test that has not had its turn for
// a second has not seen the others stand still.
var still = sys.MonotonicNow()

// posts are the indexes of those on duty; 0 is nobody.
func (w words) posts() (is []int) {
	for k := range region.DutyPosts {
		is = append(is, max(0, int(uint32(mem.Load64(w.Post(k))))-1))
	}
	return is
}

func wantPosts(t *testing.T, w words, want ...int) {
	t.Helper()
	if got := fmt.Sprint(w.posts()); got != fmt.Sprint(want) {
		t.Errorf("on duty are %v, want %v", got, want)
	}
}

// dutiful is a region in which no guard is at work, or on duty.
func dutiful(t *testing.T) *Region {
	r := unguarded(t, &Options{Participants: 20})
	r.a.rec(0).Move(region.RecordWord(1, region.StAlive), region.RecordWord(1, region.StLeaving)) // not one to be called
	r.a.giveUpDuty(0, 1)
	return r
}

// crew are n who have come and looked; record 0 is r's.
func crew(t *testing.T, r *Region, n int) (as []*attachment) {
	for range n {
		as = append(as, bare(t, r))
		as[len(as)-1].lookAt(still)
	}
	return as
}

// The first to come are on duty; whose post it was does not matter when he is
// dead or has left: the next who looks has it, and is rung for.
func TestDutyPassesOn(t *testing.T) {
	r := dutiful(t)
	as := crew(t, r, 9)
	wantPosts(t, r.a.words, 1, 2, 3, 4, 5, 6)
	for range 2 {
		as[7].lookAt(still)
	}
	wantPosts(t, r.a.words, 1, 2, 3, 4, 5, 6)

	bell := func(a *attachment) uint32 { return mem.Load32(a.rec(a.self.Index).P32(region.RecBell)) }
	before := bell(as[6])
	as[1].giveUpDuty(as[1].self.Index, as[1].self.Epoch)
	as[1].goAway()
	if bell(as[6]) == before {
		t.Error("who leaves has not rung for the next without a post")
	}
	as[6].lookAt(still)
	wantPosts(t, r.a.words, 1, 7, 3, 4, 5, 6)

	as[0].die()
	as[2].die()
	as[3].due()
	as[3].lookAt(still) // has a post, and finds them dead
	before = bell(as[7])
	as[3].lookAt(still)
	wantPosts(t, r.a.words, 0, 7, 0, 4, 5, 6)
	if bell(as[7]) == before {
		t.Error("who is on duty has not rung for one without a post")
	}
	as[7].lookAt(still)
	as[8].lookAt(still)
	wantPosts(t, r.a.words, 8, 7, 9, 4, 5, 6)

	// Scribbled on, they are taken anew.
	for k := range region.DutyPosts {
		mem.Store64(r.a.Post(k), 1<<40|0xffff)
	}
	for _, a := range as[3:] {
		a.lookAt(still)
	}
	wantPosts(t, r.a.words, 4, 5, 6, 7, 8, 9)
}

// A holder whose beat stands still loses its post, to another on duty, who rings
// for one that has none, or to one that has none.
func TestStoppedDutyIsReplaced(t *testing.T) {
	for _, others := range []bool{true, false} {
		r := dutiful(t)
		as := crew(t, r, 8)
		// All that look have seen the beats long ago, and who works has beaten since.
		past := func(a *attachment) {
			a.lookAt(still)
			for k := range region.DutyPosts {
				a.watch.shift.seen[k] -= 2 * dutyStill * dutyPeriod
			}
		}
		if others {
			past(as[5])
			for k := range 4 {
				as[k].lookAt(still)
			}
			before := mem.Load32(r.a.rec(7).P32(region.RecBell))
			as[5].lookAt(still)
			wantPosts(t, r.a.words, 1, 2, 3, 4, 0, 6) // the fifth stood still
			if mem.Load32(r.a.rec(7).P32(region.RecBell)) == before {
				t.Error("nobody was rung for to replace the fifth")
			}
			continue
		}
		past(as[7])
		as[7].lookAt(still)
		if posts := r.a.posts(); posts[0] != 8 {
			t.Errorf("on duty are %v, and all but 8 stand still", posts)
		}
	}
}

// Who has slept and seen that none of the beats moved does not look at them for
// as long again; where they do move it takes nothing.
func TestStoodStillIsReplaced(t *testing.T) {
	for _, stood := range []bool{false, true} {
		r := dutiful(t)
		as := crew(t, r, 8)
		as[7].watch.shift.stood = stood
		as[7].lookAt(still)
		as[7].lookAt(still)
		if posts := r.a.posts(); (posts[0] == 8) != stood {
			t.Errorf("stood still: %v; on duty are %v", stood, posts)
		}
	}
}

// All look at times of their own, the first of many soon, and none later than a
// step from now.
func TestPulseTimesAreSpread(t *testing.T) {
	for _, many := range []int{1, 10, 64, 1000} {
		var firsts []int64
		for i := range uint32(many) {
			first, step := pulseTimes(i, many)
			if first < 0 || first >= step || step < pulseStep {
				t.Fatalf("participant %d of %d looks after %d ns, and each %d", i, many, first, step)
			}
			firsts = append(firsts, first)
		}
		_, step := pulseTimes(0, many)
		slices.Sort(firsts)
		for i, at := range append(firsts, step) {
			if i > 0 && at-firsts[i-1] > 2*step/int64(many) {
				t.Errorf("of %d, none looks between %d and %d ns of %d", many, firsts[i-1], at, step)
			}
		}
	}
}

// Who comes rings for the few who are to watch it, and for nobody else.
func TestArrivalDisturbsFew(t *testing.T) {
	r := unguarded(t, &Options{Participants: 40})
	var as []*attachment
	for range 20 {
		as = append(as, bare(t, r))
	}
	rung := func(do func()) (who []uint32) {
		var before [40]uint32
		for i := range before {
			before[i] = mem.Load32(r.a.rec(uint32(i)).P32(region.RecBell))
		}
		do()
		for i := range before {
			if mem.Load32(r.a.rec(uint32(i)).P32(region.RecBell)) != before[i] {
				who = append(who, uint32(i))
			}
		}
		return who
	}
	changes := mem.Load32(r.a.W32(region.HdrChanges))
	if who := rung(func() { bare(t, r) }); fmt.Sprint(who) != "[17 18 19 20]" {
		t.Errorf("who comes rings for %v, want the four before it", who)
	}
	if who := rung(func() { as[10].goAway() }); len(who) != 0 {
		t.Errorf("who leaves, and has no post, rings for %v", who)
	}
	if n := mem.Load32(r.a.W32(region.HdrChanges)); n != changes {
		t.Errorf("all were told of something %d times", n-changes)
	}

	// Who is removed from under a handle that is gone is told, and nobody else.
	m := holdBare(t, as[3], "m")
	defer m.Unlock()
	if who := rung(func() {
		if err := r.Remove("m"); err != nil {
			t.Error(err)
		}
	}); fmt.Sprint(who) != "[4]" {
		t.Errorf("who removes an object rings for %v, want the one who has it open", who)
	}
}

// Of an end that nobody tells, since who should have was killed just then,
// those on duty tell, whatever else was told meanwhile.
func TestUntoldEndIsTold(t *testing.T) {
	r := unguarded(t, &Options{Participants: 20})
	duty, goes, other := bare(t, r), bare(t, r), bare(t, r)
	duty.lookAt(still)
	ends := func() uint32 { return mem.Load32(r.a.W32(region.HdrEnds)) }
	other.goAway() // is told
	rec := r.a.rec(goes.self.Index)
	rec.Exited(goes.self.Epoch, false)
	rec.Move(region.RecordWord(goes.self.Epoch, region.StAlive), region.RecordWord(goes.self.Epoch, region.StFree))
	before := ends()
	if l := duty.lookAt(still); !l.moving {
		t.Error("all is steady with an end that was not told")
	}
	for range 3 {
		duty.lookAt(still)
		if n := ends() - before; n != 1 {
			t.Errorf("told %d times, want once", n)
		}
	}
	// What was told is not told again.
	for how, end := range map[string]func(a *attachment){
		"leaves": (*attachment).goAway,
		"dies":   func(a *attachment) { a.die(); bare(t, r).scan() },
	} {
		goes = bare(t, r)
		duty.lookAt(still)
		before = ends()
		end(goes)
		for range 3 {
			if n := ends() - before; n != 1 {
				t.Errorf("one who %s is told of %d times, want once", how, n)
			}
			duty.lookAt(still)
		}
	}
}

// What ended before somebody listened is not told, however long nobody looked;
// nor is it twice to who begins again.
func TestExitsTellsOfNothingBefore(t *testing.T) {
	r := unguarded(t, &Options{Participants: 20})
	looker, early, late := bare(t, r), bare(t, r), bare(t, r)
	sub := &exits{ready: make(chan struct{}, 1), watch: &looker.watch}
	early.goAway() // it was not seen, nor is its end
	looker.beginTelling(sub)
	looker.lookAt(still)
	if len(sub.queue) != 0 {
		t.Errorf("told of %+v, which ended before", sub.queue)
	}
	late.goAway()
	second := &exits{ready: make(chan struct{}, 1), watch: &looker.watch}
	looker.beginTelling(second) // between the end and the look
	looker.lookAt(still)
	if len(sub.queue) != 1 || sub.queue[0].Index != int(late.self.Index) || sub.queue[0].PID != os.Getpid() {
		t.Errorf("told of %+v, want the end of participant %d", sub.queue, late.self.Index)
	}
	if len(second.queue) != 0 {
		t.Errorf("the second was told of %+v, which ended before", second.queue)
	}
}

// Who sleeps does not see that somebody scribbles on its record; those on duty
// do, and ring for it.
func TestScribbledSleeperIsRung(t *testing.T) {
	r := unguarded(t, &Options{Participants: 20})
	duty, sleeper := bare(t, r), bare(t, r)
	for range 2 {
		duty.lookAt(still)
	}
	rec := r.a.rec(sleeper.self.Index)
	for _, w := range []uint64{region.RecordWord(1, region.StFree), region.RecordWord(1, region.StDead), region.RecordWord(77, region.StFree), 0} {
		before := mem.Load32(rec.P32(region.RecBell))
		mem.Store64(rec.P64(region.RecWord), w)
		for range 4 {
			duty.due()
			duty.lookAt(still)
		}
		if n := mem.Load32(rec.P32(region.RecBell)) - before; n != 1 {
			t.Errorf("%#x: rung for %d times, want once", w, n)
		}
		sleeper.lookAt(still) // hears it
		if got := rec.Word(); got != region.RecordWord(1, region.StAlive) {
			t.Errorf("%#x: the word becomes %#x", w, got)
		}
		duty.lookAt(still)
	}
	before := mem.Load32(rec.P32(region.RecBell))
	mem.Store32(rec.P32(region.RecAlive), 5)
	for range 3 {
		duty.lookAt(still)
	}
	if n := mem.Load32(rec.P32(region.RecBell)) - before; n != 1 {
		t.Errorf("rung for %d times when the alive word had changed, want once", n)
	}
}

// Who dies on the way in or out has nobody told, and is found by those on duty.
func TestDeathOnTheWayIsFound(t *testing.T) {
	for _, state := range []uint32{region.StAttaching, region.StLeaving} {
		r := unguarded(t, &Options{Participants: 10})
		duty := bare(t, r)
		duty.lookAt(still)
		for _, seen := range []bool{false, true} {
			goes := bare(t, r)
			duty.lookAt(still)
			rec := r.a.rec(goes.self.Index)
			rec.Move(region.RecordWord(goes.self.Epoch, region.StAlive), region.RecordWord(goes.self.Epoch, state))
			if seen {
				if l := duty.lookAt(still); !l.moving {
					t.Errorf("state %d is steady", state)
				}
			}
			goes.die()
			duty.lookAt(still)
			if w := rec.Word(); w != region.RecordWord(goes.self.Epoch, region.StFree) {
				t.Errorf("who died in state %d, seen %v, is %#x", state, seen, w)
			}
		}
	}
}
