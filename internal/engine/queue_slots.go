package engine

import (
	"io"
	"runtime"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// The slots of a Queue, and how they are claimed and taken; queue.go has
// the words and the rules, I1 to I4.

const (
	slotEmpty = iota
	slotWriting
	slotFull
	slotReading
	slotLeased
	slotReturned
	slotDraining
	slotSealed
)

const (
	posBits  = 28 // of a slot's number in head and tail
	turnBits = 31
	whoMask  = 1<<30 - 1
)

func slotWord(turn uint32, phase, who uint64) uint64 {
	return uint64(turn)<<33 | phase<<30 | who
}

func turnOf(s uint64) uint32       { return uint32(s >> 33) }
func phaseOf(s uint64) uint64      { return s >> 30 & 7 }
func whoOf(s uint64) uint64        { return s & whoMask }
func nextTurn(turn uint32) uint32  { return (turn + 1) & (1<<turnBits - 1) }
func whoBits(s Self) uint64        { return uint64(s.Index)<<20 | uint64(s.Epoch&(1<<20-1)) }
func selfOf(who uint64) Self       { return Self{uint32(who >> 20), uint32(who & (1<<20 - 1))} }
func posSlot(pos uint64) uint32    { return uint32(pos & (1<<posBits - 1)) }
func lapTurn(pos uint64) uint32    { return uint32(pos >> posBits & (1<<turnBits - 1)) }
func ahead(s, pos uint64) int32    { return laps(turnOf(s), lapTurn(pos)) }
func untaken(s uint64) bool        { return phaseOf(s) == slotFull || phaseOf(s) == slotReturned }
func steppable(s, pos uint64) bool { return ahead(s, pos) == -1 && lasting(s) }
func lasting(s uint64) bool        { return phaseOf(s) == slotLeased || phaseOf(s) == slotReturned }

// held reports that a slot holds a message that is, or may become, undone.
func held(s uint64) bool {
	switch phaseOf(s) {
	case slotEmpty, slotDraining, slotSealed:
		return false
	}
	return true
}

// slot is slot i, for i < n.
func (q *Queue) slot(i uint32) unsafe.Pointer { return unsafe.Add(q.slots, uintptr(i)*q.stride) }
func (q *Queue) word(i uint32) *uint64        { return (*uint64)(q.slot(i)) }

// A Slot is a claim: what a producer fills, or a consumer copies from.
type Slot struct {
	p    unsafe.Pointer
	word uint64 // as claimed
}

func (s Slot) w() *uint64     { return (*uint64)(s.p) }
func (s Slot) len() *uint32   { return (*uint32)(s.at(slotLen)) }
func (s Slot) tag() *uint64   { return (*uint64)(s.at(slotTag)) }
func (s Slot) first() *uint32 { return (*uint32)(s.at(slotFirst)) }

// at is where the owned part of a slot is.
func (s Slot) at(off uintptr) unsafe.Pointer { return mem.Place(unsafe.Add(s.p, off)) }

// Body is where the message's bytes lie, if they lie in the slot.
func (q *Queue) Body(s Slot) unsafe.Pointer { return s.at(q.body) }

// count is of how often a message was given back and taken again. It is of whoever has
// the slot.
func (q *Queue) count(s Slot) *uint32 {
	if q.counts == nil {
		return (*uint32)(s.at(slotCount))
	}
	return (*uint32)(mem.Place(unsafe.Add(q.counts, (uintptr(s.p)-uintptr(q.slots))>>q.shift)))
}

// first begins the count of a message that is put. As a rule the last one in its
// slot was not given back, and there is nothing to write.
func (q *Queue) first(s Slot) {
	if n := q.count(s); *n != 0 {
		*n = 0
	}
}

// Attempt counts the deliveries of a message that was taken, this one included.
func (q *Queue) Attempt(s Slot) int { return int(*q.count(s)) + 1 }

// Index is the slot's number.
func (q *Queue) Index(s Slot) int { return int((uintptr(s.p) - uintptr(q.slots)) / q.stride) }

// The call that fills a slot comes after the one that emptied it, and the call
// that takes from it after the one that filled it. No more is told to the race
// detector, so that it finds what the user's program orders by nothing.
func (q *Queue) raceAcquire(s Slot) {
	if mem.RaceEnabled {
		mem.RaceAcquire(unsafe.Pointer(&q.races[q.Index(s)%len(q.races)]))
	}
}

func (q *Queue) raceRelease(s Slot) {
	if mem.RaceEnabled {
		mem.RaceReleaseMerge(unsafe.Pointer(&q.races[q.Index(s)%len(q.races)]))
	}
}

// raceDone is what Join is told of.
func (q *Queue) raceDone() {
	if mem.RaceEnabled {
		mem.RaceReleaseMerge(unsafe.Pointer(&q.rested))
	}
}

// hintOf and setHint use a word of this process's, which orders nothing.
func hintOf(h *atomic.Uint32) uint32 {
	mem.RaceDisable()
	v := h.Load()
	mem.RaceEnable()
	return v
}

func setHint(h *atomic.Uint32, v uint32) {
	mem.RaceDisable()
	h.Store(v)
	mem.RaceEnable()
}

// bound bounds what is tried again and again, so that it ends in a corrupt queue.
func (q *Queue) bound() int { return 1<<20 + 16*int(q.n) }

// TryClaim makes one attempt at a slot for a message: ErrFull, ErrShutdown or a
// slot writing by this process, which owes it to publish at once.
func (q *Queue) TryClaim() (Slot, error) {
	if mem.Load64(q.state)&stateShut != 0 {
		return Slot{}, ErrShutdown
	}
	pos := q.tail.load()
	p, empty := q.slot(posSlot(pos)), slotWord(lapTurn(pos), slotEmpty, 0)
	if mem.Load64((*uint64)(p)) == empty {
		c := slotWord(lapTurn(pos), slotWriting, q.who)
		if mem.CAS64((*uint64)(p), empty, c) { // H1
			if q.inside(pos) {
				q.tail.set(pos + 1)
			} else {
				q.reachedEdge(&q.tail, pos)
			}
			if q.gone() {
				return Slot{}, ErrGone
			}
			q.raceAcquire(Slot{p, c})
			return Slot{p, c}, nil
		}
	}
	return q.walkAndClaim(false)
}

//go:noinline
func (q *Queue) walkAndClaim(sure bool) (Slot, error) {
	w := q.walk(&q.tail)
	for q.goesOn(&w) {
		if mem.Load64(q.state)&stateShut != 0 {
			return Slot{}, ErrShutdown
		}
		i := posSlot(w.p)
		p := q.slot(i)
		s := mem.Load64((*uint64)(p))
		switch d := ahead(s, w.p); {
		case d == 0 && phaseOf(s) == slotEmpty:
			c := slotWord(turnOf(s), slotWriting, q.who)
			if mem.CAS64((*uint64)(p), s, c) { // H1
				q.reached(&q.tail, w.p)
				if q.gone() {
					return Slot{}, ErrGone
				}
				q.raceAcquire(Slot{p, c})
				return Slot{p, c}, nil
			}
		case d == 0 && phaseOf(s) == slotSealed:
			q.stops(&w)
			return Slot{}, ErrShutdown
		case undone(s, d):
			q.stops(&w)
			if err := q.stepOver(&w, s); err != nil {
				if err == ErrFull && phaseOf(s) != slotFull && q.sure(sure, &w) {
					continue
				}
				return Slot{}, err
			}
		default:
			if !q.toPut(&w, i, s, d) {
				return Slot{}, q.lost()
			}
		}
	}
	return Slot{}, ErrCorrupt
}

// take makes one attempt at a message: it becomes reading or leased by this
// process. Else ErrEmpty, or io.EOF at the end.
func (q *Queue) take(phase uint64) (Slot, error) {
	if s, ok := q.takeHere(phase); ok {
		return s, nil
	}
	return q.walkAndTake(phase, false)
}

// takeHere takes what is full where the process's own hint is, and nothing else.
func (q *Queue) takeHere(phase uint64) (Slot, bool) {
	if mem.Load64(q.state)&statePending != 0 {
		return Slot{}, false
	}
	pos := q.head.load()
	p, full := q.slot(posSlot(pos)), slotWord(lapTurn(pos), slotFull, 0)
	if mem.Load64((*uint64)(p)) != full {
		return Slot{}, false
	}
	s := Slot{p, slotWord(lapTurn(pos), phase, q.who)}
	if !mem.CAS64((*uint64)(p), full, s.word) {
		return Slot{}, false
	}
	if q.inside(pos) {
		q.head.set(pos + 1)
	} else {
		q.reachedEdge(&q.head, pos)
	}
	if q.gone() {
		return Slot{}, false
	}
	q.raceAcquire(s)
	return s, true
}

//go:noinline
func (q *Queue) walkAndTake(phase uint64, sure bool) (Slot, error) {
	w := q.walk(&q.head)
	for q.goesOn(&w) {
		st := mem.Load64(q.state)
		if st&statePending != 0 {
			if s, ok := q.takeReturned(st, phase); ok {
				return q.taken(s, true)
			}
		}
		i := posSlot(w.p)
		p := q.slot(i)
		s := mem.Load64((*uint64)(p))
		d := ahead(s, w.p)
		if d != 0 {
			if untakenLap(s, d) {
				q.stops(&w)
				if st&stateShut != 0 && q.sure(sure, &w) { // it may be the end
					continue
				}
				return Slot{}, ErrEmpty
			}
			if !q.toGet(&w, i, s, d) {
				return Slot{}, q.lost()
			}
			continue
		}
		switch phaseOf(s) {
		case slotFull, slotReturned:
			c := slotWord(turnOf(s), phase, q.who)
			if mem.CAS64((*uint64)(p), s, c) {
				q.reached(&q.head, w.p)
				return q.taken(Slot{p, c}, phaseOf(s) == slotReturned)
			}
		case slotReading, slotLeased, slotDraining:
			q.toGet(&w, i, s, d)
		case slotWriting:
			q.stops(&w)
			if !q.linger((*uint64)(p), s) && !q.sure(sure, &w) {
				return Slot{}, ErrEmpty
			}
		case slotEmpty:
			q.stops(&w)
			if st&stateShut == 0 {
				return Slot{}, ErrEmpty
			}
			mem.CAS64((*uint64)(p), s, slotWord(turnOf(s), slotSealed, 0))
		case slotSealed:
			q.stops(&w)
			if err := q.ended(); err != ErrEmpty || !q.sure(sure, &w) {
				return Slot{}, err
			}
		}
	}
	return Slot{}, ErrCorrupt
}

// taken ends a take by a walk, of a message that is had again or for the first time.
// The count is the claimer's alone.
func (q *Queue) taken(s Slot, again bool) (Slot, error) {
	if q.gone() {
		return Slot{}, ErrGone
	}
	q.raceAcquire(s)
	if again {
		if n := q.count(s); *n < 1<<32-2 {
			*n++
		}
	}
	return s, nil
}

// gone reports that there are zeroes in the region's place: a slot that was
// claimed before may be theirs.
func (q *Queue) gone() bool { return mem.Load32(q.config) == 0 }

// linger waits a moment for the producer of the slot at the head, for later
// messages may be complete already. It is a few stores away from publishing,
// unless it was preempted or stopped. It reports whether the slot changed.
//
//go:noinline
func (q *Queue) linger(w *uint64, s uint64) bool {
	for i := range 12 {
		if mem.Load64(w) != s {
			return true
		}
		if i < 10 {
			mem.Relax(1 + i)
		} else {
			runtime.Gosched()
		}
	}
	return mem.Load64(w) != s
}

// takeReturned scans for returned messages. st is the state that the caller
// has seen pending; if there are none it is cleared, unless it changed since.
//
//go:noinline
func (q *Queue) takeReturned(st, phase uint64) (Slot, bool) {
	i := hintOf(&q.scan)
	for range q.n {
		if i >= q.n {
			i = 0
		}
		p := q.slot(i)
		for s := mem.Load64((*uint64)(p)); phaseOf(s) == slotReturned; s = mem.Load64((*uint64)(p)) {
			c := slotWord(turnOf(s), phase, q.who)
			if mem.CAS64((*uint64)(p), s, c) {
				setHint(&q.scan, i+1)
				return Slot{p, c}, true
			}
		}
		i++
	}
	mem.CAS64(q.state, st, st&^statePending)
	return Slot{}, false
}

// setPending tells consumers to scan: after a slot was returned.
func setPending(state *uint64) {
	for {
		st := mem.Load64(state)
		if mem.CAS64(state, st, st+stateGen|statePending) {
			return
		}
	}
}

// lookBack makes good what a process left out that gave a message back and was
// stopped, or killed, before setPending.
//
//go:noinline
func (q *Queue) lookBack() {
	for i := range q.n {
		if phaseOf(mem.Load64(q.word(i))) == slotReturned {
			setPending(q.state)
			return
		}
	}
}

// more reports whether a consumer might succeed: whom to wake for.
func (q *Queue) more() bool {
	if mem.Load64(q.state)&statePending != 0 {
		return true
	}
	p, s, ok := q.getFront()
	return !ok || untaken(s) && ahead(s, p) == 0
}

// ended is io.EOF if nothing is left of a sealed queue, else ErrEmpty.
func (q *Queue) ended() error {
	if q.anyHeld() {
		return ErrEmpty
	}
	return io.EOF
}

// anyHeld looks at all slots for one that is held, first where it saw one last:
// a caller that asks again and again while messages end does not search the
// ring each time.
func (q *Queue) anyHeld() bool {
	i := hintOf(&q.heldAt)
	for range q.n {
		if i >= q.n {
			i = 0
		}
		if held(mem.Load64(q.word(i))) {
			setHint(&q.heldAt, i)
			return true
		}
		i++
	}
	return false
}
