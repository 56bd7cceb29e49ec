package engine

import (
	"sync/atomic"

	"example.com/tandem/internal/mem"
)

// Apart is how the two ends of a queue keep some way between them, where messages go
// so fast that it matters. Neither a full ring nor an empty one tells: who has come up
// to the others works in the lines that they have just left, and waits for each of them
// as long as for three or four messages, but never in vain.
//
// So once in 64 messages a producer looks at how far it is behind the consumers, by
// their hint, and a consumer at how far it is behind the producers. Where that is not
// enough, this process's next call at that end gives way for some microseconds: until
// a quarter of the ring is free, or full; apartMost at most. The messages before its own
// take longer than that in any case.
//
// Where the others' hint stands still for apartStill nobody works beside it, or so slowly
// that the two are in nobody's way: then it goes on, and lets 1, 3, 7 … 1,023 such
// occasions pass before it gives way again, until that has paid.
//
// As with a lull, nothing but time rests on it.
type apart struct {
	due   atomic.Bool   // this process is to give way
	left  atomic.Uint32 // occasions to let pass
	every atomic.Uint32 // of them between two that are taken
}

const (
	apartLeast = 1024 // slots of a ring in which it pays
	apartMost  = 16   // microseconds
	apartStill = 4    // of them without a sign of the others
	apartRare  = 1023 // occasions between two that are taken, at most
	apartClose = 192  // messages ahead of a consumer that are few: a hint lags by 64, and more
)

// tooClose has the end whose hint is h look, where it has just taken the slot at p.
func (q *Queue) tooClose(h *hint, p uint64) {
	switch {
	case q.n < apartLeast || posSlot(p)%markEvery != 0:
	case h == &q.tail && q.between(q.shared(&q.head), p) > q.n-q.n/8:
		q.putsApart.occasion()
	case h == &q.head && q.between(p, q.shared(&q.tail)) < apartClose:
		q.getsApart.occasion()
	}
}

func (a *apart) occasion() {
	mem.RaceDisable()
	if k := a.left.Load(); k > 0 {
		a.left.Store(k - 1)
	} else {
		a.due.Store(true)
	}
	mem.RaceEnable()
}

// isDue orders nothing for the race detector.
func (a *apart) isDue() bool {
	mem.RaceDisable()
	due := a.due.Load()
	mem.RaceEnable()
	return due
}

// PutsLate reports that a Put which has ended is to give way, by PutLate; GetsLate that
// a Get which begins is, by GetLate.
func (q *Queue) PutsLate() bool { return q.putsApart.isDue() }
func (q *Queue) GetsLate() bool { return q.getsApart.isDue() }

// PutLate lets some microseconds pass, if that may be.
//
//go:noinline
func (q *Queue) PutLate(lulls bool) {
	q.putsApart.giveWay(lulls, func() (uint64, bool) {
		h := q.shared(&q.head)
		return h, q.between(h, q.tail.load()) <= q.n-q.n/4
	})
}

// GetLate does.
//
//go:noinline
func (q *Queue) GetLate(lulls bool) {
	q.getsApart.giveWay(lulls, func() (uint64, bool) {
		h := q.shared(&q.tail)
		return h, q.between(q.head.load(), h) >= q.n/4
	})
}

// giveWay is by where the others are, and whether that is far enough.
func (a *apart) giveWay(lulls bool, others func() (uint64, bool)) {
	mem.RaceDisable()
	defer mem.RaceEnable()
	a.due.Store(false)
	if !lulls {
		return
	}
	at, enough := others()
	for n, still := 0, 0; !enough && n < apartMost; n++ {
		mem.RelaxMicro()
		var h uint64
		if h, enough = others(); h != at {
			at, still = h, 0
		} else if still++; still == apartStill {
			every := min(2*a.every.Load()+1, apartRare)
			a.every.Store(every)
			a.left.Store(every)
			return
		}
	}
	a.every.Store(0)
}

// shared is the region's hint.
func (q *Queue) shared(h *hint) uint64 {
	p, _ := q.read(h)
	return p
}

// between is how many positions lie from one to another, and n at most.
func (q *Queue) between(from, to uint64) uint32 {
	switch d := laps(lapTurn(to), lapTurn(from)); {
	case d == 0 && posSlot(to) >= posSlot(from):
		return posSlot(to) - posSlot(from)
	case d == 1 && posSlot(to) < posSlot(from):
		return min(q.n-posSlot(from)+posSlot(to), q.n)
	case d < 0 || d == 0:
		return 0
	}
	return q.n
}
