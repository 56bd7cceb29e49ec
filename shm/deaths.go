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
//	(b) in the same pid namespace, /proc says that the process is gone, is
//	    another one, or has no thread that will run user code again.
//
// (a) alone would come late for a process with gigabytes to give back, and not
// at all while a child that it forked without exec lives on. A stopped or
// paused process is neither.
//
// The byte is locked before Attaching is stored and until after Free is, and
// the identity that (b) asks for is written before Attaching, too; so a word
// that was read before the proof names the one that the proof is about, and
// the CAS of that word to Dead is exact.

// look is the guard's look at all other participants of a region: it finds the
// dead, recovers them, and tells who listens in Exits. It reports whether
// there are others, and whether one is suspected without a proof yet.
func (a *attachment) look() (others, suspects bool) {
	n := a.g.participants
	a.takeTurn()
	for i := range n {
		if i == a.self.Index {
			continue
		}
		r := a.rec(i)
		w := r.word()
		switch stateOf(w) {
		case stAttaching, stAlive, stLeaving:
			others = true
			suspect := r.alive()&sys.FutexOwnerDied != 0
			// Who attaches or leaves has no node in any list for a moment; the
			// others are looked at in turn, in case the list was silenced.
			if suspect || stateOf(w) != stAlive || i == a.watch.turn {
				if a.proven(r) {
					a.declare(r, w, !suspect)
				} else if suspect {
					suspects = true
				}
			}
		case stDead:
			others = true
		}
		a.note(r)
		if w = r.word(); stateOf(w) == stDead {
			a.recoverDead(r, epochOf(w))
			a.note(r)
		}
	}
	return others, suspects
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

// proven reports whether the participant of r is dead. The caller has read
// r's word before, and moves it by CAS.
func (a *attachment) proven(r record) bool {
	if held, err := sys.Test(a.private, r.byteOffset()); err == nil && !held {
		return true
	}
	id := r.identity()
	return id.ns != 0 && id.ns == myNamespace && sys.Ended(int(id.pid), id.start)
}

// declare marks the participant whose word was w dead, and tells everybody.
func (a *attachment) declare(r record, w uint64, unheard bool) {
	if r.move(w, recordWord(epochOf(w), stDead)) && unheard && !a.readOnly {
		mem.Add64(a.rec(a.self.Index).p64(recRescued), 1)
	}
}

// begin takes down who is there now, so that what goes from here on is told.
func (a *attachment) begin() {
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
	there := func(w uint64) bool { return stateOf(w) != stFree && stateOf(w) != stDead }
	if there(s.word) && (!there(w) || epochOf(w) != epochOf(s.word)) {
		a.watch.tell(r.exit(s.who, w))
	} else if epochOf(w) != epochOf(s.word) && !there(w) {
		a.watch.tell(r.exit(p, w)) // it came and went between two looks
	}
	*s = sight{w, p}
}

// exit is p as it is told to those who listen, w being the record's word now.
func (r record) exit(p Participant, w uint64) Participant {
	p.State = Leaving
	if epochOf(w) == p.Epoch && stateOf(w) == stDead || r.died(p.Epoch) {
		p.State = Dead
	}
	return p
}

// died reports whether the last exit from the record was the death of epoch.
// Of an exit before the last one nothing is known any more; it is taken for a
// death.
func (r record) died(epoch uint32) bool {
	last := mem.Load64(r.p64(recLastExit))
	return epochOf(last) != epoch || stateOf(last) == stDead
}
