//go:build tandem_sim

package sim

import (
	"fmt"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/wait"
)

// Region.Close as an event, like a death: first the process's gate is shut and
// its sleeps end; some steps later all that its threads go on to access are
// zeroes of its own; and then it recovers itself in the region, by the function
// that is set with OnDeath, as anybody would recover the dead. Its threads run on
// meanwhile, to their ends: what their calls return is for the test to judge.
type leaving struct {
	gate   object.Gate
	shut   bool
	at     int                       // the step at which it goes
	gone   bool                      // its threads see zeroes
	zeroes map[unsafe.Pointer][]byte // by area
	left   bool                      // it has recovered itself, too
}

// Share says what the region is, in a world in which processes close it: all
// that they share.
func (w *World) Share(a mem.Area) { w.shared = append(w.shared, a) }

// Core is what a handle on the object in a stands on, in this process. In the
// same world the handles' own waiting goes by the scheduler.
func (p *Process) Core(kind engine.Kind, a mem.Area) *object.Core {
	return &object.Core{Op: "sim", Region: "sim", Name: kind.String(), Kind: kind, Area: a, Env: p.Env(),
		List: wait.NewList(), Gate: &p.gate, Closed: p.gate.Flag()}
}

func (p *Process) closed() bool { return p.shut }

// Gone reports whether the process has closed the region, and its threads see
// zeroes; Closes how many processes have begun to close it.
func (p *Process) Gone() bool  { return p.gone }
func (w *World) Closes() int   { return w.closes }
func (t *Thread) Closed() bool { return t.p.shut }

// Close begins the process's closing of the region.
func (p *Process) Close() {
	w := p.w
	if p.shut || !p.alive {
		return
	}
	w.closes++
	p.shut, p.at = true, w.steps+w.wait(w.o.CloseFor)
	p.gate.Shut()
	w.note(p, "closes the region")
	for _, t := range w.threads {
		if t.p == p && t.parked != nil {
			t.unpark("region closed")
		}
	}
}

// goings lets processes go that are due, unless a call is just being undone, or
// the process recovers another.
func (w *World) goings() {
	for _, p := range w.procs {
		if !p.going() || p.at > w.steps || w.recovery != nil && w.recovery.p == p || !p.gate.TryReplace() {
			continue
		}
		w.flush(p)
		p.gate.Leave(func(a mem.Area) mem.Area { return a })
		p.gone = true
		p.zeroes = map[unsafe.Pointer][]byte{}
		for _, a := range w.shared {
			p.zeroes[a.Ptr(0, 0)] = mem.Heap(a.Size()).Bytes(0, a.Size())
		}
		w.note(p, "is gone")
		p.Go(fmt.Sprintf("end of %v", p), func(t *Thread) {
			t.second = true
			if w.onDeath != nil {
				w.onDeath(t, p.Self)
			}
			p.left = true
			w.note(p, "has left")
			for _, f := range w.onRecovered {
				f(p.Self)
			}
		})
	}
}

// going reports whether the process is on its way, and runs.
func (p *Process) going() bool { return p.shut && !p.gone && p.alive && !p.stopped() }

// nextGone is the step at which the next process goes.
func (w *World) nextGone() int {
	next := 1 << 62
	for _, p := range w.procs {
		if p.going() {
			next = min(next, p.at)
		}
	}
	return next
}

// hurry lets a process go at once that is leaving, when nobody can run.
func (w *World) hurry() bool {
	for _, p := range w.procs {
		if p.going() && p.at > w.steps {
			p.at = w.steps
			return true
		}
	}
	return false
}

// where is what mem.Where is set to.
func (w *World) where(p unsafe.Pointer) unsafe.Pointer {
	t := w.cur
	if t == nil || !t.p.gone || t.second {
		return p
	}
	for _, a := range w.shared {
		base := a.Ptr(0, 0)
		if off := uintptr(p) - uintptr(base); off < uintptr(a.Size()) {
			return unsafe.Pointer(&t.p.zeroes[base][off])
		}
	}
	return p
}

// scheduler is the thread that runs now, for the waiters of package wait.
type scheduler struct{ w *World }

func (s scheduler) SleepUntil(word *uint32, v uint32, limit int64, ends bool) error {
	t := s.w.cur
	can := t.cancellable
	t.cancellable = can && ends
	defer func() { t.cancellable = can }()
	if limit == 0 {
		limit = t.Now() + relook
	}
	return t.SleepUntil(word, v, limit)
}

func (s scheduler) SleepAny(words []*uint32, values []uint32, limit int64, ends bool) error {
	t := s.w.cur
	can := t.cancellable
	t.cancellable = can && ends
	defer func() { t.cancellable = can }()
	return t.SleepAny(words, values, limit)
}

func (s scheduler) Spin() bool       { return s.w.cur.Spin() }
func (s scheduler) Now() int64       { return s.w.Now() }
func (s scheduler) Membarrier() bool { return s.w.cur.Membarrier() }
func (s scheduler) Reached() bool    { return !s.w.cur.p.Unreached }

func (w *World) begin() {
	mem.Stores = w
	mem.Others = func() {
		if w.cur != nil {
			w.cur.Spin()
		}
	}
	if len(w.shared) > 0 {
		mem.Where, mem.After = w.where, true
		wait.Simulate(scheduler{w})
	}
}

func (w *World) finish() {
	mem.Where, mem.After, mem.Stores, mem.Made, mem.Others = nil, false, nil, nil, nil
	wait.Simulate(nil)
}
