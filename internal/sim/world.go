//go:build tandem_sim

package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// Options says what besides scheduling may happen in a run. The Every fields
// are mean numbers of steps between two such events; 0 is never.
type Options struct {
	MaxSteps int // a run with more is a livelock; 0: 100,000

	KillEvery, MaxKills int
	CloseEvery          int // a process closes the region, in a world that has a Leaver
	MaxCloses           int
	CloseFor            int // mean steps from its being closed to its being gone; 0: 40
	StopEvery, MaxStops int
	StopFor             int // mean steps of a stop; 0: StopEvery
	CancelEvery         int // the context of a thread that allows it ends (Thread.Context)
	SpuriousEvery       int // a sleeper wakes for no reason

	Timers bool // waits end at their limits
	NsStep int  // nanoseconds on the clock per step; 0: random, 1 to 100 µs
}

// A World is one run.
type World struct {
	Seed uint64
	Rand *rand.Rand // for tests too: all randomness of a run comes from its seed

	o         Options
	procs     []*Process
	epochs    map[uint32]uint32
	threads   []*Thread
	cur       *Thread
	steps     int
	next      int // the step at which the running thread gives way
	due       [events]int
	kills     int
	closes    int
	stops     int
	skipped   int64 // nanoseconds that time jumped
	queues    map[*uint32][]*Thread
	dead      []*Process // killed and not yet recovered, first first
	recovery  *Thread
	recoverer *Process // whose thread that is, or the last one was

	mode       int // how the next thread is chosen
	run        int // mean steps between two choices
	low        int // the lowest priority
	made       int // threads
	sched      *schedule
	last       *Thread // the one that ran last, under a schedule
	randomWake bool
	shared     []mem.Area // what a process that leaves has zeroes for

	heaps    []mem.Area // what its processes may share
	late     int        // mean steps until a store without a fence is visible; 0: none
	lateness *rand.Rand // a world without such stores is the same, whatever their lateness
	holding  []*Thread  // with stores that are not visible
	unfenced int        // stores that were late, or could have been

	onDeath     func(*Thread, engine.Self)
	onRecovered []func(dead engine.Self)
	onStuck     []func() bool
	onIdle      []func() error
	atEnd       []func() error
	always      []func() error
	each        []func() error
	err         error
	trace       *trace
}

const (
	kill = iota
	stop
	cancel
	spurious
	leave
	events
)

const (
	uniform  = iota // anyone, at every step
	runs            // anyone, after some steps
	priority        // the highest priority, which falls now and then
	modes
)

// New makes an empty world. Explore calls it; tests that want a single run
// may too.
func New(seed uint64, o Options) *World {
	w := &World{Seed: seed, o: o, Rand: rand.New(rand.NewPCG(seed, 0x7a6e64656d)),
		epochs: map[uint32]uint32{}, queues: map[*uint32][]*Thread{}}
	if w.o.MaxSteps == 0 {
		w.o.MaxSteps = 100_000
	}
	if w.o.NsStep == 0 {
		w.o.NsStep = 1000 * (1 + w.Rand.IntN(100))
	}
	if w.o.CloseFor == 0 {
		w.o.CloseFor = 40
	}
	if w.o.StopFor == 0 {
		w.o.StopFor = w.o.StopEvery
	}
	w.mode = w.Rand.IntN(modes)
	w.run = 2 + w.Rand.IntN(1<<(1+w.Rand.IntN(7)))
	w.randomWake = w.Rand.IntN(4) == 0
	if r := rand.New(rand.NewPCG(seed, 0x73746f726573)); r.IntN(4) != 0 {
		w.late, w.lateness = 1<<(1+r.IntN(7)), r
	}
	mem.Made = func(a mem.Area) { w.heaps = append(w.heaps, a) }
	for e := range w.due {
		w.again(e)
	}
	return w
}

// OnDeath sets the recovery. It runs in a thread of a survivor.
func (w *World) OnDeath(f func(t *Thread, dead engine.Self)) { w.onDeath = f }

// OnRecovered is told when a dead process's recovery is complete; it may make
// the index's next process.
func (w *World) OnRecovered(f func(dead engine.Self)) { w.onRecovered = append(w.onRecovered, f) }

// OnStuck is asked when all threads sleep: true means that f changed that (it
// started a thread, or ended a context).
func (w *World) OnStuck(f func() bool) { w.onStuck = append(w.onStuck, f) }

// OnIdle checks what must hold when no thread can run that is not stopped.
func (w *World) OnIdle(f func() error) { w.onIdle = append(w.onIdle, f) }

// AtEnd checks the memory after all threads have ended.
func (w *World) AtEnd(f func() error) { w.atEnd = append(w.atEnd, f) }

// Always checks what must hold at any instant; it is called at every change
// of threads.
func (w *World) Always(f func() error) { w.always = append(w.always, f) }

// Each checks what must hold after each access; it is called before the next.
func (w *World) Each(f func() error) { w.each = append(w.each, f) }

// Fail ends the run, from a simulated thread or a callback.
func (w *World) Fail(format string, a ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, a...)
	}
	if w.cur != nil {
		panic(ended{})
	}
}

// Steps is the number of accesses so far, Now the simulated clock.
func (w *World) Steps() int { return w.steps }
func (w *World) Now() int64 { return 1e9 + int64(w.steps)*int64(w.o.NsStep) + w.skipped }

func (w *World) Kills() int { return w.kills }

// ended unwinds a thread that will not run again.
type ended struct{}

// Run runs until every thread has ended and every death is recovered.
func (w *World) Run() error {
	mem.Point = w.point
	w.begin()
	defer func() {
		mem.Point = nil
		w.finish()
		for _, t := range w.threads {
			t.end()
		}
	}()
	for w.err == nil {
		w.happen()
		if w.showDue() {
			w.look()
			continue
		}
		w.startRecovery()
		t := w.choose()
		if t == nil {
			if w.advance() {
				continue
			}
			break
		}
		w.resume(t)
		w.look()
	}
	if w.err == nil {
		for _, f := range w.atEnd {
			if err := f(); w.err == nil {
				w.err = err
			}
		}
	}
	if w.err != nil {
		return fmt.Errorf("seed %d, step %d: %w", w.Seed, w.steps, w.err)
	}
	return nil
}

// look is at what must always hold.
func (w *World) look() {
	for _, f := range w.always {
		if err := f(); err != nil && w.err == nil {
			w.err = err
		}
	}
}

// point is what mem.Point is set to.
func (w *World) point() {
	t := w.cur
	if t == nil {
		return
	}
	if t.over {
		panic(ended{}) // a defer of the test's, during unwinding
	}
	w.steps++
	if w.trace != nil {
		w.trace.here(w, t)
	}
	for _, f := range w.each {
		if err := f(); err != nil {
			w.Fail("%w", err)
		}
	}
	if w.sched != nil && w.steps <= w.o.MaxSteps && w.sched.goesOn(w) {
		return
	}
	if w.steps >= w.next {
		t.giveWay()
	}
}

// resume lets t run until it gives way.
func (w *World) resume(t *Thread) {
	w.next = w.o.MaxSteps + 1
	switch w.mode {
	case uniform:
		w.next = w.steps + 1
	default:
		w.next = min(w.next, w.steps+w.wait(w.run))
	}
	if w.sched != nil {
		w.next = w.steps + 1
	}
	for _, d := range w.due {
		w.next = min(w.next, d)
	}
	w.next = min(w.next, w.nextGone(), w.nextDue())
	w.next = max(w.next, w.steps+1)
	w.cur = t
	t.woken = false
	more := t.c.resume()
	w.cur = nil
	if !more {
		t.over, t.c = true, nil
		w.drop(t)
	} else if w.mode == priority && t.parked == nil && !t.spins {
		t.prio = w.Rand.IntN(1 << 20) // it may fall behind all others
	}
	t.spins = false
	if w.steps > w.o.MaxSteps && w.err == nil {
		w.err = errors.New("still running after the bound of steps: a livelock?")
	}
}

// choose picks the thread that runs next among those that can.
func (w *World) choose() *Thread {
	if w.sched != nil {
		return w.decide()
	}
	var best *Thread
	n := 0
	for _, t := range w.threads {
		if t.parked != nil || t.p.stopped() {
			continue
		}
		n++
		if w.mode == priority {
			if best == nil || t.prio > best.prio {
				best = t
			}
		} else if w.Rand.IntN(n) == 0 {
			best = t
		}
	}
	return best
}

// wait is a random number of steps with mean n, at least 1.
func (w *World) wait(n int) int {
	return 1 + int(w.Rand.ExpFloat64()*float64(n))
}

func (w *World) drop(t *Thread) {
	for i, x := range w.threads {
		if x == t {
			last := len(w.threads) - 1
			w.threads[i] = w.threads[last]
			w.threads = w.threads[:last]
			return
		}
	}
}

// advance is called when nobody can run: stores become visible, or time jumps to
// the next limit or the next end of a stop. It reports false at the end, with err
// set if there are sleepers.
func (w *World) advance() bool {
	if t := w.holder(nil); t != nil {
		w.show(t)
		w.look()
		return true
	}
	var limit *Thread
	for _, t := range w.threads {
		if t.parked != nil && t.limit != 0 && !t.p.stopped() && (limit == nil || t.limit < limit.limit) {
			limit = t
		}
	}
	var stopped *Process
	for _, p := range w.procs {
		if p.alive && p.stopped() && (stopped == nil || p.until < stopped.until) {
			stopped = p
		}
	}
	for _, f := range w.onIdle {
		if err := f(); err != nil && w.err == nil {
			w.err = err
			return false
		}
	}
	if w.hurry() {
		return true
	}
	if limit != nil || stopped != nil {
		at := int64(1) << 62
		if limit != nil {
			at = limit.limit
		}
		if stopped != nil {
			at = min(at, stopped.until)
		}
		w.skipped += max(0, at-w.Now())
		w.expire()
		return true
	}
	if len(w.threads) == 0 {
		return false
	}
	for _, f := range w.onStuck {
		if f() {
			return true
		}
	}
	w.err = fmt.Errorf("asleep for ever: %v", w.threads)
	return false
}

// expire wakes the sleepers whose limits have passed.
func (w *World) expire() {
	now := w.Now()
	for _, t := range w.threads {
		if t.parked != nil && t.limit != 0 && t.limit <= now {
			t.unpark("time is up")
		}
	}
}
