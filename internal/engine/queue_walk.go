package engine

import (
	"sync/atomic"

	"example.com/tandem/internal/mem"
)

// Positions of a Queue as hints, and the walks from a hint to the front;
// queue.go has the words and the slots.
//
// # Fronts
//
// For position p = lap·N + i, with word s of slot i:
//
//	put-passed  turn(s) > lap, or = lap and phase not empty, sealed. Stable
//	get-passed  turn(s) > lap, or = lap and phase reading, leased, draining.
//	            Stable but for a return, which pending tells of
//	F           the put front: the first position that is not put-passed
//	G           the get front: the first that was never get-passed. G ≤ F ≤ G+N
//	k(i)        turn of slot i if it is empty or sealed, else turn+1: in how many
//	            laps the slot has been put-passed
//
// Only a claim or a step over raises a k, by one, and only at F. So, at any
// instant,
//
//	SHAPE       k(0) ≥ k(1) ≥ … ≥ k(N-1) ≥ k(0)-1, and F = k(0)+…+k(N-1)
//	seat(i)     (k(i)-1)·N + i + 1: all below it is put-passed, and F-seat(i) < N;
//	            all below seat(i)-N was get-passed, since G ≥ F-N
//
// # Hints
//
// A hint of the tail is a position below which all are put-passed, a hint of
// the head one below which all were get-passed. A hint stays one for ever; an
// old one costs a longer walk. The region has one of each, every process's
// handle has its own. Nothing rests on a hint but where a walk begins:
//
//	H1  a claim is a CAS of slot(p) from empty{lap of p}, a take one from full or
//	    returned{lap of p}, where p is where a walk from a hint has ended
//	H2  a walk takes its lap from the slot's word, by seat, wherever the slot is
//	    not of the position's lap or the one before
//	H3  stored is only a position that this process itself has reached: behind
//	    the one that its CAS took, after the CAS; where a walk stopped; a hint
//	    that it read. Not where the scan for returned messages found one
//	H4  by a store-release, read by a load-acquire
//	H5  the region's hint is read at the first slot that is found passed, and
//	    again each 64 steps; the later one is taken
//	H6  and stored by the claim (take) at each 64th slot, or by the step over
//	    that slot, so that it lags by 64 and what is under way, however many
//	    handles there are
//
// Why order holds: a claim at p needs all below p put-passed, seen by this
// process or by one that stored the hint; and empty{lap of p} at the CAS says
// that p is not. So p = F at that instant: claims happen only at F, in order of
// positions, and takes of full messages only at G, in the same way.
//
// How long a walk is: from any hint, however old, N-1 steps for a producer and
// 2N-1 for a consumer, and one for each step by which others move F (G)
// meanwhile.
//
// Laps count modulo 2^31, as turns do. A hint that is older than 2^30 laps
// compares as later, and H2 puts it right: but for one that has become, modulo
// 2^31 laps, one of the N (2N) positions just beyond the front. Its handle has
// slept through 2^31 laps to within a lap or two.

// position is slot i in lap.
func position(lap, i uint32) uint64 { return uint64(lap&(1<<turnBits-1))<<posBits | uint64(i) }

// laps is a-b, signed, modulo 2^31.
func laps(a, b uint32) int32 { return int32((a-b)<<1) >> 1 }

// later is the later of two positions.
func later(a, b uint64) uint64 {
	if d := laps(lapTurn(a), lapTurn(b)); d > 0 || d == 0 && posSlot(a) > posSlot(b) {
		return a
	}
	return b
}

// next is the position after pos.
func (q *Queue) next(pos uint64) uint64 {
	if i := posSlot(pos) + 1; i < q.n {
		return pos + 1
	}
	return position(lapTurn(pos)+1, 0)
}

// lapBefore is the position one lap before pos.
func lapBefore(pos uint64) uint64 { return position(lapTurn(pos)-1, posSlot(pos)) }

// passes is k: in how many laps the slot with word s has been put-passed.
func passes(s uint64) uint32 {
	if ph := phaseOf(s); ph == slotEmpty || ph == slotSealed {
		return turnOf(s)
	}
	return nextTurn(turnOf(s))
}

// seat is by slot i, whose word is s.
func (q *Queue) seat(i uint32, s uint64) uint64 { return q.next(position(passes(s)-1, i)) }

// A hint is a position that is shared by the processes, and a copy of this
// process's own.
type hint struct {
	shared *uint64
	_      [128 - 8]byte
	own    uint64
	_      [128 - 8]byte
}

// load is the process's own hint. Like set, it orders nothing for the race
// detector.
func (h *hint) load() uint64 {
	mem.RaceDisable()
	p := atomic.LoadUint64(&h.own)
	mem.RaceEnable()
	return p
}

func (h *hint) set(p uint64) {
	mem.RaceDisable()
	mem.Release64(&h.own, p)
	mem.RaceEnable()
}

const markEvery = 64 // slots, and steps

// reached is H3 of a process that has taken the slot at p, and H6. The fast paths
// have it written out, since it is too much to be inlined.
func (q *Queue) reached(h *hint, p uint64) {
	if q.inside(p) {
		h.set(p + 1)
	} else {
		q.reachedEdge(h, p)
	}
}

// inside reports that the position after p is p+1, and p none where a hint is
// stored.
func (q *Queue) inside(p uint64) bool { return posSlot(p)%markEvery != 0 && posSlot(p)+1 < q.n }

//go:noinline
func (q *Queue) reachedEdge(h *hint, p uint64) {
	h.set(q.next(p))
	q.mark(h, p)
	q.tooClose(h, p)
}

// mark is H6, at a position that the process has passed. A ring of fewer slots
// is marked once in some laps.
func (q *Queue) mark(h *hint, p uint64) {
	if posSlot(p)%markEvery == 0 && lapTurn(p)&q.marks == 0 {
		mem.Release64(h.shared, q.next(p))
	}
}

// markLaps is how many laps less one a ring of n slots goes between two marks.
func markLaps(n uint32) uint32 {
	laps := uint32(1)
	for laps*2*n <= markEvery {
		laps *= 2
	}
	return laps - 1
}

// A walk is the way of one attempt from the process's own hint to the front.
type walk struct {
	h     *hint
	p     uint64
	steps int
	alone bool   // it has been led astray by a hint, and reads none any more
	look  bool   // it stores nothing in the region, which may be mapped read-only
	sure  uint64 // the position, plus one, at which it has had the others' fences

	left  int    // turns until it is patient no longer
	seen  uint64 // the region's tail when left was full
	again int    // how often it was filled
}

const mostPatience = 16 // a process that scribbles on the tail keeps nobody for ever

// walk begins one. In a corrupt queue, whose words may say anything, an attempt
// is to end; in a live one a turn that decides nothing means that another
// process got on meanwhile. So an attempt ends, as ErrCorrupt, when so many
// turns have passed and nothing was put.
func (q *Queue) walk(h *hint) walk {
	return walk{h: h, p: h.load(), left: q.bound() / 4, seen: ^uint64(0)}
}

// goesOn counts a turn.
func (q *Queue) goesOn(w *walk) bool {
	if w.left--; w.left > 0 {
		return true
	}
	t := mem.Load64(q.tail.shared)
	if w.again++; t == w.seen || w.again > mostPatience {
		return false
	}
	w.left, w.seen = q.bound(), t
	return true
}

// read is H7: the region's hint is copied once, and checked. What was forged may
// disturb the order of messages, and no more.
func (q *Queue) read(h *hint) (p uint64, ok bool) {
	s := mem.Load64(h.shared)
	return position(lapTurn(s), posSlot(s)), posSlot(s) < q.n
}

// to goes on at p, or at the region's hint if that is later (H5).
func (q *Queue) to(w *walk, p uint64) {
	if w.steps%markEvery == 0 && !w.alone {
		if s, ok := q.read(w.h); ok {
			p = later(p, s)
		}
	}
	w.steps++
	w.p = p
}

// back goes on at p, after a hint that was older than 2^30 laps, or forged. A walk
// comes to that once, since p is by a slot's word: a second time is false, for the
// words are corrupt, or zeroes.
func (q *Queue) back(w *walk, p uint64) bool {
	if w.alone || q.gone() {
		return false
	}
	w.alone = true
	q.to(w, p)
	return true
}

// stops is H3 of a walk that has ended where nothing can be taken.
func (q *Queue) stops(w *walk) {
	if w.h.load() != w.p {
		w.h.set(w.p)
	}
}

// lost is what a walk ends with that the words have led nowhere.
func (q *Queue) lost() error {
	if q.gone() {
		return ErrGone
	}
	return ErrCorrupt
}

// toPut is H2 for a producer that has found slot i, with word s, passed by d
// laps. false: lost. In the position's own lap the seat is the next position,
// which the processor knows before it has the word.
func (q *Queue) toPut(w *walk, i uint32, s uint64, d int32) bool {
	switch {
	case d == 0:
		q.to(w, q.next(w.p))
	case d > 0:
		q.to(w, q.seat(i, s))
	default:
		return q.back(w, q.seat(i, s))
	}
	return true
}

// toGet is H2 for a consumer. What is on lease at a marked slot, or void, is
// marked by those that pass it, for nobody takes there.
func (q *Queue) toGet(w *walk, i uint32, s uint64, d int32) bool {
	if i%markEvery == 0 && (d == 1 || d == 0 && phaseOf(s) == slotLeased) && !w.look {
		q.mark(w.h, w.p)
	}
	switch seat := lapBefore(q.seat(i, s)); {
	case d == 0:
		q.to(w, q.next(w.p))
	case d > 0:
		q.to(w, later(q.next(w.p), seat))
	default:
		return q.back(w, seat)
	}
	return true
}

// undone reports an older lap's slot, at which a walk stops: it holds a message
// that is not done, or was not when it was claimed.
func undone(s uint64, d int32) bool {
	return d == -1 && phaseOf(s) != slotEmpty && phaseOf(s) != slotSealed
}

// putFront walks to F, and returns the word of its slot. It stores nothing in
// the region.
func (q *Queue) putFront() (p, s uint64, ok bool) {
	w := q.walk(&q.tail)
	for q.goesOn(&w) {
		i := posSlot(w.p)
		s := mem.Load64(q.word(i))
		d := ahead(s, w.p)
		if d == 0 && (phaseOf(s) == slotEmpty || phaseOf(s) == slotSealed) || undone(s, d) {
			w.h.set(w.p)
			return w.p, s, true
		}
		if !q.toPut(&w, i, s, d) {
			break
		}
	}
	return 0, 0, false
}

// getFront walks to G, likewise.
func (q *Queue) getFront() (p, s uint64, ok bool) {
	w := q.walk(&q.head)
	w.look = true
	for q.goesOn(&w) {
		i := posSlot(w.p)
		s := mem.Load64(q.word(i))
		d := ahead(s, w.p)
		if d == 0 && !passed(s) || untakenLap(s, d) {
			w.h.set(w.p)
			return w.p, s, true
		}
		if !q.toGet(&w, i, s, d) {
			break
		}
	}
	return 0, 0, false
}

// untakenLap reports an older lap's slot, at which a consumer's walk stops: its
// message has been taken and is not done, so G has been there.
func untakenLap(s uint64, d int32) bool {
	return d == -1 && (passed(s) || phaseOf(s) == slotReturned)
}

// passed reports, of a slot of the position's lap, that it is get-passed.
func passed(s uint64) bool {
	switch phaseOf(s) {
	case slotReading, slotLeased, slotDraining:
		return true
	}
	return false
}
