package ring

import (
	"os"
	"sync/atomic"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
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
// Whether a peer speaks unasked a half learns from Reads that began quietly: nothing had
// been written since the one before, and no Write was waiting. One that got its bytes after
// a Write, or was roused, speaks for naps; one that got them unasked, or while it napped,
// and be it an instant before a Write, against them, the more the more often that was so. A
// nap lasts two ticks at most: so late is what comes in one.
type streamNap struct {
	wrote   uint64 // by this end, when it last read something
	began   bool   // this Read did so quietly
	unasked bool   // it napped while there was something; watch.mu
	trust   int    // it naps if that is more than 0
	doubt   int    // of how many Reads, after the next that got something unasked
	on      atomic.Bool
}

const (
	napTick  = time.Millisecond
	napIdle  = 20 // ticks without a nap, after which they end
	napTrust = 8  // Reads that speak for naps before the first
	napDoubt = 64 // and after one that spoke against them; four times as many after each
	napNever = 1 << 20
)

//go:norace
func (n *streamNap) init() { n.trust, n.doubt = 1-napTrust, napDoubt }

// quiet reports whether nothing was written since something was read.
func (h *streamHalf) quiet() bool {
	return h.what == engine.EndReading && h.end.eng.Wrote() == h.nap.wrote && !h.end.out.waits.Load()
}

// naps reports whether nothing is expected of a Read that waits.
//
//go:norace
func (h *streamHalf) naps() bool {
	if h.nap.trust <= 0 || !h.nap.began || !h.spin.Spins() || !h.quiet() {
		return false
	}
	d := h.deadline.Load()
	return d == 0 || d-sys.MonotonicNow() > 5*int64(napTick)
}

// learn is the end of a wait, with bytes or without.
//
//go:norace
func (h *streamHalf) learn(n int, err error) {
	p := &h.nap
	switch {
	case !p.began:
	case p.unasked || n > 0 && h.quiet():
		p.trust, p.doubt = -p.doubt, min(4*p.doubt, napNever)
	case n > 0 || err == os.ErrDeadlineExceeded:
		p.trust = min(p.trust+1, 1)
	}
	p.began, p.unasked = false, false
}

// nap is one.
//
//go:norace
func (w *streamWatch) nap(h *streamHalf) {
	mem.RaceDisable()
	defer mem.RaceEnable()
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

// speaks comes before a Write publishes: what is there by then was not asked for.
//
//go:norace
func (w *streamWatch) speaks(h *streamHalf) {
	mem.RaceDisable()
	defer mem.RaceEnable()
	if !h.nap.on.Load() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if h.park.place != 0 && h.park.naps && h.end.eng.Ready() {
		h.nap.unasked = true
	}
}

// spoke comes after, and when a Write waits for room: what this end reads is expected from
// now on.
//
//go:norace
func (w *streamWatch) spoke(h *streamHalf) {
	mem.RaceDisable()
	defer mem.RaceEnable()
	if !h.nap.on.Load() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if h.park.place != 0 && w.on.Load() {
		h.park.naps = false
		return
	}
	h.park.tell()
}

// tick ends naps that last for longer than a tick.
//
//go:norace
func (w *streamWatch) tick() {
	for idle := 0; idle < napIdle; {
		time.Sleep(napTick)
		idle++
		if w.wakes(idle >= napIdle) {
			idle = 0
		}
	}
}

// wakes is one tick. It reports whether anybody naps; if not, and it is the last, there will
// be no other.
//
//go:norace
func (w *streamWatch) wakes(last bool) (any bool) {
	mem.RaceDisable()
	defer mem.RaceEnable()
	w.mu.Lock()
	defer w.mu.Unlock()
	now := sys.MonotonicNow()
	for i := 0; i < len(w.parked); {
		h := w.parked[i]
		any = any || h.park.naps
		if h.park.naps && now-h.park.since >= int64(napTick) {
			w.remove(h)
			h.park.tell()
			continue
		}
		i++
	}
	w.ticks = any || !last
	return any
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
			return s.Ends(os.ErrDeadlineExceeded)
		}
		if limit == 0 || d < limit {
			limit = d
		}
	}
	return s.Waiter.SleepUntil(w, v, limit)
}
