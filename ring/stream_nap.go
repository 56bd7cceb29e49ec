package ring

import (
	"sync/atomic"
	"time"

	"example.com/tandem/internal/engine"
)

// A streamNap is a short wait by which a Read begins of which nothing is expected, that a
// rouse ends soon and cheaply. Such is the one by which an http.Server finds out that its
// client is gone, while a handler is at work: it waits for a byte, and when the handler is
// done its deadline is set to the past. It costs neither a spin nor a sleep in the kernel
// as long as the handler takes no longer than a nap.
type streamNap struct {
	ended chan struct{} // has room for one
	timer *time.Timer
}

const napTime = 100 * time.Microsecond

func (n *streamNap) init() { n.ended = make(chan struct{}, 1) }

// take returns after a while, or soon after over was set, and end called.
func (n *streamNap) take(over *atomic.Bool) {
	select {
	case <-n.ended: // a former one's
	default:
	}
	if over.Load() {
		return
	}
	if n.timer == nil {
		n.timer = time.NewTimer(napTime)
	} else {
		n.timer.Reset(napTime)
	}
	select {
	case <-n.ended:
		n.timer.Stop()
	case <-n.timer.C:
	}
}

func (n *streamNap) end() {
	select {
	case n.ended <- struct{}{}:
	default:
	}
}

// idle reports whether nothing is expected of a Read: nothing was written since the last
// one, so that there is nothing to be answered, and one was roused from that before.
func (h *streamHalf) idle() bool {
	return h.shy && h.what == engine.EndReading && h.end.eng.Wrote() == h.wrote
}
