package ring

import (
	"runtime"
	"sync"
	"sync/atomic"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/wait"
)

// A streamWatch is how the Reads of one process, of all its streams and regions, spin: one
// of them does, the watcher, and looks for all; the others are parked, each on a channel,
// and need neither a processor nor a thread. What a program does with a hundred clients
// costs so one processor's spare time, and no system call while there is something to do.
//
//	none → parked → told → none            a Read's places, moved with mu held
//	none → watcher; parked → watcher       and who watches
//
//	P1  who would spin takes mu: nobody watches: it does; else it is parked
//	P2  a pass of the watcher's looks for each that is parked, and tells those for whom
//	    there is something: bytes, an end, its region's Close, its deadline
//	P3  who does not watch any more (its bytes have come, it goes to sleep in the kernel,
//	    its call is over, or panics) hands the watch to one that is parked, and tells it
//	P4  who was told looks by itself; who has the watch goes on with P2
//
// So as long as somebody is parked somebody watches, or has been told to: what comes after
// P1 is found by the next pass, also by that of a later watcher. A Read that naps
// (stream_nap.go) is parked, too, but the watch is not handed to it, and it does not rely on
// a watcher: there may be none.
//
// Its own Close, a new deadline and a CloseRead tell a Read that is parked as they rouse one
// that sleeps (streamHalf). To be told without a reason costs a look.
//
// The watcher spins for as long as others do, from when something was last found for
// anybody. Who gets the watch when that was over does not begin anew, so that all go to
// sleep, one after the other; a spin in vain counts once. After each look the goroutines of
// this process have their turn: one that the watcher has just made runnable would wait for
// a thread to be woken, while the watcher spins on the processor where it is queued. Other
// processes have theirs when a pass was in vain: those that are parked may be waiting for
// them.
//
// It is the library's, and orders nothing of the user's: so it is hidden from the race
// detector, as are the lists of package wait.
//
// Nothing of it is in the region. A death ends the whole watch; the peers of a process
// that is stopped wait as for a stopped reader.
type streamWatch struct {
	spin wait.Spinner // all Reads'

	on atomic.Bool  // somebody watches; mu is held to change it
	n  atomic.Int32 // of parked

	mu     sync.Mutex
	parked []*streamHalf
	next   int // in parked, where the next pass begins
	passes uint
	found  int64 // when something was last found for anybody; or the watch began
	ticks  bool  // tick runs
}

var watch streamWatch

func init() { watch.spin.ForAll() }

const (
	watchClock = 32 // passes after which the watcher looks at deadlines
	watchMost  = 64 // how many a pass looks for, of those that are parked
)

// A streamPark is a Read's part of the watch. What is not its own is mu's.
type streamPark struct {
	told  chan struct{} // has room for one
	place int           // in parked, from 1; 0: none
	naps  bool
	since int64 // when it was parked, CLOCK_MONOTONIC
	until int64 // its deadline then; 0: none

	watches bool // the Read's own while it is not parked
	late    bool // it has got the watch from one who went to sleep
}

//go:norace
func (p *streamPark) init() { p.told = make(chan struct{}, 1) }

//go:norace
func (p *streamPark) tell() {
	select {
	case p.told <- struct{}{}:
	default:
	}
}

// rousePark tells a Read that is parked, whatever for.
//
//go:norace
func (h *streamHalf) rousePark() {
	mem.RaceDisable()
	defer mem.RaceEnable()
	h.park.tell()
}

// forget is before a Read is parked: what it was told belongs to a former time.
//
//go:norace
func (p *streamPark) forget() {
	select {
	case <-p.told:
	default:
	}
}

// spins is a Spin of a Read's: P1 to P4. It says no, too, when the deadline is over.
//
//go:norace
func (w *streamWatch) spins(h *streamHalf, by *wait.Waiter) bool {
	if !h.park.watches {
		if !w.takes(h) {
			return !h.due() && !h.end.core.Closed.Load()
		}
		if h.park.late {
			by.SpinFrom(max(w.found, h.park.since))
		}
	}
	if !by.Spin() {
		w.leave(h, true)
		return false
	}
	if w.anybody() {
		if w.pass() {
			by.Renew()
		} else {
			sys.Yield()
		}
	}
	runtime.Gosched()
	if h.due() {
		w.leave(h, false)
		return false
	}
	return true
}

// anybody reports whether anybody is parked.
//
//go:norace
func (w *streamWatch) anybody() bool {
	mem.RaceDisable()
	defer mem.RaceEnable()
	return w.n.Load() > 0
}

// watched reports whether somebody watches.
//
//go:norace
func (w *streamWatch) watched() bool {
	mem.RaceDisable()
	defer mem.RaceEnable()
	return w.on.Load()
}

// takes is P1: it reports whether h watches, and else waits until it is told to look.
//
//go:norace
func (w *streamWatch) takes(h *streamHalf) bool {
	mem.RaceDisable()
	defer mem.RaceEnable()
	h.park.forget()
	w.mu.Lock()
	if !w.on.Load() {
		w.on.Store(true)
		w.found = sys.MonotonicNow()
		h.park.watches, h.park.late = true, false
		w.mu.Unlock()
		return true
	}
	w.add(h, false)
	w.mu.Unlock()
	w.await(h)
	return h.park.watches
}

// await is to be told, or to be over.
//
//go:norace
func (w *streamWatch) await(h *streamHalf) {
	if !h.over.Load() {
		<-h.park.told
	}
	w.mu.Lock()
	w.remove(h)
	w.mu.Unlock()
}

//go:norace
func (w *streamWatch) add(h *streamHalf, naps bool) {
	w.parked = append(w.parked, h)
	w.n.Store(int32(len(w.parked)))
	p := &h.park
	p.place, p.naps, p.since, p.until = len(w.parked), naps, sys.MonotonicNow(), h.deadline.Load()
}

//go:norace
func (w *streamWatch) remove(h *streamHalf) {
	i, last := h.park.place-1, len(w.parked)-1
	if i < 0 {
		return
	}
	w.parked[i] = w.parked[last]
	w.parked[i].park.place = i + 1
	w.parked[last], w.parked = nil, w.parked[:last]
	w.n.Store(int32(last))
	h.park.place = 0
}

// leave is P3. late: it goes to sleep.
//
//go:norace
func (w *streamWatch) leave(h *streamHalf, late bool) {
	if !h.park.watches {
		return
	}
	mem.RaceDisable()
	defer mem.RaceEnable()
	w.mu.Lock()
	defer w.mu.Unlock()
	h.park.watches = false
	if !late {
		w.found = sys.MonotonicNow()
	}
	for _, next := range w.parked {
		if !next.park.naps {
			w.remove(next)
			next.park.watches, next.park.late = true, late
			next.park.tell()
			return
		}
	}
	w.on.Store(false)
}

// pass is P2. It reports whether there was something for anybody. Of many that are parked
// it looks for some, and the next one for others.
//
//go:norace
func (w *streamWatch) pass() (some bool) {
	mem.RaceDisable()
	defer mem.RaceEnable()
	if !w.mu.TryLock() {
		return false
	}
	defer w.mu.Unlock()
	now := int64(0)
	if w.passes++; w.passes%watchClock <= uint(len(w.parked)/watchMost) { // so many as come to all
		now = sys.MonotonicNow()
	}
	for left := min(len(w.parked), watchMost); left > 0 && len(w.parked) > 0; left-- {
		if w.next >= len(w.parked) {
			w.next = 0
		}
		h := w.parked[w.next]
		if !h.end.eng.Ready() && !h.end.core.Closed.Load() && (h.park.until == 0 || now < h.park.until) {
			w.next++
			continue
		}
		w.remove(h)
		h.park.tell()
		some = true
	}
	if some {
		w.found = sys.MonotonicNow()
	}
	return some
}
