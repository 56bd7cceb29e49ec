package shm

import (
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/wait"
)

// Who is told of what. A region may have a thousand participants, so nobody is
// woken who need not know. A guard sleeps on
//
//	its own bell       rung by any process that wants it to look at everything
//	alive words        of the next few participants behind it: the kernel wakes
//	                   one sleeper when the participant ends, and the process
//	                   that frees the record wakes all of them
//	the word of ends   if somebody in its process listens in Exits
//	the word of changes  which is for everybody: a participant is dead that
//	                   the process that found it cannot recover
//
// All but the alive words are bumped before they are woken, and all are read
// before the look that precedes the sleep: rule 5. An end that was not told,
// since the process that should have told it died or was stopped just then, is
// told by those on duty (duty.go). A guard that misses a wake-up of an alive
// word watches one participant fewer until it looks again.

// watchers is how many guards sleep on an alive word. Each costs the kernel a
// queue in every sleep.
const watchers = 4

// bump is what all of these do to their word.
func (w words) bump(off uint64) {
	p := w.W32(off)
	mem.Add32(p, 1)
	wait.Wake(p, -1)
}

// changed tells all guards to look at the participants again.
func (w words) changed() { w.bump(region.HdrChanges) }

// ring has the guard of participant i look at the others.
func (w words) ring(i uint32) { w.bump(w.Geo.RecordAt(i) + region.RecBell) }

// ended tells those that have to know that the user of r in epoch is gone:
// guards that watched it need others to watch, listeners hear of it, and calls
// that wait for its answer (ask.go) get none. That it was told is recorded
// last, so that a guard on duty can tell.
func (w words) ended(r record, epoch uint32) {
	wait.Wake(r.P32(region.RecAlive), -1)
	w.bump(region.HdrEnds)
	w.tell()
	mem.Store32(r.P32(region.RecTold), epoch)
}

// arrived tells those who are to watch participant self that it is there.
func (w words) arrived(self uint32) {
	n := w.Geo.Participants
	for k, rung := uint32(1), 0; k < n && rung < watchers; k++ {
		i := (self + n - k) % n
		if region.Present(w.rec(i).Word()) {
			w.ring(i)
			rung++
		}
	}
}
