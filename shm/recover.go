package shm

import (
	"errors"
	"math/rand/v2"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
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
// first would go on to clear the rows of whoever has the record then.

// recoverDead recovers the participant of r, which is dead in epoch, unless a
// living process is at it. Where the caller has not seen the proof it looks for
// one: a record that merely says Dead may be that of a living process, and
// corrupt; its owner puts it right (deaths.go).
func (a *attachment) recoverDead(r record, epoch uint32, proven bool) {
	if !proven && !a.proven(r, recordWord(epoch, stDead)) {
		return
	}
	a.recovering.Lock()
	defer a.recovering.Unlock()
	if a.nameRecoverer(r, epoch, packRecoverer(epoch, a.self.Index+1, a.self.Epoch)) {
		a.recoverAs(a.env, r, epoch)
	}
}

// recoverNewly does it for a newcomer that holds the dead one's byte.
func (a *attachment) recoverNewly(r record, epoch uint32) {
	if a.nameRecoverer(r, epoch, packRecoverer(epoch, newcomerIndex, rand.Uint32())) {
		env := a.env
		env.Self = engine.Self{Index: r.i, Epoch: epoch} // it has no other name yet, and the dead one needs it no more
		a.recoverAs(env, r, epoch)
	}
}

// nameRecoverer writes want into the record, or reports false: the record has
// moved on, or its recoverer lives.
func (a *attachment) nameRecoverer(r record, epoch uint32, want uint64) bool {
	p := r.p64(recRecoverer)
	for range 64 { // each turn but the first means that another was faster
		if r.word() != recordWord(epoch, stDead) {
			return false
		}
		v := mem.Load64(p)
		if v == want {
			return true // by an earlier try of this process
		}
		if de, index1, e := unpackRecoverer(v); de == epoch&(1<<21-1) && index1 != 0 && a.recovererLives(r, index1, e) {
			return false
		}
		if mem.CAS64(p, v, want) {
			// Every claimer reads the word after its CAS; whoever finds it moved
			// on has written a name into a record that it is not recovering,
			// which the record's next death ignores by the epoch in the name.
			return r.word() == recordWord(epoch, stDead)
		}
	}
	return false
}

func (a *attachment) recovererLives(r record, index1, e uint32) bool {
	if index1 == newcomerIndex {
		held, err := sys.Test(a.private, r.byteOffset())
		return err != nil || held
	}
	if index1 > a.g.participants {
		return false
	}
	w := a.rec(index1 - 1).word()
	return epochOf(w) == e && there(w)
}

// recoverAs does it; the caller is named in the record.
func (a *attachment) recoverAs(env engine.Env, r record, epoch uint32) {
	if !a.recoverObjects(env, engine.Self{Index: r.i, Epoch: epoch}) {
		return // of a kind that this build does not know: the record stays Dead
	}
	r.exited(epoch, true)
	if r.move(recordWord(epoch, stDead), recordWord(epoch, stFree)) && !a.readOnly && env.Self.Index != r.i {
		mem.Add64(a.rec(env.Self.Index).p64(recRecovered), 1)
	}
}

// recoverObjects takes back whatever dead left in the directory's lock and in
// the objects it had open, and closes them in its name. It reports false if
// there is an object that nobody here can recover.
func (w words) recoverObjects(env engine.Env, dead engine.Self) bool {
	lock, _ := engine.OpsOf(engine.KindMutex)
	known := lock.Recover(w.Sub(hdrDirLock, engine.MutexSize), env, dead) == nil
	// Conds come last: who waits on one looks at its lock, too.
	for _, conds := range [...]bool{false, true} {
		w.eachOpen(dead.Index, func(entry uint32, kind engine.Kind, area mem.Area) error {
			if (kind == engine.KindCond) == conds {
				known = w.recoverObject(env, dead, kind, area) && known
			}
			return nil
		})
	}
	if known {
		w.clearOpeners(dead.Index)
	}
	return known
}

// recoverObject reports false if nobody here can.
func (w words) recoverObject(env engine.Env, dead engine.Self, kind engine.Kind, area mem.Area) bool {
	ops, ok := engine.OpsOf(kind)
	if !ok {
		return false
	}
	// A corrupt object stays as it is and says so to whoever uses it; the
	// others, and the record, are not to suffer for it.
	err := ops.Recover(area, env, dead)
	return err == nil || errors.Is(err, engine.ErrCorrupt)
}
