package shm

import (
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"testing"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// abroadNS are namespaces that nobody is of.
const abroadNS = 12345

// elsewhere has a's record say that it is of other namespaces, in which its
// process has ended: there is another one of its pid.
func (a *attachment) elsewhere() {
	a.claims(region.Identity{PID: uint32(myPID), NS: abroadNS, Start: 1})
}

func (a *attachment) claims(id region.Identity) {
	rec := a.rec(a.self.Index)
	mem.Store64(rec.P64(region.RecPIDNS), id.NS)
	mem.Store64(rec.P64(region.RecStart), id.Start)
	mem.Store64(rec.P64(region.RecSum), id.Sum(a.self.Epoch))
}

// lookAbroad looks as one of those namespaces does.
func (a *attachment) lookAbroad() look {
	was := me.Swap(&myself{namespace: abroadNS, start: 1})
	defer me.Store(was)
	return a.lookAt(still)
}

// suspected is what the kernel does to its alive word when a process ends.
func (a *attachment) suspected() {
	mem.Store32(a.rec(a.self.Index).P32(region.RecAlive), sys.FutexWaiters|sys.FutexOwnerDied)
}

func (a *attachment) unsuspected() {
	mem.Store32(a.rec(a.self.Index).P32(region.RecAlive), sys.FutexWaiters)
}

// never is a time that does not come.
const never = math.MaxInt64 / 2

// onlyDoubts has a look at what it suspects only: it holds no round, calls nobody to
// a post, and takes none from who holds one.
func (a *attachment) onlyDoubts() {
	s := &a.watch.shift
	s.round, s.called = never, never
	for k := range s.seen {
		s.beats[k], s.seen[k] = mem.Load32(a.Beat(k)), never
	}
}

// later makes everything due that doubts wait for, and nothing else.
func (a *attachment) later() {
	a.onlyDoubts()
	for _, d := range a.watch.doubts {
		d.next, d.called = min(d.next, 1), 0
	}
}

// rungBy are those who are rung for while do is at it.
func rungBy(w words, do func()) (who []uint32) {
	before := make([]uint32, w.Geo.Participants)
	for i := range before {
		before[i] = mem.Load32(w.rec(uint32(i)).P32(region.RecBell))
	}
	do()
	for i := range before {
		if mem.Load32(w.rec(uint32(i)).P32(region.RecBell)) != before[i] {
			who = append(who, uint32(i))
		}
	}
	return who
}

func wantRung(t *testing.T, when string, a *attachment, want ...uint32) {
	t.Helper()
	var l look
	got := rungBy(a.words, func() { l = a.lookAt(still) })
	if !slices.Equal(got, want) {
		t.Errorf("%s: rung for %v, want %v", when, got, want)
	}
	if l.again == 0 {
		t.Errorf("%s: that is all", when)
	}
}

// onWatch are one who is on duty, one who is not, and n more, of other
// namespaces if they are told to be; and nobody else is at work.
func onWatch(t *testing.T, n int, abroad bool) (duty, off *attachment, others []*attachment) {
	t.Helper()
	as := crew(t, dutiful(t), region.DutyPosts+1)
	duty, off = as[0], as[region.DutyPosts]
	for range n {
		a := bare(t, &Region{a: duty, closed: new(atomic.Bool)})
		if abroad {
			a.elsewhere()
		}
		others = append(others, a)
	}
	for _, a := range as {
		a.lookAt(still)
		a.onlyDoubts()
	}
	return duty, off, others
}

// Who suspects somebody of other namespaces calls those who can ask, once, and
// the suspect.
func TestSuspicionIsShared(t *testing.T) {
	duty, _, others := onWatch(t, 3, true)
	suspect := others[1]
	for range 2 {
		suspect.suspected()
		wantRung(t, "a suspicion", duty, 8, 9, 10)
		duty.watch.doubts[9].called = never // in time
		wantRung(t, "the same", duty)
		if w := duty.rec(suspect.self.Index).Word(); region.StateOf(w) != region.StAlive {
			t.Errorf("a suspect whose byte is locked is %#x", w)
		}
		suspect.unsuspected() // it was none, and the next is another suspicion
		duty.lookAt(still)
	}
	for _, id := range []region.Identity{{PID: uint32(myPID)}, me.Load().identity()} { // nobody can ask; the others can no better
		for _, a := range others {
			a.claims(id)
		}
		suspect.suspected()
		wantRung(t, fmt.Sprintf("a suspicion of %+v", id), duty, 9)
		suspect.unsuspected()
		duty.lookAt(still)
	}
}

// Those who are called may be stopped, or as dead as the suspect: others are,
// until it has been the turn of all, and again.
func TestAllAreCalledInTurn(t *testing.T) {
	duty, _, others := onWatch(t, 11, true)
	others[0].suspected()
	duty.lookAt(still)
	duty.watch.doubts[8].called, duty.watch.doubts[8].next = never, never
	others[9].suspected()
	wantRung(t, "at first", duty, 9, 10, 11, 12, 17)
	d := duty.watch.doubts[17]
	d.called = never
	wantRung(t, "at once", duty)
	for _, want := range [][]uint32{{13, 14, 15, 16}, {18}, {9, 10, 11, 12}} {
		wait := int64(calledWait)
		if want[0] == 9 { // once more
			wait = dutyRound
		}
		if got := d.callWait(); got != wait {
			t.Errorf("others are called %d ns later, want %d", got, wait)
		}
		d.called = still - d.callWait()
		wantRung(t, "later", duty, want...)
	}
}

// Whoever was killed where only his own namespaces can tell is recovered by one
// of those who is not on duty, though a forked child keeps its byte locked:
// also on the way in or out, and if the one who has declared it dead has died, too.
func TestForeignDeathIsHandedOn(t *testing.T) {
	for _, state := range []uint32{region.StAlive, region.StAttaching, region.StLeaving, region.StDead} {
		duty, _, others := onWatch(t, 2, true)
		victim, near := others[0], others[1]
		near.lookAbroad()
		near.onlyDoubts()
		rec := duty.rec(victim.self.Index)
		if state == region.StAlive {
			victim.suspected()
		}
		rec.Move(rec.Word(), region.RecordWord(victim.self.Epoch, state))
		who := rungBy(duty.words, func() {
			for range 3 {
				duty.lookAt(still)
				duty.later()
			}
		})
		if !slices.Contains(who, near.self.Index) {
			t.Errorf("state %d: rung for %v, want %d among them", state, who, near.self.Index)
		}
		if w := rec.Word(); w != region.RecordWord(victim.self.Epoch, state) {
			t.Errorf("state %d becomes %#x without a proof", state, w)
		}
		near.lookAbroad()
		if w := rec.Word(); w != region.RecordWord(victim.self.Epoch, region.StFree) {
			t.Errorf("who was killed in state %d is %#x when one of its namespace has looked", state, w)
		}
		if near.watch.shift.post >= 0 {
			t.Error("it is on duty")
		}
	}
}

// A suspicion that lasts takes nothing from another: that is looked at soon
// again, and the first not for it.
func TestEachSuspicionHasItsPace(t *testing.T) {
	duty, off, others := onWatch(t, 2, false)
	lasts, other := others[0], others[1]
	wantAgain := func(when string, a *attachment, within int64) {
		t.Helper()
		a.onlyDoubts()
		l := a.lookAt(still)
		if in := l.again - still; l.again == 0 || in > within {
			t.Errorf("%s: looks again in %d ns, want %d at most", when, in, int64(within))
		}
	}
	lasts.suspected()
	for _, tt := range []struct {
		when string
		a    *attachment
		wait int64
	}{{"who is on duty", duty, dutyPeriod}, {"who watched it", off, never}} {
		a := tt.a
		look := func() { a.later(); a.watched(nil, watchers); a.lookAt(still) }
		look()
		wantAgain(tt.when+" at first", a, proofWait)
		a.watch.doubts[8].looks = doubtLooks
		look()
		a.onlyDoubts()
		l := a.lookAt(still)
		if in := l.again - still; a == duty && (l.again == 0 || in > dutyPeriod) || a == off && l.again != 0 {
			t.Errorf("%s, after so many looks: looks again in %d ns", tt.when, in)
		}
	}
	other.suspected()
	for _, a := range []*attachment{duty, off} {
		a.watch.doubts[8].next = never
		looks := a.watch.doubts[8].looks
		a.watched(nil, watchers)
		wantAgain("another suspect", a, proofWait)
		if n := a.watch.doubts[8].looks - looks; n != 0 {
			t.Errorf("a proof was looked for where it was not time to, %d times, on duty %v", n, a == duty)
		}
	}
	other.die() // the proof was late
	off.later()
	off.lookAt(still)
	if w := off.rec(9).Word(); w != region.RecordWord(other.self.Epoch, region.StFree) {
		t.Errorf("a suspect whose proof is there at the second look is %#x", w)
	}
}

// Who is not on duty, and has not watched a suspect, looks for a proof now and
// then if it is awake; if it is rung for, for a while.
func TestSuspicionDisturbsFew(t *testing.T) {
	_, off, others := onWatch(t, 1, false)
	others[0].suspected()
	looks := func() int { return off.watch.doubts[8].looks }
	var l look
	if who := rungBy(off.words, func() { l = off.lookAt(still); off.lookAt(still) }); l.again != 0 || looks() != 1 || len(who) != 0 {
		t.Errorf("one whom it does not concern looks again at %d, has looked %d times, and has rung for %v", l.again, looks(), who)
	}
	off.later()
	if l := off.lookAt(still); l.again != 0 || looks() != 2 {
		t.Errorf("a round later it looks again at %d, and has looked %d times", l.again, looks())
	}
	off.ring(off.self.Index)
	n := 0
	for off.lookAt(still).again != 0 && n < 2*calledLooks {
		off.later()
		n++
	}
	if looks() != calledLooks || n < calledLooks-5 {
		t.Errorf("who is rung for has looked %d times, %d for that", looks(), n)
	}
	off.ring(off.self.Index)
	if l := off.lookAt(still); l.again != 0 || looks() != calledLooks+1 {
		t.Errorf("rung for again it looks again at %d, and has looked %d times", l.again, looks())
	}
}

// How long a guard sleeps. Where it has to look at its words by itself, being on
// duty bounds that: a wake-up that went to who is stopped is its affair.
func TestHowLongGuardsSleep(t *testing.T) {
	for _, tt := range []struct {
		l    look
		duty bool
		want int64
	}{
		{look{}, false, 0},
		{look{again: 7}, false, 7},
		{look{}, true, 100 + dutyRound},
		{look{again: 7}, true, 7},
		{look{moving: true}, true, 100 + dutyPeriod},
		{look{moving: true, again: 7}, true, 7},
		{look{moving: true, again: never}, true, 100 + dutyPeriod},
	} {
		if got := until(tt.l, 100, tt.duty); got != tt.want {
			t.Errorf("%+v, on duty %v: until %d, want %d", tt.l, tt.duty, got, tt.want)
		}
	}
	var all look
	for _, l := range []look{{others: 3}, {others: 1, again: 9, moving: true}, {others: 2, again: 7}, {moving: true}} {
		all.add(l)
	}
	if want := (look{others: 6, again: 7, moving: true}); all != want {
		t.Errorf("in all regions: %+v, want %+v", all, want)
	}
	for _, tt := range []struct {
		most, words int
		duty, waitv bool
		want        int64
	}{
		{999, 5, false, true, 0},
		{999, 5, true, true, dutyPeriod},
		{999, sys.MaxWaitv + 1, false, true, dutyPeriod},
		{0, 5, false, false, plainWait},
		{63, 5, true, false, plainWait},
		{999, 5, false, false, 15 * plainWait},
		{999, 5, true, false, dutyPeriod},
	} {
		if got := period(tt.most, tt.words, tt.duty, tt.waitv); got != tt.want {
			t.Errorf("%+v: every %d ns", tt, got)
		}
	}
}
