package ring

import (
	"os"
	"sync/atomic"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/wait"
)

// A streamNap is how a Read begins of which nothing is expected: parked, without a watcher.
//
// Such is a Read that begins after an answer was read and before the next question is
// written, where the peer only answers: an http.Client's, between two requests. It would
// spin while its own process has work to do. Its own Write ends the nap, or hands it to the
// watcher if there is one. And such is the Read by which an http.Server finds out that its
// client is gone while a handler is at work: that one is roused when the handler is done.
//
// Whether a peer speaks unasked a half learns: it naps after a Read that began quietly,
// nothing having been written since the one before, and got its bytes after a Write, or
// was roused; and not for many Reads after one to which bytes came unasked. A nap lasts two
// ticks at most: so late is what comes in a nap, once in napTrust times at the most.
type streamNap struct {
	wrote uint64 // by this end, when it last read something
	began bool   // this Read did so quietly
	trust int    // it naps if that is more than 0
	on    atomic.Bool
}

const (
	napTick  = time.Millisecond
	napIdle  = 20 // ticks without a nap, after which they end
	napTrust = 64
)

// quiet reports whether nothing was written since something was read.
func (h *streamHalf) quiet() bool {
	return h.what == engine.EndReading && h.end.eng.Wrote() == h.nap.wrote
}

// naps reports whether nothing is expected of a Read that waits.
func (h *streamHalf) naps() bool {
	if h.nap.trust <= 0 || !h.spin.Spins() || !h.quiet() {
		return false
	}
	d := h.deadline.Load()
	return d == 0 || d-sys.MonotonicNow() > 5*int64(napTick)
}

// learn is the end of a wait, with bytes or without.
func (h *streamHalf) learn(n int, err error) {
	switch {
	case !h.nap.began:
	case n > 0 && h.quiet():
		h.nap.trust = -napTrust
	case n > 0 || err == os.ErrDeadlineExceeded:
		h.nap.trust = min(h.nap.trust+1, 1)
	}
}

// nap is one.
func (w *streamWatch) nap(h *streamHalf) {
	h.park.forget()
	w.mu.Lock()
	w.add(h, true)
	if !w.ticks {
		w.ticks = true
		go w.tick()
	}
	w.mu.Unlock()
	h.nap.on.Store(true)
	if h.quiet() { // else a Write may not have seen on
		w.await(h)
	} else {
		w.mu.Lock()
		w.remove(h)
		w.mu.Unlock()
	}
	h.nap.on.Store(false)
}

// spoke follows each Write: what this end reads is expected from now on.
func (w *streamWatch) spoke(h *streamHalf) {
	if !h.nap.on.Load() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if h.park.place != 0 && w.on {
		h.park.naps = false
		return
	}
	h.park.tell()
}

// tick ends naps that last for longer than a tick.
func (w *streamWatch) tick() {
	for idle := 0; ; {
		time.Sleep(napTick)
		w.mu.Lock()
		now := sys.MonotonicNow()
		idle++
		for i := 0; i < len(w.parked); {
			h := w.parked[i]
			if h.park.naps {
				idle = 0
			}
			if h.park.naps && now-h.park.since >= int64(napTick) {
				w.remove(h)
				h.park.tell()
				continue
			}
			i++
		}
		if idle >= napIdle {
			w.ticks = false
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
	}
}

// A streamSleeper is a Waiter that knows the deadline, and of a Read the watch.
type streamSleeper struct {
	*wait.Waiter
	h *streamHalf
}

// Spin is watch's, of a Read.
func (s *streamSleeper) Spin() bool {
	if s.h.what != engine.EndReading || !s.h.spin.Spins() {
		return s.Waiter.Spin()
	}
	return watch.spins(s.h, s.Waiter)
}

func (s *streamSleeper) Sleep(w *uint32, v uint32) error { return s.SleepUntil(w, v, 0) }

func (s *streamSleeper) SleepUntil(w *uint32, v uint32, limit int64) error {
	if d := s.h.deadline.Load(); d != 0 {
		if s.Now() >= d {
			return os.ErrDeadlineExceeded
		}
		if limit == 0 || d < limit {
			limit = d
		}
	}
	return s.Waiter.SleepUntil(w, v, limit)
}
