package engine

import "example.com/tandem/internal/mem"

// Room behind leases: how producers step over slots of the lap before, and
// whether there is one to be had; queue.go has the rules.

// stepOver deals with an older lap's slot at the put front, where w stands: nil
// means look again. It steps over all that lie before the slot that it has seen
// to be claimable, so that k leases in a row cost k steps and not k². It leads
// to that slot, unless others have been faster: then they got on.
func (q *Queue) stepOver(w *walk, s uint64) error {
	if !steppable(s, w.p) {
		return ErrFull // I3
	}
	k, err := q.reachable(w.p)
	if err != nil {
		return err
	}
	for range k {
		word := q.word(posSlot(w.p))
		s := mem.Load64(word)
		for steppable(s, w.p) {
			if q.gone() { // else s was the region's, and in zeroes the CAS fails
				return ErrGone
			}
			if mem.CAS64(word, s, slotWord(nextTurn(turnOf(s)), phaseOf(s), whoOf(s))) {
				break
			}
			s = mem.Load64(word)
		}
		if d := ahead(s, w.p); !steppable(s, w.p) && (d < 0 || d == 0 && (phaseOf(s) == slotEmpty || phaseOf(s) == slotSealed)) {
			break // it was acknowledged, or is being read
		}
		q.mark(w.h, w.p)
		w.p = q.next(w.p) // seen passed
	}
	return nil
}

// reachable looks ahead from the put front: over slots that could be stepped
// over, k of them, to one that could be claimed; ErrFull if there is none.
func (q *Queue) reachable(t uint64) (k int, err error) {
	for p := t; k < int(q.n); k++ {
		s := mem.Load64(q.word(posSlot(p)))
		if d := ahead(s, p); d >= 0 { // claimable, or the front has moved on
			return k, nil
		} else if !steppable(s, p) {
			return k, ErrFull // I3
		}
		p = q.next(p)
	}
	return k, ErrFull // I3
}

const (
	noRoom   = iota
	roomHere // the slot at the tail is empty
	roomOver // one behind leases is
)

// findRoom reports whether, and how, a producer might get a slot: whom to wake
// for. It is roomHere if that cannot be said.
func (q *Queue) findRoom() int { return q.roomAt(q.putFront()) }

func (q *Queue) roomAt(p, s uint64, ok bool) int {
	switch {
	case !ok || ahead(s, p) == 0 && phaseOf(s) == slotEmpty:
		return roomHere
	case steppable(s, p):
		if _, err := q.reachable(p); err == nil {
			return roomOver
		}
	}
	return noRoom
}

func (q *Queue) roomy() bool { return q.findRoom() != noRoom }

// full reports that there is no room, and is sure of it (queue_store.go): it makes the
// others' fences before it says so of a position of the front, of each anew. An end is not full.
func (q *Queue) full() bool {
	sure := ^uint64(0)
	for range q.bound() {
		p, s, ok := q.putFront()
		if q.roomAt(p, s, ok) != noRoom || phaseOf(s) == slotSealed {
			return false
		}
		if p == sure || phaseOf(s) == slotFull || !q.sync() {
			return true
		}
		sure = p
	}
	return true
}
