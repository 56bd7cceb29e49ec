package engine

import (
	"sync/atomic"

	"example.com/tandem/internal/mem"
)

// A lull is how long the calls of this process wait, at one end of a queue, before
// they look again after a fruitless look.
//
// A consumer that looks all the while stands right behind the producer, and each
// of its looks takes away the line that is about to be written: every message
// costs both of them a way between two processors, and that is some ten times as
// long as all the rest. Where messages come one after the other it is better to
// let a few microseconds pass. Then the producer gets ahead, and both work on
// lines of their own.
//
// But it costs a lone message as much. So there is a lull only where it shows
// that many come. Of what came from the last fruitless look to this one, by
// whatever calls of the process and of others:
//
//	came                      the lull is
//	one, or none              gone
//	fewer than 8 for each µs  halved
//	8 for each µs, or more    doubled, to lullMost, or to what fills a quarter of
//	                          the ring at that pace: else the others stand still
//
// Where there is none, 1 µs is tried: when 8 or more have come; and after 1, 3, 7 …
// 1,023 fruitless looks in which fewer came, as long as that does not pay.
//
// All this is a guess, of one process, in words that its goroutines write as it
// comes: nothing but time rests on it.
type lull struct {
	micros atomic.Uint32
	left   atomic.Uint32 // fruitless looks until it is tried
	every  atomic.Uint32 // of them between two trials
	from   uint64        // the position of the last fruitless look
	_      [128 - 24]byte
}

const (
	lullMost    = 4    // microseconds
	lullSeveral = 8    // messages for each
	lullRare    = 1023 // fruitless looks between two trials, at most
)

// A LullSleeper says whether its calls may let some microseconds pass without
// a look.
type LullSleeper interface {
	Sleeper
	Lulls() bool
}

// pause follows a fruitless look at p.
//
//go:noinline
func (q *Queue) pause(by Sleeper, a *lull, p uint64) {
	s, ok := by.(LullSleeper)
	if !ok || !s.Lulls() {
		return
	}
	mem.RaceDisable()
	from := atomic.LoadUint64(&a.from)
	mem.Release64(&a.from, p)
	micros := a.next(q.between(from, p), q.n)
	mem.RaceEnable()
	for range micros {
		mem.RelaxMicro()
	}
}

// A producer that finds the ring full is late: it has then come up to the consumer, and
// claims each slot when that has just left it. So where little room is left, by the
// consumers' hint, which is looked at once in 64 messages, a Put ends some microseconds
// later: until a quarter of the ring is free, tightMost at most. The messages
// before its own take longer than that in any case.
const (
	tightLeast = 1024 // slots of a ring in which it pays
	tightMost  = 16   // microseconds
)

// Tight reports that a Put which has ended is to give way.
func (q *Queue) Tight() bool { return q.tight.Load() }

// GiveWay is the end of such a Put, if that may let some microseconds pass.
//
//go:noinline
func (q *Queue) GiveWay(lulls bool) {
	mem.RaceDisable()
	defer mem.RaceEnable()
	q.tight.Store(false)
	for n := 0; lulls && n < tightMost && q.lead(q.tail.load()) > q.n-q.n/4; n++ {
		mem.RelaxMicro()
	}
}

// lead is how many positions p is beyond the region's hint of the head.
func (q *Queue) lead(p uint64) uint32 {
	h, _ := q.read(&q.head)
	return q.between(h, p)
}

// between is how many positions lie from one to another, and n at most.
func (q *Queue) between(from, to uint64) uint32 {
	switch d := laps(lapTurn(to), lapTurn(from)); {
	case d == 0 && posSlot(to) >= posSlot(from):
		return posSlot(to) - posSlot(from)
	case d == 1 && posSlot(to) < posSlot(from):
		return q.n - posSlot(from) + posSlot(to)
	case d < 0 || d == 0:
		return 0
	}
	return q.n
}

// next is the lull after so many came, in a ring of n slots.
func (a *lull) next(came, n uint32) (micros uint32) {
	was := a.micros.Load()
	switch most := min(lullMost, n/(4*lullSeveral)); {
	case was == 0:
		if most > 0 && (came >= lullSeveral || a.due()) {
			micros = 1
		}
	case came < 2: // gone
	case came < was*lullSeveral:
		micros = was / 2
	default:
		micros = min(2*was, most)
		a.every.Store(0)
		a.left.Store(0)
	}
	if micros != was {
		a.micros.Store(micros)
	}
	return micros
}

// due reports whether a lull is to be tried where few come.
func (a *lull) due() bool {
	if k := a.left.Load(); k > 0 {
		a.left.Store(k - 1)
		return false
	}
	every := min(2*a.every.Load()+1, lullRare)
	a.every.Store(every)
	a.left.Store(every)
	return true
}
