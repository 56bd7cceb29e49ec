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
	from   uint64        // the position of the last fruitless look, plus one
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
	if s, ok := by.(LullSleeper); ok && s.Lulls() {
		q.letPass(a, p)
	}
}

// letPass is pause of one who may, and reports whether time was let pass. A second look
// at p tells no more than the first.
func (q *Queue) letPass(a *lull, p uint64) bool {
	mem.RaceDisable()
	defer mem.RaceEnable()
	from := atomic.LoadUint64(&a.from)
	if from == p+1 {
		return false
	}
	mem.Release64(&a.from, p+1)
	came := uint32(0)
	if from != 0 {
		came = q.between(from-1, p)
	}
	micros := a.next(came, q.n)
	for range micros {
		mem.RelaxMicro()
	}
	return micros > 0
}

// Soon is what one does after a fruitless look at the head, before it has a Waiter: it
// lets time pass, if it may and that pays, or looks at the slot alone for so many PAUSEs,
// the first ones apart, the later ones by an eighth of what there were. It reports
// whether a message is there.
//
//go:noinline
func (q *Queue) Soon(lulls bool, looks int) bool {
	at := q.head.load()
	p, full := q.word(posSlot(at)), slotWord(lapTurn(at), slotFull, 0)
	if lulls && q.letPass(&q.gets, at) {
		return mem.Load64(p) == full
	}
	for paused := 0; paused < looks; {
		if mem.Load64(p) == full {
			return true
		}
		n := 1 + paused/8
		mem.Relax(n)
		paused += n
	}
	return false
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
