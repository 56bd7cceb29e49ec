//go:build tandem_sim

package sim

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/engine"
)

// A Process is a simulated participant.
type Process struct {
	Self      engine.Self
	Immortal  bool // no random kill takes it
	Unreached bool // by a Membarrier: it is not registered
	Missed    bool // by each, though it is registered

	w      *World
	alive  bool
	until  int64 // stopped up to this time
	frozen bool
	leaving
}

// Process makes the next process at an index: epoch 1, or the one after that
// of the last process there, whose recovery must be complete.
func (w *World) Process(index int) *Process {
	i := uint32(index)
	for _, p := range w.procs {
		if p.Self.Index == i && p.alive && !p.left {
			panic("sim: index in use")
		}
	}
	for _, p := range w.dead {
		if p.Self.Index == i {
			panic("sim: index not recovered yet")
		}
	}
	w.epochs[i]++
	p := &Process{w: w, Self: engine.Self{Index: i, Epoch: w.epochs[i]}, alive: true}
	w.procs = append(w.procs, p)
	return p
}

// Env is what engines are given in this process.
func (p *Process) Env() engine.Env {
	unfenced := new(atomic.Bool)
	unfenced.Store(!p.Unreached)
	return engine.Env{
		Self: p.Self, Wake: p.w.Wake, Here: p.gate.Here,
		Sync: func() bool { return p.w.cur == nil || p.w.cur.Membarrier() }, Unfenced: unfenced,
	}
}

// Alive reports whether who is a process that has not been killed.
func (w *World) Alive(who engine.Self) bool {
	for _, p := range w.procs {
		if p.Self == who {
			return p.alive && !p.gone
		}
	}
	return false
}

func (p *Process) String() string { return fmt.Sprintf("%d.%d", p.Self.Index, p.Self.Epoch) }

func (p *Process) stopped() bool { return p.until != 0 && p.w.Now() < p.until }

// Kill ends the process where its threads stand. If one of them is running,
// Kill does not return.
func (p *Process) Kill() {
	w := p.w
	if !p.alive {
		return
	}
	p.alive, p.until = false, 0
	w.kills++
	w.note(p, "killed")
	if !p.left {
		w.dead = append(w.dead, p)
	}
	self := w.cur != nil && w.cur.p == p
	for i := 0; i < len(w.threads); {
		if t := w.threads[i]; t.p == p {
			t.leaveQueues()
			t.parked, t.limit = nil, 0
			if t == w.recovery {
				w.recovery = nil
			}
			w.drop(t)
			if t == w.cur {
				t.over = true
			} else {
				t.end()
			}
		} else {
			i++
		}
	}
	if self {
		panic(ended{})
	}
}

// Stopped reports whether the process is stopped now, StoppedUntil until when
// it last was.
func (p *Process) Stopped() bool       { return p.stopped() }
func (p *Process) StoppedUntil() int64 { return p.until }

// Stop keeps the process from running for the time of some steps.
func (p *Process) Stop(steps int) {
	p.until = p.w.Now() + int64(steps)*int64(p.w.o.NsStep)
	p.frozen = p.w.Rand.IntN(2) == 0
	p.w.note(p, fmt.Sprintf("stopped, frozen %v", p.frozen))
	if !p.frozen {
		for _, t := range p.w.threads {
			if t.p == p && t.parked != nil {
				t.restart = true
				t.unpark("stopped")
			} else if t.p == p && t.on != nil { // on its way in or out: out it goes
				t.leaveQueues()
				t.struck = true
			}
		}
	}
	if p.w.cur != nil && p.w.cur.p == p {
		p.w.cur.giveWay()
	}
}

// Wake is the simulated FUTEX_WAKE.
func (w *World) Wake(word *uint32, n int) int {
	w.point()
	for w.Drain() {
		w.point()
	}
	word = (*uint32)(w.where(unsafe.Pointer(word)))
	woken := 0
	for (n < 0 || woken < n) && len(w.queues[word]) > 0 {
		q := w.queues[word]
		i := 0
		if w.randomWake {
			i = w.Rand.IntN(len(q))
		}
		if q[i].on != nil {
			q[i].strike(word)
		} else {
			q[i].unpark("woken")
		}
		woken++
	}
	if w.trace != nil && w.cur != nil {
		w.note(w.cur.p, fmt.Sprintf("wakes %d of %d", woken, n))
	}
	return woken
}

// again sets when an event happens next.
func (w *World) again(e int) {
	every := [events]int{w.o.KillEvery, w.o.StopEvery, w.o.CancelEvery, w.o.SpuriousEvery, w.o.CloseEvery}[e]
	if e == kill && w.kills >= w.o.MaxKills || e == stop && w.stops >= w.o.MaxStops || e == leave && w.closes >= w.o.MaxCloses {
		every = 0
	}
	if every == 0 {
		w.due[e] = 1 << 62
	} else {
		w.due[e] = w.steps + w.wait(every)
	}
}

// happen lets the events that are due take place.
func (w *World) happen() {
	if w.o.Timers {
		w.expire()
	}
	w.goings()
	for e := range w.due {
		if w.due[e] > w.steps {
			continue
		}
		switch e {
		case kill:
			if p := w.anyone(func(p *Process) bool { return p.alive && !p.Immortal }); p != nil {
				p.Kill()
			}
		case stop:
			if p := w.anyone(func(p *Process) bool { return p.alive && !p.stopped() }); p != nil {
				w.stops++
				p.Stop(w.wait(w.o.StopFor))
			}
		case cancel:
			// Best of all that of one who has just been given what it waits for.
			can := func(t *Thread) bool { return t.cancellable && t.ctxErr == nil }
			t := w.sleeper(func(t *Thread) bool { return can(t) && t.woken })
			if t == nil {
				t = w.sleeper(can)
			}
			if t != nil {
				t.Cancel()
			}
		case spurious:
			if t := w.sleeper(func(t *Thread) bool { return t.parked != nil }); t != nil {
				t.unpark("for no reason")
			}
		case leave:
			if p := w.anyone(func(p *Process) bool { return p.alive && !p.Immortal && !p.closed() }); p != nil {
				p.Close()
			}
		}
		w.again(e)
	}
}

func (w *World) anyone(ok func(*Process) bool) *Process { return pick(w, w.procs, ok) }
func (w *World) sleeper(ok func(*Thread) bool) *Thread  { return pick(w, w.threads, ok) }

// pick is one of those that are ok, each as likely as the others; or nil.
func pick[T any](w *World, all []*T, ok func(*T) bool) (found *T) {
	n := 0
	for _, x := range all {
		if ok(x) {
			n++
			if w.Rand.IntN(n) == 0 {
				found = x
			}
		}
	}
	return found
}

// startRecovery gives the first dead process's recovery to some survivor, if
// nobody is at it. Nobody has proof of a death before all stores of the dead are
// visible, nor of that of a recoverer.
func (w *World) startRecovery() {
	if len(w.dead) == 0 || w.recovery != nil || w.holder(w.dead[0]) != nil {
		return
	}
	if w.recoverer != nil && !w.recoverer.alive && w.holder(w.recoverer) != nil {
		return
	}
	if w.onDeath == nil {
		w.recovered()
		return
	}
	p := w.anyone(func(p *Process) bool { return p.alive && !p.stopped() && !p.closed() })
	if p == nil {
		if p = w.anyone(func(p *Process) bool { return p.alive && !p.closed() }); p != nil {
			return // all who live are stopped
		}
		newcomer := uint32(0)
		for i := range w.epochs {
			newcomer = max(newcomer, i+1)
		}
		p = w.Process(int(newcomer))
		p.Immortal = true
	}
	dead := w.dead[0].Self
	w.recoverer = p
	w.recovery = p.Go(fmt.Sprintf("recovery of %v", w.dead[0]), func(t *Thread) {
		w.onDeath(t, dead)
		w.recovered()
	})
}

func (w *World) recovered() {
	p := w.dead[0]
	w.dead = w.dead[1:]
	w.recovery, w.recoverer = nil, nil
	w.note(p, "recovered")
	for _, f := range w.onRecovered {
		f(p.Self)
	}
}
