package shm

import (
	"context"
	gosync "sync"
)

// A watch is what the guard has seen of a region's other participants, and
// who wants to hear of changes.
type watch struct {
	seen []sight // by record; the guard's alone, as are the next three
	turn uint32  // whose turn it is to be looked at without a reason, by all means
	next uint32  // where the next run of those begins that are looked at by cheap means
	last int64   // when that was done, CLOCK_MONOTONIC

	mu     gosync.Mutex
	closed bool
	subs   map[*exits]bool
}

// A sight is a record's word when the guard last looked, and who it was.
type sight struct {
	word uint64
	who  Participant
}

// exits is one listener's queue. It grows with exits that nobody collects:
// telling must not wait for a listener.
type exits struct {
	ready chan struct{}
	queue []Participant // under watch.mu
	watch *watch
}

func (w *watch) subscribe() *exits {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := &exits{ready: make(chan struct{}, 1), watch: w}
	w.admit(e)
	return e
}

// resubscribe is for a listener that has been unsubscribed.
func (w *watch) resubscribe(e *exits) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.admit(e)
}

// admit adds e; mu is held. Nobody hears of anything after close, which next
// sees by itself.
func (w *watch) admit(e *exits) {
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
