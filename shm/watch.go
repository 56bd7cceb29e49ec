package shm

import (
	"context"
	gosync "sync"
)

// A watch is what the guard has seen of a region's other participants, and the
// listeners that want to hear of changes.
type watch struct {
	// The guard's alone, as is all up to mu; by record.
	words  []uint64      // as they were at the last look
	alive  []uint32      // and the alive words
	who    []Participant // who it was; nil until somebody listens
	asked  []uint64      // the word with which its owner was asked to put it right
	doubts map[uint32]*doubt
	behind []uint32 // the suspects among those that this process watches
	bell   uint32   // as it was at the last look

	untold []anEnd // ends that were noted and are perhaps not told yet, while on duty
	still  int     // looks in a row that found somebody on the way, and nothing new

	shift      shift
	turn       uint32  // whose turn it was to be tried by all means
	next       uint32  // where the next run of those begins that are tried by cheap means
	locked     []int64 // bytes that a guard on duty tries while it sleeps
	nextLocked int
	found      int64 // one that was found free, or -1

	mu     gosync.Mutex
	closed bool
	subs   map[*exits]bool
}

// anEnd is that of a record's user.
type anEnd struct{ i, epoch uint32 }

// exits is one listener's queue. It grows with exits that nobody collects:
// telling must not wait for a listener.
type exits struct {
	ready chan struct{}
	queue []Participant // under watch.mu
	watch *watch
}

// listen begins a listener's queue, or has one that exists go on. The guard
// knows of it when listen returns: all that goes from then on is told.
func (a *attachment) listen(e *exits) *exits {
	w := &a.watch
	if e == nil {
		e = &exits{ready: make(chan struct{}, 1), watch: w}
	}
	if !w.listens(e) && !theGuard.have(a, func() { a.beginTelling(e) }) {
		w.admit(e) // to be told that there is no more
	}
	return e
}

func (w *watch) listens(e *exits) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.subs[e]
}

// admit adds e. Nobody hears of anything after close, which next sees by itself.
func (w *watch) admit(e *exits) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	if w.subs == nil {
		w.subs = map[*exits]bool{}
	}
	w.subs[e] = true
}

func (w *watch) unsubscribe(e *exits) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.subs, e)
}

// listened reports whether somebody listens now.
func (w *watch) listened() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.subs) > 0
}

func (w *watch) tell(p Participant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for e := range w.subs {
		e.queue = append(e.queue, p)
		select {
		case e.ready <- struct{}{}:
		default:
		}
	}
}

// close ends every listener.
func (w *watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for e := range w.subs {
		close(e.ready)
	}
	w.subs = nil
}

func (e *exits) next(ctx context.Context) (Participant, bool) {
	for {
		if ctx.Err() != nil {
			return Participant{}, false
		}
		e.watch.mu.Lock()
		if len(e.queue) > 0 {
			p := e.queue[0]
			e.queue = e.queue[1:]
			e.watch.mu.Unlock()
			return p, true
		}
		closed := e.watch.closed
		e.watch.mu.Unlock()
		if closed {
			return Participant{}, false
		}
		select {
		case <-e.ready:
		case <-ctx.Done():
		}
	}
}
