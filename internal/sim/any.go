//go:build tandem_sim

package sim

import (
	"fmt"
	"sync/atomic"

	"example.com/tandem/internal/object"
)

// Arms and SleepAny are futex_waitv's: it enters the queues of its words one after the
// other, and compares each; it is woken by one of them, or finds one changed, and leaves
// them one after the other. In between others run, and a wake-up on any of those that it
// is in is used up.
func (t *Thread) Arms() bool { return true }

func (t *Thread) SleepAny(words []*uint32, values []uint32, limit int64) error {
	if limit == 0 {
		limit = t.Now() + relook
	}
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
		if w.o.Timers && limit <= w.Now() {
			return nil
		}
		t.struck, t.on = false, make([]*uint32, 0, len(words))
		for i, word := range words {
			if t.struck || atomic.LoadUint32(word) != values[i] { // compared and enqueued in one step
				t.struck = true
				break
			}
			w.queues[word] = append(w.queues[word], t)
			t.on = append(t.on, word)
			w.point()
		}
		if !t.struck && !t.p.closed() && !(t.ctxErr != nil && t.cancellable) {
			t.parked = words[0]
			if w.o.Timers {
				t.limit = limit
			}
			if w.trace != nil {
				w.note(t.p, fmt.Sprintf("%s sleeps on %d words", t.Name, len(words)))
			}
			t.giveWay()
			if t.restart {
				t.restart = false
				continue
			}
		}
		for len(t.on) > 0 {
			w.point()
			if len(t.on) > 0 {
				t.leaveQueue(t.on[0])
			}
		}
		t.on = nil
		if t.p.closed() {
			return object.ErrClosed
		}
		if t.ctxErr != nil && t.cancellable && w.Rand.IntN(2) == 0 {
			return t.ctxErr
		}
		return nil
	}
}

// strike is a wake-up on one word of a SleepAny: it is used up, whatever else woke it.
func (t *Thread) strike(word *uint32) {
	t.struck = true
	t.leaveQueue(word)
	if t.parked != nil {
		t.unpark("woken")
	}
}
