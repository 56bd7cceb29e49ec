package shm

import (
	"errors"
	"math/rand/v2"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// Recovery of a dead participant: by one recoverer at a time, named in the
// record by CAS (rule 1), through the engines of all objects that the dead one
// had open. An engine's recovery is idempotent, runs beside live operations
// and bumps and wakes what it touched (rule 5), so a recoverer that dies is
// simply followed by another, from the start.
//
// A recoverer that is stopped half-way is not followed: what the dead one held
// stays held until it continues or dies. Two at once would be one too many, for
// the second could free the record while the first is still at it, and the
// first would go on to clear the rows of the participant that has the record
// then.
//
// One that lives but cannot go on, since its build does not know a kind of
// object that the dead one had open, takes its name back: the record stays
// Dead, for one that can. It tells the others so and does not try again, so
// each process tries once, and no two of them keep each other busy.

// recoverDead recovers the participant of r, which is dead in epoch, unless a
// living process is at it. Where the caller has not seen the proof it looks for
// one: a record that merely says Dead may be that of a living process, and
// corrupt; its owner puts it right (deaths.go). It reports false if there is none.
func (a *attachment) recoverDead(r record, epoch uint32, proven bool) bool {
	a.recovering.Lock()
	tried := a.tried(r, epoch)
	a.recovering.Unlock()
	if tried {
		return true // it stays as it is, for ever perhaps: no proof is looked for again and again
	}
	if !proven && !a.proven(r, region.RecordWord(epoch, region.StDead)) {
		return false
	}
	a.recoverNamed(a.env, r, epoch, region.PackRecoverer(epoch, a.self.Index+1, a.self.Epoch))
	a.reclaimSoon()
	return true
}

// recoverNewly does it for a newcomer that holds the dead one's byte. What there
// is to reclaim then it sees when it is attached.
func (a *attachment) recoverNewly(r record, epoch uint32) {
	env := a.env
	env.Self = engine.Self{Index: r.I, Epoch: epoch} // it has no other name yet, and the dead one needs it no more
	a.recoverNamed(env, r, epoch, region.PackRecoverer(epoch, region.NewcomerIndex, rand.Uint32()))
}

func (a *attachment) recoverNamed(env engine.Env, r record, epoch uint32, name uint64) {
	a.recovering.Lock()
	defer a.recovering.Unlock()
	if a.tried(r, epoch) || !a.nameRecoverer(r, epoch, name) {
		return
	}
	if a.recoverAs(env, r, epoch) {
		return
	}
	if a.beyond == nil {
		a.beyond = map[uint32]uint32{}
	}
	a.beyond[r.I] = epoch
	if mem.CAS64(r.P64(region.RecRecoverer), name, region.PackRecoverer(epoch, 0, 0)) {
		a.changed() // or those who left it to this process would not look again
	}
}

// tried reports whether this process has found that it cannot recover the
// participant of r that died in epoch. recovering is held.
func (a *attachment) tried(r record, epoch uint32) bool {
	e, ok := a.beyond[r.I]
	return ok && e == epoch
}

// nameTries bounds the turns in which others are faster.
const nameTries = 64

// nameRecoverer writes want into the record, or reports false: the record has
// moved on, or its recoverer lives.
func (a *attachment) nameRecoverer(r record, epoch uint32, want uint64) bool {
	p := r.P64(region.RecRecoverer)
	for range nameTries {
		v := mem.Load64(p) // before the word: so it is of no later death than this one
		if r.Word() != region.RecordWord(epoch, region.StDead) {
			return false
		}
		if v == want {
			return true // by an earlier try of this process
		}
		if de, index1, e := region.UnpackRecoverer(v); de == epoch&region.RecovererEpochs && index1 != 0 && a.recovererLives(r, index1, e) {
			return false
		}
		if mem.CAS64(p, v, want) {
			// Every claimer reads the word after its CAS; a claimer that finds
			// the word moved on has written a name into a record that it is not
			// recovering, which the record's next death ignores by the epoch in
			// the name. It has written over no name of that death: whoever takes
			// the record changes the word here before.
			return r.Word() == region.RecordWord(epoch, region.StDead)
		}
	}
	return false
}

// recovererLives reports whether the recoverer that r names may still be at
// it. A record that says so is no answer: its process may be dead without
// anybody's having noticed, and a process that goes through the records in
// their order may come to that one later, or have been there before it died.
func (a *attachment) recovererLives(r record, index1, e uint32) bool {
	if index1 == region.NewcomerIndex {
		held, err := sys.Test(a.private, r.ByteOffset())
		return err != nil || held
	}
	if index1 > a.Geo.Participants {
		return false
	}
	by := a.rec(index1 - 1)
	w := by.Word()
	if region.EpochOf(w) != e || !region.Present(w) {
		return false
	}
	if !a.proven(by, w) {
		return true
	}
	a.declare(by, w, false)
	return false
}

// recoverAs does it; the caller is named in the record. It reports false if it
// cannot: the record stays Dead.
func (a *attachment) recoverAs(env engine.Env, r record, epoch uint32) bool {
	if !a.recoverObjects(env, engine.Self{Index: r.I, Epoch: epoch}) {
		return false
	}
	r.Exited(epoch, true)
	if !r.Move(region.RecordWord(epoch, region.StDead), region.RecordWord(epoch, region.StFree)) {
		return true
	}
	a.ended(r, epoch) // the sleepers on what it held were woken first
	if !a.readOnly && env.Self.Index != r.I {
		mem.Add64(a.rec(env.Self.Index).P64(region.RecRecovered), 1)
	}
	return true
}

// recoverObjects takes back whatever dead left in the directory's lock and in
// the objects it had open, and closes them in its name. It reports false if
// there is an object that nobody here can recover.
func (w words) recoverObjects(env engine.Env, dead engine.Self) bool {
	known := w.recoverObject(env, dead, engine.KindMutex, w.Sub(region.HdrDirLock, engine.MutexSize))
	// Conds come last: a waiter on one looks at its lock, too.
	for _, conds := range [...]bool{false, true} {
		w.EachOpen(dead.Index, func(entry uint32, kind engine.Kind, area mem.Area) error {
			if (kind == engine.KindCond) == conds {
				known = w.recoverObject(env, dead, kind, area) && known
			}
			return nil
		})
	}
	if known {
		w.ClearOpeners(dead.Index)
	}
	return known
}

// recoverObject reports false if nobody here can.
func (w words) recoverObject(env engine.Env, dead engine.Self, kind engine.Kind, area mem.Area) bool {
	ops, ok := engine.OpsOf(kind)
	if !ok {
		return false
	}
	// A corrupt object stays as it is and says so to every call that uses it;
	// the others, and the record, are not to suffer for it.
	err := ops.Recover(area, env, dead)
	return err == nil || errors.Is(err, engine.ErrCorrupt)
}
