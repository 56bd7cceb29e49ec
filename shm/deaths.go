package shm

import (
	"example.com/tandem/internal/mem"
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
// at all while a child that it forked without exec lives on. A stopped or
// paused process is neither.
//
// (b) is asked for only where both know their namespaces and the record has its
// process's start time (me.go): what is unknown proves nothing. A start time of 0
// is what an earlier build wrote where it could not read its own: unknown, too.
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

// look is the guard's look at all other participants of a region: it finds the
// dead, recovers them, and tells who listens in Exits. It reports whether
// there are others, and whether one is suspected without a proof yet.
func (a *attachment) look() (others, suspects bool) {
	a.takeTurn()
	from, count := a.takeRun()
	for i := range a.g.participants {
		r := a.rec(i)
		w := r.word()
		if i == a.self.Index {
			a.restore(r, w)
			continue
		}
		var proven bool
		if there(w) {
			suspect := r.alive()&sys.FutexOwnerDied != 0
			// Who attaches or leaves has no node in any list for a moment; the
			// others are looked at in turn, in case the list was silenced.
			switch {
			case suspect || stateOf(w) != stAlive || i == a.watch.turn:
				proven = a.proven(r, w)
			case (i-from+a.g.participants)%a.g.participants < count:
				proven = a.obvious(r, w)
			}
			if proven {
				a.declare(r, w, !suspect)
			}
			suspects = suspects || suspect && !proven
		}
		others = others || stateOf(w) != stFree
		a.note(r)
		was := w
		if w = r.word(); stateOf(w) == stDead {
			a.recoverDead(r, epochOf(w), proven && epochOf(w) == epochOf(was))
			a.note(r)
		}
	}
	return others, suspects
}

// restore puts the word of this process's own record right if somebody else
// has scribbled on it.
func (a *attachment) restore(r record, w uint64) {
	if epochOf(w) != a.self.Epoch || !there(w) || stateOf(w) > stDead {
		r.move(w, recordWord(a.self.Epoch, stAlive))
	}
}

// The silenced are looked for as often as the backstop goes off, so many of
// them at a time: testing a byte takes the longer the more are locked.
const silencedRun = 64

// takeRun is the run of participants whose turn it is to be looked at by cheap
// means.
func (a *attachment) takeRun() (from, count uint32) {
	now := sys.MonotonicNow()
	if now-a.watch.last < int64(backstop)/2 {
		return 0, 0
	}
	a.watch.last = now
	from = a.watch.next % a.g.participants
	a.watch.next = from + silencedRun
	return from, silencedRun
}

// takeTurn passes the turn to the next one alive.
func (a *attachment) takeTurn() {
	n := a.g.participants
	for k := uint32(1); k <= n; k++ {
		i := (a.watch.turn + k) % n
		if i != a.self.Index && stateOf(a.rec(i).word()) == stAlive {
			a.watch.turn = i
			return
		}
	}
}

// proven reports whether the participant of r is dead. The caller has read w
// as r's word before, and moves it by CAS.
func (a *attachment) proven(r record, w uint64) bool {
	if a.obvious(r, w) {
		return true
	}
	id, ok := r.identity(epochOf(w))
	return ok && me.Load().ended(id)
}

// obvious is what two cheap system calls can prove.
func (a *attachment) obvious(r record, w uint64) bool {
	if held, err := sys.Test(a.private, r.byteOffset()); err == nil && !held {
		return true
	}
	id, ok := r.identity(epochOf(w))
	return ok && me.Load().gone(id)
}

// declare marks the participant whose word was w dead, and tells everybody.
func (a *attachment) declare(r record, w uint64, unheard bool) {
	if r.move(w, recordWord(epochOf(w), stDead)) && unheard && !a.readOnly {
		mem.Add64(a.rec(a.self.Index).p64(recRescued), 1)
	}
}

// beginWatch takes down who is there now, so that what goes from here on is told.
func (a *attachment) beginWatch() {
	a.watch.seen = make([]sight, a.g.participants)
	for i := range a.watch.seen {
		r := a.rec(uint32(i))
		p, w := r.read()
		a.watch.seen[i] = sight{w, p}
	}
}

// note compares a record with what was last seen of it, and tells of exits.
func (a *attachment) note(r record) {
	s := &a.watch.seen[r.i]
	p, w := r.read()
	if w == s.word {
		return
	}
	from, to := epochOf(s.word), epochOf(w)
	if there(s.word) && (!there(w) || from != to) {
		a.watch.tell(r.exit(s.who, w))
	}
	if n := to - from; 1 < n && n <= 32 { // they came and went between two looks; a greater leap is corruption
		for e := from + 1; e != to; e++ {
			a.watch.tell(r.exit(Participant{Index: int(r.i), Epoch: e}, w))
		}
	}
	if from != to && !there(w) { // and so did this one
		if _, ok := r.identity(to); !ok { // p may be half the next one's
			p = Participant{Index: int(r.i), Epoch: to}
		}
		a.watch.tell(r.exit(p, w))
	}
	*s = sight{w, p}
}

// exit is p as it is told to those who listen, w being the record's word now.
func (r record) exit(p Participant, w uint64) Participant {
	p.State = Leaving
	if w == recordWord(p.Epoch, stDead) || r.died(p.Epoch) {
		p.State = Dead
	}
	return p
}
