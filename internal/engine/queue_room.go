package engine

import "example.com/tandem/internal/mem"

// Room behind leases: how producers step over slots of the lap before, and
// whether there is one to be had; queue.go has the rules.

// stepOver deals with an older lap's slot at the tail: nil means look again. It
// steps over all that lie before the slot that it has seen to be claimable, so
// that k leases in a row cost k steps and not k². It leads to that slot, unless
// others have been faster: then they got on.
//
//go:noinline
func (q *Queue) stepOver(s, t uint64) error {
	if !steppable(s, t) {
		if ahead(s, t) < -1 || phaseOf(s) == slotEmpty || phaseOf(s) == slotSealed {
			return ErrCorrupt // tail passed it against I1
		}
		return ErrFull // I4
	}
	k, err := q.reachable(t)
	if err != nil {
		return err
	}
	for range k {
		w := q.word(posSlot(t))
		s := mem.Load64(w)
		for steppable(s, t) && !mem.CAS64(w, s, slotWord(nextTurn(turnOf(s)), phaseOf(s), whoOf(s))) {
			s = mem.Load64(w)
		}
		if d := ahead(s, t); !steppable(s, t) && (d < 0 || d == 0 && (phaseOf(s) == slotEmpty || phaseOf(s) == slotSealed)) {
			break // it was acknowledged, or is being read
		}
		mem.CAS64(q.tail, t, q.next(t)) // I1
		t = q.next(t)
	}
	return nil
}

// reachable looks ahead from the tail: over slots that could be stepped over,
// k of them, to one that could be claimed; ErrFull if there is none.
func (q *Queue) reachable(t uint64) (k int, err error) {
	for p := t; k < int(q.n); k++ {
		s := mem.Load64(q.word(posSlot(p)))
		if d := ahead(s, p); d < 0 && !steppable(s, p) {
			return k, ErrFull // I4
		} else if d == 0 && (phaseOf(s) == slotEmpty || phaseOf(s) == slotSealed) || k == 0 && d >= 0 {
			return k, nil
		} else if d >= 0 { // claimed or stepped over, so when tail was there: I3
			if mem.Load64(q.tail) == t {
				return k, ErrCorrupt
			}
			return k, nil
		}
		p = q.next(p)
	}
	return k, ErrFull // I4
}

const (
	noRoom   = iota
	roomHere // the slot at the tail is empty
	roomOver // one behind leases is
)

// findRoom reports whether, and how, a producer might get a slot: whom to wake
// for. A turn that helps the tail on does not answer it, so their number is
// bounded as claim's is.
func (q *Queue) findRoom() int {
	for range q.bound() {
		t := mem.Load64(q.tail)
		if posSlot(t) >= q.n {
			return noRoom
		}
		s := mem.Load64(q.word(posSlot(t)))
		switch d := ahead(s, t); {
		case d == 0 && phaseOf(s) == slotEmpty:
			return roomHere
		case d == 0 && phaseOf(s) == slotSealed:
			return noRoom
		case d < 0:
			if steppable(s, t) {
				if _, err := q.reachable(t); err == nil {
					return roomOver
				}
			}
			return noRoom
		}
		mem.CAS64(q.tail, t, q.next(t)) // I1
	}
	return noRoom
}

func (q *Queue) roomy() bool { return q.findRoom() != noRoom }
