package wait

import (
	"runtime"
	"sync/atomic"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
)

// A process that has one processor only (of the system, by its affinity, or for its
// goroutines) may wait for one that runs on another, or for one that waits for this very
// processor; which of them nothing says. So it spins as others do, and while it spins it
// gives the processor away every few microseconds: to its own goroutines, if they have no
// other, and to other processes, if it is bound to it. Then it is a few microseconds
// until the one runs, and the other is seen as soon as by anybody.
//
// What is there when the processor comes back came by that, and not by spinning: a sleep
// would have been as good. So it is if somebody else has had the processor; but of what
// comes from another, too, a third or more comes while it is given away to nobody. Where
// it never comes otherwise one sleeps at once, but for one wait in 16, 32, … 1,024; and so
// in one of those in which others kept the processor for long. In mode Spin it spins for
// as long as otherwise only hopes pay.
type few struct {
	are  bool
	next int64 // when it is given away again
	last int64 // when the clock was read
	gone int   // paused, when others had it
	sure bool  // they had it: it is known without asking
	had  int64 // sys.Switches when it was given away; of one that stays before its last look; of one that is over then
	seen int64 // the same after that look; 0: there was none
}

const (
	fewGive  = 4 * time.Microsecond
	fewTaken = 100 * time.Microsecond // between two readings: others have had it
	fewRare  = 6                      // doublings of spinProbe, at most
)

// share gives the processor away if it is time, and says whether to spin on.
//
//go:norace
func (p *spinning) share(now int64, crowded bool) bool {
	f := &p.few
	if now-f.last > int64(fewTaken) {
		f.gone, f.sure = p.paused, true
	}
	f.last = now
	bound := processors.isBound()
	if f.next == 0 && !crowded {
		f.next = now + int64(fewGive)
	}
	if now < f.next || !crowded && (p.stays || !bound) {
		return true
	}
	if !p.stays {
		f.had = sys.Switches()
	}
	if crowded {
		runtime.Gosched()
	}
	if bound && !p.stays {
		sys.Yield()
	}
	took := p.shared(now) - now
	f.sure = crowded
	return took <= int64(spinCheck) || p.budget > int64(spinMost)
}

// shared is when it has been given away, which began at now. The longer that took the
// later is the next time: a goroutine that is locked to its thread takes microseconds
// to yield to nobody.
//
//go:norace
func (p *spinning) shared(now int64) int64 {
	if f := &p.few; f.are {
		f.last = sys.MonotonicNow()
		f.next = f.last + max(int64(fewGive), min(2*(f.last-now), int64(spinCheck)))
		f.gone, f.sure = p.paused, true
		now = f.last
	}
	return now
}

// brought reports that it was there when the processor came back that others had had.
//
//go:norace
func (p *spinning) brought() bool {
	f := &p.few
	return f.gone > 0 && f.gone == p.paused && (f.sure || f.had < 0 || f.had != sys.Switches())
}

// probeLess has a spin be tried less often, or no longer so.
func (s *Spinner) probeLess(less bool) {
	if n := s.rare.Load(); !less && n != 0 {
		s.rare.Store(0)
	} else if less && n < fewRare && processors.one.Load() {
		s.rare.Store(n + 1)
	}
}

// processors remembers for a while whether this process may run on several
// processors, and does.
var processors procs

type procs struct {
	until   atomic.Int64 // ask again then
	one     atomic.Bool
	bound   atomic.Bool  // to one, by affinity
	running atomic.Int32 // GOMAXPROCS
}

const askProcessors = 100 * time.Millisecond

// many does without the clock as long as there were several when somebody asked
// last: a spin of more than a microsecond asks.
func (p *procs) many() bool { return !p.one.Load() || p.manyAt(sys.MonotonicNow()) }

func (p *procs) manyAt(now int64) bool {
	if now >= p.until.Load() {
		n, bound := runtime.GOMAXPROCS(0), sys.Processors() == 1
		p.running.Store(int32(n))
		p.bound.Store(bound)
		p.one.Store(n == 1 || bound)
		p.until.Store(now + int64(askProcessors))
	}
	return !p.one.Load()
}

//go:norace
func (p *procs) isBound() bool {
	mem.RaceDisable()
	defer mem.RaceEnable()
	return p.bound.Load()
}
