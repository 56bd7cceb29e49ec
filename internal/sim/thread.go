//go:build tandem_sim

package sim

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
)

// ErrCanceled is what a Sleep returns when the thread's context has ended.
var ErrCanceled = errors.New("sim: context ended")

// A Thread is a simulated thread of a process. It is an engine.Sleeper.
type Thread struct {
	Name string

	w      *World
	p      *Process
	c      *carrier // until it has ended
	over   bool
	number int

	parked  *uint32
	on      []*uint32 // the queues of a SleepAny; it may be in them while it is not parked
	struck  bool      // one of them had a wake-up for it
	limit   int64     // when a parked thread's wait ends; 0 never
	woken   bool      // and has not run since
	restart bool      // its wait begins anew when its process continues
	prio    int
	spins   bool

	cancellable bool
	ctxErr      error

	stores mem.Buffer

	second bool // it goes by the second mapping of a process that leaves
}

// Go starts a thread. It may be called before Run and during it.
func (p *Process) Go(name string, f func(*Thread)) *Thread {
	w := p.w
	w.made++
	t := &Thread{Name: name, w: w, p: p, number: w.made, prio: w.Rand.IntN(1 << 20)}
	t.c = carry(func() {
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(ended); !ok && w.err == nil {
					w.err = fmt.Errorf("%v panics: %v\n%s", t, r, debug.Stack())
				}
			}
		}()
		deepen()
		f(t)
	})
	w.threads = append(w.threads, t)
	return t
}

// deepen has the stack be as deep at once as most threads' come to be: it would be copied again
// and again else, and a thread lives for some hundred accesses.
//
//go:noinline
func deepen() {
	var deep [12 << 10]byte
	deepest(&deep)
}

//go:noinline
func deepest(*[12 << 10]byte) {}

func (t *Thread) String() string {
	s := fmt.Sprintf("%s[%v]", t.Name, t.p)
	if t.parked != nil {
		s += fmt.Sprintf(" on %p", t.parked)
	}
	return s
}

func (t *Thread) Process() *Process { return t.p }
func (t *Thread) Env() engine.Env   { return t.p.Env().Bare() } // for a recoverer
func (t *Thread) World() *World     { return t.w }

// Step is a scheduling point of the test's own, which makes time pass. Under
// every schedule there is no need for one.
func (t *Thread) Step() {
	if t.w.sched == nil {
		t.w.point()
	}
}

// Go starts another thread of the same process.
func (t *Thread) Go(name string, f func(*Thread)) *Thread { return t.p.Go(name, f) }

// end unwinds a thread that is not running.
func (t *Thread) end() {
	cur := t.w.cur
	t.w.cur = t // so that its defers come to no access
	t.over = true
	if t.c != nil {
		t.c.stop()
		t.c = nil
	}
	t.w.cur = cur
}

// giveWay lets the scheduler choose; it does not return if t is killed.
func (t *Thread) giveWay() {
	if !t.c.giveWay() {
		panic(ended{})
	}
}

// Context begins a new call: with can, its context may end at any time, and
// the call's Sleeps then return ErrCanceled.
func (t *Thread) Context(can bool) { t.cancellable, t.ctxErr = can, nil }

// Cancel ends the context of the present call.
func (t *Thread) Cancel() {
	t.ctxErr = ErrCanceled
	t.w.note(t.p, t.Name+": context ends")
	if t.parked != nil {
		t.unpark("context ended")
	}
}

func (t *Thread) Now() int64 { return t.w.Now() }

// Spin is mostly not worth it, so that the sleeping paths are taken.
func (t *Thread) Spin() bool {
	if t.w.sched != nil {
		return false
	}
	t.w.low--
	t.prio, t.spins = t.w.low, true // all others go first
	t.w.next = 0
	t.w.point()
	return t.w.Rand.IntN(4) == 0
}

// relook is how long a sleep lasts at most, in a world with timers.
const relook = 500e6

func (t *Thread) Sleep(word *uint32, v uint32) error {
	return t.SleepUntil(word, v, t.Now()+relook)
}

// SleepUntil sleeps up to a time of Now's, if the world has timers.
func (t *Thread) SleepUntil(word *uint32, v uint32, limit int64) error {
	w := t.w
	w.point()
	t.drain()
	for {
		if t.p.closed() {
			return object.ErrClosed
		}
		if t.ctxErr != nil && t.cancellable {
			return t.ctxErr
		}
		if atomic.LoadUint32(word) != v { // compared and enqueued in one step
			return nil
		}
		if w.o.Timers && limit <= w.Now() {
			return nil
		}
		t.parked = word
		if w.o.Timers {
			t.limit = limit
		}
		w.queues[word] = append(w.queues[word], t)
		if w.trace != nil {
			w.note(t.p, fmt.Sprintf("%s sleeps on %p = %#x", t.Name, word, v))
		}
		t.giveWay()
		if t.restart {
			t.restart = false
			continue
		}
		if t.p.closed() {
			return object.ErrClosed
		}
		// It was woken, perhaps with the context ending at the same time: the
		// wake-up is consumed either way.
		if t.ctxErr != nil && t.cancellable && !t.p.closed() && w.Rand.IntN(2) == 0 {
			return t.ctxErr
		}
		return nil
	}
}

func (t *Thread) unpark(why string) {
	if t.w.trace != nil {
		t.w.note(t.p, t.Name+" "+why)
	}
	t.woken = t.woken || t.parked != nil
	if t.on == nil || t.restart {
		t.leaveQueues()
	}
	t.parked, t.limit = nil, 0
}

// leaveQueues takes it off all words.
func (t *Thread) leaveQueues() {
	if t.parked != nil && t.on == nil {
		t.leaveQueue(t.parked)
	}
	for len(t.on) > 0 {
		t.leaveQueue(t.on[0])
	}
	t.on = nil
}

func (t *Thread) leaveQueue(word *uint32) {
	q := t.w.queues[word]
	for i, x := range q {
		if x == t {
			t.w.queues[word] = append(q[:i], q[i+1:]...)
			break
		}
	}
	for i, x := range t.on {
		if x == word {
			t.on = append(t.on[:i], t.on[i+1:]...)
			break
		}
	}
}
