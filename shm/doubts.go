package shm

import (
	"slices"

	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
)

// Doubts. Of a suspect there need not be a proof at once. Its threads may have
// some way to go: for a millisecond, or in uninterruptible sleep for hours. It
// may be of other namespaces, where only others can ask the kernel, and a child
// that it forked may keep its byte locked. Or it lives, and somebody scribbled
// on its alive word.
//
// So the suspect is rung for, and if it lives it puts its word right. If it is
// of other namespaces, others of those are rung for. And a proof is looked for
// again and again, of each suspect at a pace of its own, however long another
// has been suspected:
//
//	a guard on duty    for as long as the suspicion lasts, ever more slowly
//	one that watched   doubtLooks times: the kernel may have told nobody else
//	one rung for       calledLooks times, and once whenever it is rung for again,
//	                   if it can ask the kernel
//	any other          when it looks for another reason, once a round
//
// What a suspicion that lasts costs does not grow, then, with how many there are,
// nor with what else happens to them.
//
// Of those who are rung for some may be stopped, or dead with nobody's having
// noticed. So they are rung for in turn, calledAtOnce every calledWait, until it
// has been everybody's, and from then on so many every dutyRound. They are, too,
// for one of other namespaces that is Dead and not recovered, or seems to stand
// still on the way in or out: only with a proof can that be ended.
const (
	doubtLooks   = 1000
	proofMany    = 100 // looks at first
	calledLooks  = 20
	calledAtOnce = 4

	proofWait  = 1e6  // nanoseconds between the first looks
	doubtWait  = 10e6 // between the others, up to doubtLooks; then it is dutyPeriod
	calledWait = 5e6
)

// A doubt is what a guard has seen of a suspicion.
type doubt struct {
	epoch uint32 // whose
	looks int    // so many have found no proof
	limit int    // so many this process owes it, on duty or not
	next  int64  // when the next is due, CLOCK_MONOTONIC
	asked bool   // the suspect was rung for

	called int64  // when others of its namespaces were rung for
	from   uint32 // whose turn it is then
	all    bool   // it has been everybody's
}

// doubt is the doubt about the user of r in epoch, a new one if there is none.
func (a *attachment) doubt(r record, epoch uint32) *doubt {
	w := &a.watch
	d := w.doubts[r.I]
	if d == nil || d.epoch != epoch {
		d = &doubt{epoch: epoch}
		if w.doubts == nil {
			w.doubts = map[uint32]*doubt{}
		}
		w.doubts[r.I] = d
	}
	return d
}

// endDoubt ends the doubt about participant i, if there is one.
func (w *watch) endDoubt(i uint32) {
	if len(w.doubts) > 0 {
		delete(w.doubts, i)
	}
}

// suspect looks for a proof that the suspect of r, whose word was w, is dead, if
// it is time for that or it must, and sees to it that those look that may have
// one. again is when this process is to look again; 0 is never.
func (a *attachment) suspect(r record, w uint64, now int64, duty, rung, must bool) (proven bool, again int64) {
	d := a.doubt(r, region.EpochOf(w))
	id, ok := r.Identity(d.epoch)
	near := ok && me.Load().near(id)
	watched := slices.Contains(a.watch.behind, r.I)
	switch {
	case watched:
		d.limit = doubtLooks
	case rung && near:
		d.limit = max(d.limit, calledLooks)
	}
	owes := func() bool { return duty || d.looks < d.limit }
	if owes() {
		d.next = min(d.next, now+d.wait(now))
	}
	if must || rung && near || now >= d.next {
		if a.proven(r, w) {
			return true, 0
		}
		d.looks++
		d.next = now + dutyRound
	}
	if !owes() {
		return false, 0
	}
	if !d.asked {
		d.asked = true
		a.ring(r.I)
	}
	if duty || watched {
		a.summon(r, d, now)
	}
	d.next = min(d.next, now+d.wait(now))
	return false, d.next
}

// wait is how long after a look at now the next one is due.
func (d *doubt) wait(now int64) int64 {
	switch {
	case d.looks <= proofMany:
		return proofWait
	case d.looks <= doubtLooks:
		return doubtWait
	}
	return dutyPeriod - now%dutyPeriod // when all on duty look
}

// callWait is how long after some were rung for others are.
func (d *doubt) callWait() int64 {
	if d.all {
		return dutyRound
	}
	return calledWait
}

// linger has those summoned that may have a proof that the user of r in epoch
// is dead: this process, on duty, has none, and the kernel has suspected
// nobody. It may be that there is nothing to prove, so it waits for a period
// first.
func (a *attachment) linger(r record, epoch uint32, now int64) (again int64) {
	d := a.doubt(r, epoch)
	if d.next == 0 {
		d.next = now + dutyPeriod
	}
	if now < d.next {
		return d.next
	}
	if !a.summon(r, d, now) || d.all {
		return 0
	}
	return now + dutyPeriod
}

// summon rings, if it is time to, for the next who can ask the kernel about the
// user of r where this process cannot, since they are of its namespaces. It
// reports whether it cannot, and somebody might.
func (a *attachment) summon(r record, d *doubt, now int64) bool {
	id, ok := r.Identity(d.epoch)
	if !ok || id.NS == 0 || me.Load().near(id) {
		return false
	}
	if now-d.called < d.callWait() {
		return true
	}
	d.called = now
	for rung := 0; rung < calledAtOnce; d.from++ {
		if d.from >= a.Geo.Participants {
			d.from, d.all = 0, true
			break
		}
		if d.from != r.I && a.speaksFor(d.from, id) {
			a.ring(d.from)
			rung++
		}
	}
	return true
}

// speaksFor reports whether participant i is of the namespaces of id, and
// nothing says that it is dead, too.
func (w words) speaksFor(i uint32, id region.Identity) bool {
	r := w.rec(i)
	v := r.Word()
	if region.StateOf(v) != region.StAlive || r.Alive()&sys.FutexOwnerDied != 0 {
		return false
	}
	other, ok := r.Identity(region.EpochOf(v))
	return ok && other.NS == id.NS
}

// earlier is the earlier of two times, of which 0 is never.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
