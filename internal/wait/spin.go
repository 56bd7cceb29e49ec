package wait

import (
	"runtime"
	"sync/atomic"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
)

// Mode is how a handle spends a processor on its waits.
type Mode int

const (
	Adaptive Mode = iota // spin, as far as that paid lately, then sleep
	Spin                 // latency above all: spin for a second before a sleep
	Sleep                // a processor saved above all: do not spin
)

// How long one spins. A sleep and its wake-up cost some 5 to 65 µs, and to spin for as
// long would cost at most twice what is best. But a spin must be longer than a wake-up
// takes, and the partner's answer: where it was 40 µs and a wake-up took 50, two that
// had once slept each found the other asleep in every spin, and slept for ever. A waiter
// that spins in vain again and again only glances, but for one wait in spinProbe, and now
// and then one that stays (hope.go). What counts is only whether spinning paid: that a
// sleep was short does not say that a spin would have paid, for the partner may be waiting
// for this very processor.
//
// A process that has one processor is apart: few.go.
const (
	spinMost   = 150 * time.Microsecond
	spinCheck  = 40 * time.Microsecond // between two times at which it lets others run
	spinGlance = 2 * time.Microsecond
	spinEver   = time.Second
	spinProbe  = 16
)

// A Spinner learns, for all waits through one handle, whether spinning pays.
// The zero Spinner is Adaptive and hopeful.
type Spinner struct {
	mode  atomic.Int32
	vain  atomic.Int32 // 0: lately spinning always paid; vainMost: never
	waits atomic.Uint32
	rare  atomic.Int32 // with few processors: how often spinProbe is doubled
	hope  hope
	all   bool
	brief bool
	ever  atomic.Int64 // of tests: instead of spinEver, if not 0
}

const vainMost = 1 << 10

// NewSpinner makes a Spinner of a mode.
func NewSpinner(m Mode) *Spinner {
	s := &Spinner{}
	s.SetMode(m)
	return s
}

// ForAll makes it that of spins for many goroutines of the process, and brief. Where that has one
// processor, what came while one of these had it says nothing of those spins: a sleep
// would end late that another must end, on another processor. It is called before the
// first wait.
func (s *Spinner) ForAll() { s.all, s.brief = true, true }

// Brief has it not stay, where a spin looks too seldom at what ends a wait.
func (s *Spinner) Brief() *Spinner {
	s.brief = true
	return s
}

// SetEver has a spin of mode Spin last for d, and be hopeful; 0: as always. For tests of what
// comes while one spins.
func (s *Spinner) SetEver(d time.Duration) {
	s.ever.Store(int64(d))
	s.vain.Store(0)
}

func (s *Spinner) forEver() time.Duration {
	if d := s.ever.Load(); d != 0 {
		return time.Duration(d)
	}
	return spinEver
}

// SetMode changes the mode of the waits that begin from now on.
func (s *Spinner) SetMode(m Mode) { s.mode.Store(int32(m)) }

// Mode returns the mode.
func (s *Spinner) Mode() Mode {
	if noSpin {
		return Sleep
	}
	return Mode(s.mode.Load())
}

// noSpin is for tests that step through waits: of a spin nobody else sees anything.
var noSpin = sys.Forced("nospin")

// observe enters one spin into the average of some four. Two at once may count
// as one. Where spinning always pays there is nothing to write.
func (s *Spinner) observe(paid bool) {
	v := s.vain.Load()
	switch {
	case !paid:
		v += (vainMost - v + 3) / 4
	case v == 0:
		return
	default:
		if v -= (v + 3) / 4; v < vainMost/4 {
			s.hope.helped()
		}
	}
	s.vain.Store(v)
	s.probeLess(!paid && v >= vainMost*3/4)
}

// budget is how long a wait that begins now spins, and whether its failure will
// tell something: not that of a glance beside longer spins; and whether it stays (hope.go).
func (s *Spinner) budget() (d time.Duration, tells, stays bool) {
	mode, many := s.Mode(), processors.many()
	if mode == Sleep {
		return 0, false, false
	}
	hopeful := s.vain.Load() < vainMost*3/4 || s.waits.Add(1)%(spinProbe<<s.rare.Load()) == 0
	switch {
	case mode == Spin && (many || hopeful):
		return s.forEver(), true, false
	case mode == Spin || hopeful:
		return spinMost, true, false
	case many && !s.brief && s.hope.now(hopeMany):
		return hopeMany, true, true
	case many:
		return spinGlance, false, false
	case !s.brief && s.hope.now(hopeFew):
		return hopeFew, true, true
	}
	return 0, false, false
}

// spinning is a Waiter's spin: fresh → on → yielded → over → (Sleep) → fresh; with nothing to
// spend it is yielded at once, and so it is after a sleep that something ended.
type spinning struct {
	of     *Spinner
	state  int8
	tells  bool  // that the spin was in vain says something
	stays  bool  // it gives the processor to no other process
	ran    int64 // of one that stays: when its own process's others had it
	joined bool  // it is counted in crowd
	paused int   // PAUSEs so far, and looks
	clock  int   // paused, when the clock is read next
	start  int64 // of the spin, once the clock was read
	budget int64
	checks int64 // when one who spins for long looks up
	few    few
}

const (
	spinFresh = iota
	spinOn
	spinYielded
	spinOver // it is announced, and about to sleep
)

// Spin follows each fruitless look and says whether to look again before one
// sleeps. It relaxes while the budget lasts, then yields the processor once, then
// says no.
//
// The first looks are a PAUSE apart, and the later ones by an eighth of what the
// wait has taken so far, up to a microsecond: what comes is seen soon after, by
// the measure of how long it took to come, and what takes long is not disturbed
// by looks, each of which takes a line away from who is about to write it. Of the
// clock and of anything that is not the Waiter's own the first microsecond knows
// nothing.
//
//go:norace
func (w *Waiter) Spin() bool {
	if simulated {
		return hook.Spin()
	}
	p := &w.spin
	switch p.state {
	case spinFresh:
		mem.RaceDisable()
		p.begin()
		mem.RaceEnable()
		if p.budget == 0 {
			break
		}
		fallthrough
	case spinOn:
		n := min(1+p.paused/8, mem.PerMicro)
		mem.Relax(n)
		if p.paused += n + 1; p.paused < p.clock || w.goesOn() {
			return true
		}
	default:
		if p.state == spinYielded {
			p.over()
		}
		return false
	}
	p.state = spinYielded
	p.few.gone, p.few.sure = p.paused, true
	runtime.Gosched()
	return true
}

// over is the end of a spin in vain: the sleep is about to be announced.
//
//go:norace
func (p *spinning) over() {
	p.state, p.few.had = spinOver, 0
	mem.RaceDisable()
	if !p.tells && !p.of.all && p.of.Mode() != Sleep {
		p.few.had = sys.Switches()
	}
	mem.RaceEnable()
}

// Lulls reports whether the call may let some microseconds pass without a look:
// where it would spin, and the one it waits for has another processor, as far as is
// known.
//
//go:norace
func (w *Waiter) Lulls() bool {
	return w.spin.of.Lulls()
}

// Lulls is the same of a call that has no Waiter.
//
//go:norace
func (s *Spinner) Lulls() bool {
	mem.RaceDisable()
	ok := !simulated && s.Mode() != Sleep && (!processors.one.Load() || s.vain.Load() < vainMost/4)
	mem.RaceEnable()
	return ok
}

// Spins reports whether there is a processor to be spent.
func (s *Spinner) Spins() bool { return !simulated && s.Mode() != Sleep }

// Defers reports whether a call may let some microseconds pass though what it waits for
// may be there: not in mode Spin, which is for those who wait for latency above all.
func (s *Spinner) Defers() bool { return s.Lulls() && s.Mode() != Spin }

// Looks is how long, in PAUSEs, a call looks at what it waits for before it has a Waiter:
// what comes so soon costs no more. Seen is when that was not in vain.
//
//go:norace
func (s *Spinner) Looks() int {
	mem.RaceDisable()
	defer mem.RaceEnable()
	if simulated || s.Mode() == Sleep || s.vain.Load() >= vainMost/4 {
		return 0
	}
	return mem.PerMicro
}

//go:norace
func (s *Spinner) Seen() {
	mem.RaceDisable()
	s.observe(true)
	mem.RaceEnable()
}

//go:norace
func (p *spinning) begin() {
	d, tells, stays := p.of.budget()
	p.state, p.tells, p.stays, p.budget = spinOn, tells, stays, int64(d)
	p.paused, p.clock, p.start, p.ran = 0, mem.PerMicro, 0, 0
	p.few = few{}
	if stays {
		p.few.seen = sys.Switches()
	}
}

// goesOn reads the clock, about once a microsecond. Once it lets the goroutines run
// that are queued at this processor: one that the caller has made runnable before it began
// to wait would be there until a thread was woken that takes it away.
//
//go:norace
func (w *Waiter) goesOn() bool {
	p := &w.spin
	now := sys.MonotonicNow()
	p.clock = p.paused + mem.PerMicro
	mem.RaceDisable()
	if p.start == 0 {
		p.start = now
		p.checks = now + int64(spinCheck)
		if !processors.manyAt(now) {
			p.few = few{are: true, last: now, seen: p.few.seen}
		}
		p.join()
	}
	if p.stays {
		p.few.had, p.few.seen = p.few.seen, sys.Switches()
	}
	first := p.start == now
	crowded := crowd.Load() >= processors.running.Load()
	mem.RaceEnable()
	switch {
	case now-p.start >= p.budget:
		return false
	case now >= p.checks:
		return w.lookUp(now)
	case p.few.are:
		return p.share(now, crowded)
	case crowded || first:
		runtime.Gosched()
	}
	return true
}

// crowd is how many goroutines of this process spin, and have for more than a
// microsecond. If they are as many as may run at a time, then whom they wait
// for may be one that cannot: they yield after each look.
var crowd atomic.Int32

//go:norace
func (p *spinning) join() {
	crowd.Add(1)
	p.joined = true
}

//go:norace
func (p *spinning) leave() {
	if p.joined {
		crowd.Add(-1)
		p.joined = false
	}
}

// Renew has a spin that paid, though not for this call, go on as if it had begun now.
//
//go:norace
func (w *Waiter) Renew() {
	mem.RaceDisable()
	if p := &w.spin; p.start != 0 {
		p.of.observe(true)
		p.start = sys.MonotonicNow()
	}
	mem.RaceEnable()
}

// SpinFrom has the spin that is about to begin count from a time of Now's on, for another
// has spun for this call. That it was in vain has been told by the other.
//
//go:norace
func (w *Waiter) SpinFrom(since int64) {
	p := &w.spin
	mem.RaceDisable()
	if mode := p.of.Mode(); p.state == spinFresh && mode != Sleep {
		p.state, p.tells, p.stays, p.budget = spinOn, false, false, int64(spinMost)
		if mode == Spin {
			p.budget = int64(p.of.forEver())
		}
		p.paused, p.clock = 0, mem.PerMicro
		p.start, p.checks = since, since+int64(spinCheck)
		p.few = few{are: !processors.manyAt(sys.MonotonicNow()), last: since}
		p.join()
	}
	mem.RaceEnable()
}

// lookUp is what a waiter that spins for long does now and then: it lets others
// run, in this process and in others (the partner may be waiting for this
// processor), and sees whether the wait must end, which Sleep then says. It finds a
// fault of the context's, too: the caller's next look may find what it waits for.
//
//go:norace
func (w *Waiter) lookUp(now int64) bool {
	if p := &w.spin; !p.stays || now-max(p.start, p.ran) > int64(hopeOwn) {
		runtime.Gosched()
		if p.stays {
			p.ran = now
		} else {
			sys.Yield()
			now = p.shared(now)
		}
		p.few.gone, p.few.sure = p.paused, true // what is there now, the processor's others brought
	}
	w.spin.checks = now + int64(spinCheck)
	mem.RaceDisable()
	nudged := w.list.nudges.Load() != w.seen
	mem.RaceEnable()
	_, err := w.asked((*Waiter).ctxErr)
	if nudged || w.list.Closed() || err != nil || w.isOver() {
		w.spin.state = spinYielded
		return false
	}
	return true
}

// again is the end of a Sleep, and of the spin before it, which was in vain. A
// waiter that was alarmed looks once and does not spin, so that its next Sleep
// finds the reason at once; nor does one that nobody woke.
//
//go:norace
func (p *spinning) again(alarmed bool) {
	p.leave()
	if p.budget > 0 && p.tells {
		p.of.observe(false)
		if p.of.hope.gave.Load() {
			p.of.hope.gave.Store(false)
		}
	}
	p.budget, p.tells = 0, false
	p.state = spinFresh
	if alarmed {
		p.state = spinYielded
	}
}

// learn is the end of the wait: if a spin is under way it paid, or a yield brought what
// it waited for, or that came while its sleep was announced. A call that was posted is unposted. A wait that never slept takes
// no lock here.
//
//go:norace
func (w *Waiter) learn() {
	p := &w.spin
	p.leave()
	switch silent := p.of.all && p.few.are; {
	case p.state == spinOver && p.tells: // it was in vain, though it came soon after
		if !silent {
			p.of.observe(false)
		}
	case p.state == spinOver:
		if p.would() {
			p.of.observe(true)
		}
	case p.budget > 0:
		if ok := p.paid(); ok || !silent {
			p.of.observe(ok)
		}
	}
	if w.place == placeNone {
		return
	}
	l := w.list
	l.mu.Lock()
	if l.closed.Load() { // what the board stands in is not the region any more
		w.place, w.ahead, w.behind = placeNone, nil, nil
	} else {
		l.unpost(w)
	}
	l.mu.Unlock()
}
