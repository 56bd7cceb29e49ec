package ring

import (
	"context"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/wait"
)

// A streamHalf is what one end reads, or what it writes.
//
// A call that waits hears of a Close, a half's, and of a new deadline by over, which the
// engine looks at before all else, and package wait before each sleep:
//
//	call:   H1 waits  H2 over is cleared  H3 look at state and deadline  H4 wait; over is set: H2
//	other:  O1 state, or deadline  O2 nobody waits: done  O3 over is set  O4 List.End alarms
//
// Of H1 and O2 one comes first, and if O2 does, H3 finds what O1 has stored. Else over is
// set after O1; if H2 comes after that, H3 does, too. Only who has the lock clears over.
//
// A deadline needs no timer: a sleep ends at it by itself. One that is over when a call
// begins is looked at first; one that passes meanwhile comes after a last look at the
// bytes.
type streamHalf struct {
	end      *streamEnd
	over     *atomic.Bool // engine.Stream's flag
	lock     streamLock
	state    atomic.Int32 // streamOpen…; only grows
	waits    atomic.Bool  // somebody is at H1 to H4
	deadline atomic.Int64 // CLOCK_MONOTONIC; 0: none
	spin     *wait.Spinner
	what     uint64 // engine.EndReading or EndWriting
	park     streamPark

	// Of who has the lock.
	by  streamSleeper
	nap streamNap
}

const (
	streamOpen int32 = iota
	streamEnded
	streamClosed
)

var background = context.Background()

// century is the least deadline that is none.
const century = 100 * 365 * 24 * time.Hour

func (h *streamHalf) init(e *streamEnd, what uint64) {
	h.end, h.what, h.over, h.spin = e, what, e.eng.Flag(what), &watch.spin
	if what == engine.EndWriting {
		h.spin = new(wait.Spinner).Brief() // its deadline is looked at before a sleep
	}
	h.lock.init()
	h.park.init()
	h.nap.init()
}

// ended is why no call of the half goes on; nil: it may.
func (h *streamHalf) ended() error {
	if h.state.Load() != streamOpen || h.end.core.Closed.Load() {
		return h.why()
	}
	if h.due() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// due reports whether the deadline is over.
func (h *streamHalf) due() bool {
	d := h.deadline.Load()
	return d != 0 && sys.MonotonicNow() >= d
}

func (h *streamHalf) why() error {
	switch state := h.state.Load(); {
	case state == streamClosed:
		return net.ErrClosed
	case state == streamOpen || h.end.core.Closed.Load(): // a half that ends then is told so, too
		return errStreamGone
	}
	if h.what == engine.EndReading {
		return io.EOF
	}
	return syscall.EPIPE
}

// begin takes the lock, for a call that may go on.
func (h *streamHalf) begin() error {
	if !h.lock.now() {
		if err := h.lock.wait(h); err != nil {
			return err
		}
	}
	if err := h.ended(); err != nil {
		h.lock.unlock()
		return err
	}
	return nil
}

func (h *streamHalf) read(p []byte) (n int, err error) {
	if err = h.begin(); err != nil {
		return 0, err
	}
	defer h.lock.unlock() // p may be memory that faults
	if len(p) == 0 {
		return 0, nil
	}
	e := h.end
	n, err = e.eng.TryRead(p)
	if err == engine.ErrEmpty || err == engine.ErrOver {
		n, err = h.readLate(p)
	}
	if n > 0 {
		h.nap.wrote = e.eng.Wrote()
	}
	if e.core.Closed.Load() {
		return h.inRegion(n, err, e.eng.ReadInZeroes)
	}
	return n, err
}

// readLate is a read that has found nothing.
//
//go:noinline
func (h *streamHalf) readLate(p []byte) (n int, err error) {
	h.nap.began = h.quiet()
	if !watch.watched() && h.end.eng.ReadSoon(h.spin.Looks()) {
		h.spin.Seen()
		if n, err = h.end.eng.TryRead(p); err != engine.ErrEmpty && err != engine.ErrOver {
			h.learn(n, err)
			return n, err
		}
	}
	n, err = h.await(p, (*engine.Stream).TryRead, (*engine.Stream).Read)
	h.learn(n, err)
	return n, err
}

func (h *streamHalf) write(p []byte) (n int, err error) {
	if err = h.begin(); err != nil {
		return 0, err
	}
	defer h.lock.unlock()
	e := h.end
	watch.speaks(&e.in)
	defer watch.spoke(&e.in)
	for n < len(p) && err == nil {
		var k int
		k, err = e.eng.TryWrite(p[n:])
		if err == engine.ErrFull || err == engine.ErrOver {
			k, err = h.writeLate(p[n:])
		}
		if e.core.Closed.Load() {
			k, err = h.inRegion(k, err, e.eng.WroteInZeroes)
		}
		if n += k; n < len(p) && err == nil {
			err = h.ended() // it may go on for long, and never wait
		}
	}
	return n, err
}

//go:noinline
func (h *streamHalf) writeLate(p []byte) (n int, err error) {
	if h.end.eng.WriteSoon(h.spin.Looks()) {
		h.spin.Seen()
		if n, err = h.end.eng.TryWrite(p); err != engine.ErrFull && err != engine.ErrOver {
			return n, err
		}
	}
	return h.await(p, (*engine.Stream).TryWrite, (*engine.Stream).WriteSome)
}

type (
	attempt     func(*engine.Stream, []byte) (int, error)
	lateAttempt func(*engine.Stream, engine.Sleeper, []byte) (int, error)
)

// await is H1 to H4: it makes attempts, and waits in between.
func (h *streamHalf) await(p []byte, try attempt, late lateAttempt) (n int, err error) {
	h.waits.Store(true) // H1
	defer h.passed()    // p may be memory that faults
	if h.what == engine.EndWriting {
		watch.spoke(&h.end.in)
	}
	for first := true; ; first = false {
		h.over.Store(false) // H2
		if why := h.ended(); why != nil {
			if why == os.ErrDeadlineExceeded {
				n, err = try(h.end.eng, p)
			}
			if why != os.ErrDeadlineExceeded || again(err) {
				return 0, why
			}
			return n, err
		}
		if first && h.naps() {
			watch.nap(h)
			continue
		}
		if n, err = h.once(p, late); !again(err) {
			return n, err
		}
	}
}

// passed ends a wait.
func (h *streamHalf) passed() {
	h.waits.Store(false)
	watch.leave(h, false)
}

// again reports that an attempt was in vain, and may be made again.
func again(err error) bool {
	return err == engine.ErrOver || err == wait.ErrEnded || err == engine.ErrEmpty || err == engine.ErrFull
}

// once is H4.
func (h *streamHalf) once(p []byte, late lateAttempt) (int, error) {
	h.by = streamSleeper{h.end.waiter(h), h}
	defer h.by.Done()
	return late(h.end.eng, &h.by, p)
}

// inRegion ends an attempt while the region is closed.
//
//go:noinline
func (h *streamHalf) inRegion(n int, err error, inZeroes func() bool) (int, error) {
	if err != nil || !h.end.core.Gate.Gave(inZeroes) {
		return 0, h.why()
	}
	return n, nil
}

// stop is K1 and K2.
func (h *streamHalf) stop(state int32) {
	for v := h.state.Load(); v < state; v = h.state.Load() {
		if h.state.CompareAndSwap(v, state) {
			break
		}
	}
	h.rouse()
}

// rouse is O3 and O4.
func (h *streamHalf) rouse() {
	h.over.Store(true)
	h.rousePark()
	h.end.core.List.End(h.over)
	h.lock.rouse()
}

// close is K1 to K4 of the one half.
func (h *streamHalf) close() error {
	h.stop(streamEnded)
	h.lock.take()
	defer h.lock.unlock()
	if h.state.Load() == streamClosed {
		return net.ErrClosed
	}
	if h.end.core.Closed.Load() {
		return errStreamGone
	}
	h.end.eng.End(h.what)
	h.end.core.KeepAlive()
	return nil
}

// setDeadline is O1 to O4.
func (h *streamHalf) setDeadline(t time.Time) {
	d := int64(0)
	if !t.IsZero() {
		// In this order: held up in between, the deadline is late, not early.
		if left := time.Until(t); left < century {
			d = max(sys.MonotonicNow()+int64(left), 1)
		}
	}
	h.deadline.Store(d)                       // O1
	if h.waits.Load() || h.lock.waitedFor() { // O2
		h.rouse()
	}
}
