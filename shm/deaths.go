package shm

import (
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// Who is dead. A participant is *suspected* when the kernel has set
// FUTEX_OWNER_DIED in its alive word: its guard's thread is gone. It is
// *proven* dead by either of
//
//	(a) its byte of the file is not locked: the lock belongs to an open file
//	    description of its own, so nobody has that open any more;
//	(b) in the same pid namespace, the kernel says that the process is gone, or
//	    /proc that it is another one, or has no thread that will run user code
//	    again.
//
// (a) alone would come late for a process with gigabytes to give back, and not
// at all while a child that it forked without exec lives on; so a process of
// another namespace, which has only (a), calls those that have (b) (doubts.go).
// A stopped or paused process is neither.
//
// (b) is asked for only where both know their namespaces and the record has its
// process's start time (me.go): what is unknown proves nothing.
//
// (b) is believed only if the record's sum is right; and the state of a record
// is believed to be Dead only with a proof (recover.go). So nothing that is
// scribbled on a living process's record takes anything from it: the others
// find no proof, and its own guard puts the word right.
//
// The byte is locked before Attaching is stored and until after Free is, and
// the identity that (b) asks for is written before Attaching, too; so a word
// that was read before the proof names the one that the proof is about, and
// the CAS of that word to Dead is exact.

// A look is what the guard finds in one look at all other participants of a
// region.
type look struct {
	others int   // so many are there, or dead
	again  int64 // when the next is due, as far as doubts go (doubts.go); 0: never
	moving bool  // on duty one looks again soon: one comes or goes, or an end may not be told
}

// look finds the dead, recovers them, and tells the listeners in Exits. Most
// records are as they were at the last look, and cost two loads. A guard on
// duty also looks for ends that nobody tells of: of those that come and go, in
// every look, and, round by round, of all.
func (a *attachment) look() look { return a.lookAt(sys.MonotonicNow()) }

func (a *attachment) lookAt(now int64) (l look) {
	duty := a.takeDuty(now)
	turn, from, count := a.takeRound(duty, now)
	seen := &a.watch
	seen.locked = seen.locked[:0]
	a.tellUntold(duty)
	bell := mem.Load32(a.rec(a.self.Index).P32(region.RecBell))
	rung := bell != seen.bell
	seen.bell = bell
	news := false
	for i := range a.Geo.Participants {
		r := a.rec(i)
		w, alive := r.Word(), r.Alive()
		if i == a.self.Index {
			a.restore(r, w, alive)
			seen.words[i], seen.alive[i] = w, alive
			continue
		}
		if region.StateOf(w) != region.StFree {
			l.others++
		}
		if duty && region.Present(w) {
			seen.locked = append(seen.locked, r.ByteOffset())
		}
		st, suspect := region.StateOf(w), region.Present(w) && alive&sys.FutexOwnerDied != 0
		steady := st == region.StFree || st == region.StAlive && !suspect
		if steady {
			seen.endDoubt(i)
		}
		tried := i == turn || count > 0 && (i-from+a.Geo.Participants)%a.Geo.Participants < count || r.ByteOffset() == seen.found
		if steady && !tried && w == seen.words[i] && (!duty || alive == seen.alive[i]) {
			seen.alive[i] = alive
			continue
		}
		stays := region.Present(w) && st != region.StAlive && (rung || duty && w == seen.words[i]) // on the way in or out
		var proven bool
		var again int64
		switch {
		case suspect:
			proven, again = a.suspect(r, w, now, duty, rung, tried)
		case region.Present(w) && i == turn, stays:
			proven = a.proven(r, w)
		case region.Present(w) && (tried || duty && st != region.StAlive):
			proven = a.obvious(r, w)
		}
		switch {
		case proven:
			a.declare(r, w, !suspect)
		case suspect:
		case duty && w == seen.words[i]:
			a.ask(r, w, tried, alive != seen.alive[i])
			if stays {
				again = a.linger(r, region.EpochOf(w), now)
			}
		}
		news = news || w != seen.words[i]
		was := w
		if w = r.Word(); region.StateOf(w) == region.StDead {
			sure := proven && region.EpochOf(w) == region.EpochOf(was)
			if sure || count > 0 || !a.inHands(r, region.EpochOf(w)) {
				if !a.recoverDead(r, region.EpochOf(w), sure) && duty {
					again = a.linger(r, region.EpochOf(w), now)
				}
			}
		}
		a.note(r) // those who slept on what it held were woken first
		l.again = earlier(l.again, again)
		seen.alive[i] = alive
		l.moving = l.moving || region.Present(seen.words[i]) && region.StateOf(seen.words[i]) != region.StAlive
	}
	seen.found = -1
	// A process that is stopped on the way in or out is not looked at all the
	// time.
	if seen.still++; news || !l.moving {
		seen.still = 0
	}
	l.moving = duty && (l.moving && seen.still < dutyStill || len(seen.untold) > 0)
	return l
}

// tellUntold is for a guard on duty: of the ends that it noted in earlier looks
// it tells those that are not told yet. The process that should have told them
// was killed then, or is stopped, or of a build that does not.
func (a *attachment) tellUntold(duty bool) {
	if duty {
		for _, g := range a.watch.untold {
			r := a.rec(g.i)
			if told := mem.Load32(r.P32(region.RecTold)); int32(told-g.epoch) < 0 {
				a.ended(r, g.epoch)
			}
		}
	}
	a.watch.untold = a.watch.untold[:0]
}

// restore puts the words of this process's own record right if somebody else
// has scribbled on them.
func (a *attachment) restore(r record, w uint64, alive uint32) {
	if region.EpochOf(w) != a.self.Epoch || !region.Present(w) || region.StateOf(w) > region.StDead {
		r.Move(w, region.RecordWord(a.self.Epoch, region.StAlive))
	}
	if a.linked != 0 && alive != a.linked {
		mem.Store32(r.P32(region.RecAlive), a.linked)
	}
}

// ask rings, once, for the owner of a record whose word says that it has none,
// or that it is dead, and whose byte is locked; and for one whose alive word has
// changed: they sleep, and would not notice that somebody scribbled on it.
func (a *attachment) ask(r record, w uint64, tried, changed bool) {
	if region.StateOf(w) == region.StAlive {
		if changed {
			a.ring(r.I)
		}
		return
	}
	if region.Present(w) || region.StateOf(w) == region.StFree && !tried || a.watch.asked[r.I] == w|1<<31 {
		return
	}
	if held, err := sys.Test(a.private, r.ByteOffset()); err == nil && held {
		a.watch.asked[r.I] = w | 1<<31 // no word of a record's has that bit, so 0 is none
		a.ring(r.I)
	}
}

// inHands reports whether somebody is named as the recoverer of the participant
// of r, of whom nothing says that he is dead, too.
func (a *attachment) inHands(r record, epoch uint32) bool {
	de, index1, e := region.UnpackRecoverer(mem.Load64(r.P64(region.RecRecoverer)))
	if de != epoch&region.RecovererEpochs || index1 == 0 {
		return false
	}
	if index1 == region.NewcomerIndex {
		held, err := sys.Test(a.private, r.ByteOffset())
		return err != nil || held
	}
	if index1 > a.Geo.Participants {
		return false
	}
	by := a.rec(index1 - 1)
	w := by.Word()
	return region.EpochOf(w) == e && region.Present(w) && by.Alive()&sys.FutexOwnerDied == 0
}

// roundRun is how many participants a round tries by cheap means: testing a
// byte takes the longer the more are locked.
const roundRun = 64

// takeRound begins a round if it is time for one: one participant, turn, is
// tried by all means, and a run of them by cheap ones.
func (a *attachment) takeRound(duty bool, now int64) (turn, from, count uint32) {
	s, n := &a.watch.shift, a.Geo.Participants
	if !duty || now-s.round < dutyRound*9/10 {
		return n, 0, 0
	}
	s.round = now
	for k := uint32(1); k <= n; k++ {
		i := (a.watch.turn + k) % n
		if i != a.self.Index && region.StateOf(a.rec(i).Word()) == region.StAlive {
			a.watch.turn = i
			break
		}
	}
	from = a.watch.next % n
	a.watch.next = from + roundRun
	return a.watch.turn, from, roundRun
}

// proven reports whether the participant of r is dead. The caller has read w
// as r's word before, and moves it by CAS.
func (a *attachment) proven(r record, w uint64) bool {
	if a.obvious(r, w) {
		return true
	}
	id, ok := r.Identity(region.EpochOf(w))
	return ok && me.Load().ended(id)
}

// obvious is what two cheap system calls can prove.
func (a *attachment) obvious(r record, w uint64) bool {
	if held, err := sys.Test(a.private, r.ByteOffset()); err == nil && !held {
		return true
	}
	id, ok := r.Identity(region.EpochOf(w))
	return ok && me.Load().gone(id)
}

// declare marks the participant whose word was w dead.
func (a *attachment) declare(r record, w uint64, unheard bool) {
	if r.Move(w, region.RecordWord(region.EpochOf(w), region.StDead)) && unheard && !a.readOnly {
		mem.Add64(a.rec(a.self.Index).P64(region.RecRescued), 1)
	}
}

// beginWatch records who is there now, so that what goes from here on is told.
func (a *attachment) beginWatch() {
	n, w := a.Geo.Participants, &a.watch
	w.words, w.alive = make([]uint64, n), make([]uint32, n)
	w.asked = make([]uint64, n)
	w.found, w.nextLocked = -1, -1
	for i := range n {
		w.words[i] = a.rec(i).Word()
	}
}

// beginTelling admits a listener, which is told of what ends from here on: what
// has ended before is noted first. Until somebody listens, it is of no interest
// who those are that are there.
func (a *attachment) beginTelling(e *exits) {
	first := a.watch.who == nil
	if first {
		a.watch.who = make([]Participant, a.Geo.Participants)
	}
	for i := range a.Geo.Participants {
		if i == a.self.Index {
			continue
		}
		r := a.rec(i)
		a.note(r)
		if first {
			a.watch.who[i], a.watch.words[i] = r.read()
		}
	}
	a.watch.admit(e)
}

// note compares a record with what was last seen of it, and tells of exits.
func (a *attachment) note(r record) {
	seen := &a.watch.words[r.I]
	w := r.Word()
	if w == *seen {
		return
	}
	exits := false
	var was, is Participant
	if a.watch.who != nil {
		was = a.watch.who[r.I]
		is, w = r.read()
		a.watch.who[r.I] = is
	}
	from, to := region.EpochOf(*seen), region.EpochOf(w)
	if region.Present(*seen) && (!region.Present(w) || from != to) {
		exits = true
		a.watch.tell(r.exit(was, w))
	}
	if n := to - from; 1 < n && n <= 32 { // they came and went between two looks; a greater leap is corruption
		for e := from + 1; e != to; e++ {
			exits = true
			a.watch.tell(r.exit(Participant{Index: int(r.I), Epoch: e}, w))
		}
	}
	if from != to && !region.Present(w) { // and so did this one
		if _, ok := r.Identity(to); !ok { // it may be half the next one's
			is = Participant{Index: int(r.I), Epoch: to}
		}
		exits = true
		a.watch.tell(r.exit(is, w))
	}
	*seen = w
	if exits {
		g := anEnd{r.I, to}
		if region.Present(w) {
			g.epoch = to - 1
		}
		a.watch.untold = append(a.watch.untold, g)
	}
}

// exit is p as it is told to those who listen, w being the record's word now.
func (r record) exit(p Participant, w uint64) Participant {
	p.State = Leaving
	if w == region.RecordWord(p.Epoch, region.StDead) || r.Died(p.Epoch) {
		p.State = Dead
	}
	return p
}
