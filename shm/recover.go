package shm

import (
	"errors"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
)

// Recovery of a dead participant: by one recoverer at a time, named in the
// record by CAS (rule 1), through the engines of all objects that the dead one
// had open. An engine's recovery is idempotent, runs beside live operations
// and bumps and wakes what it touched (rule 5), so a recoverer that dies is
// simply followed by another, from the start.

// recoverDead recovers the participant of r, which is dead in epoch, unless a
// living process is at it.
func (a *attachment) recoverDead(r record, epoch uint32) {
	a.recovering.Lock()
	defer a.recovering.Unlock()
	if a.nameRecoverer(r, epoch, a.self) {
		a.recoverAs(r, epoch)
	}
}

// nameRecoverer writes who into the record, or reports false: the record has
// moved on, or its recoverer lives.
func (a *attachment) nameRecoverer(r record, epoch uint32, who engine.Self) bool {
	p := r.p64(recRecoverer)
	for {
		if r.word() != recordWord(epoch, stDead) {
			return false
		}
		v := mem.Load64(p)
		want := packRecoverer(epoch, who.Index+1, who.Epoch)
		if v == want {
			return true // by an earlier try of this process
		}
		if de, index1, e := unpackRecoverer(v); de == epoch&(1<<21-1) && index1 != 0 && a.recovererLives(r, epoch, index1-1, e) {
			return false
		}
		if mem.CAS64(p, v, want) {
			// Every claimer reads the word after its CAS; whoever finds it moved
			// on has written a name into a record that it is not recovering,
			// which the record's next death ignores by the epoch in the name.
			return r.word() == recordWord(epoch, stDead)
		}
	}
}

func (a *attachment) recovererLives(r record, epoch, index, e uint32) bool {
	if index >= a.g.participants {
		return false
	}
	if index == r.i && e == epoch { // a newcomer that holds the dead one's byte
		held, err := sys.Test(a.private, r.byteOffset())
		return err != nil || held
	}
	w := a.rec(index).word()
	return epochOf(w) == e && (stateOf(w) == stAlive || stateOf(w) == stAttaching || stateOf(w) == stLeaving)
}

// recoverAs does it; the caller is named in the record.
func (a *attachment) recoverAs(r record, epoch uint32) {
	dead := engine.Self{Index: r.i, Epoch: epoch}
	if !a.recoverObjects(a.env, dead) {
		return // of a kind that this build does not know: the record stays Dead
	}
	mem.Store64(r.p64(recLastExit), recordWord(epoch, stDead))
	if r.move(recordWord(epoch, stDead), recordWord(epoch, stFree)) && !a.readOnly && a.self.Index != r.i {
		mem.Add64(a.rec(a.self.Index).p64(recRecovered), 1)
	}
}

// recoverObjects takes back whatever dead left in the directory's lock and in
// the objects it had open, and closes them in its name. It reports false if
// there is an object that nobody here can recover.
func (w words) recoverObjects(env engine.Env, dead engine.Self) bool {
	lock, _ := engine.OpsOf(engine.KindMutex)
	known := lock.Recover(w.Sub(hdrDirLock, engine.MutexSize), env, dead) == nil
	w.eachOpen(dead.Index, func(entry uint32, kind engine.Kind, area mem.Area) error {
		ops, ok := engine.OpsOf(kind)
		if !ok {
			known = false
			return nil
		}
		// A corrupt object stays as it is and says so to whoever uses it; the
		// others, and the record, are not to suffer for it.
		if err := ops.Recover(area, env, dead); err != nil && !errors.Is(err, engine.ErrCorrupt) {
			known = false
		}
		return nil
	})
	if known {
		w.clearOpeners(dead.Index)
	}
	return known
}
