package wait

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
)

// A Waiter is one blocking call's way to wait: engine.Sleeper. It is used by
// one goroutine, and belongs to somebody else after Done.
type Waiter struct {
	nudge *uint32 // changes when there is a reason to look; off the heap, w's for good
	raise func()  // w.rouse, for context.AfterFunc
	bed   bed     // without futex_waitv

	list     *List
	ctx      context.Context
	stop     func() bool  // of the AfterFunc, once armed
	over     *atomic.Bool // set when the handle is closed that it is for; nil: there is none
	armed    bool
	fault    any    // what a method of ctx panicked with, for Done to go on with
	deadline int64  // of ctx, CLOCK_MONOTONIC; 0: none
	seen     uint64 // list.nudges before the caller's last look

	word       *uint32 // what w sleeps on: keeps it alive, and off the stack
	words      [2]sys.Waitv
	prev, next *Waiter // list.mu; next: also of the free ones

	several bool    // it is of an Any
	lead    *Waiter // which alarms are for, if not for this one

	since         int64   // the first sleep, CLOCK_MONOTONIC; 0: none yet
	place         int     // on the list's board: place…, or slot + 1
	ahead, behind *Waiter // there

	spin spinning
	poll polled
}

// relook is how long a sleep lasts at most. A wake-up of one may go to a
// process that is stopped before it can act on it, or to one that dies; the
// others look again by themselves. It grows with the number of sleepers, so
// that they look some 128 times a second all together at most.
var relook = 500 * time.Millisecond

func init() {
	if sys.Forced("norelook") { // for tests of who wakes whom: a wake-up that is lost stays lost
		relook = time.Hour
	}
}

const (
	relookPer = 64

	century = 100 * 365 * 24 * time.Hour // a deadline beyond it is none
)

// WaiterWith is Waiter with a handle's own Spinner.
//
//go:norace
func (l *List) WaiterWith(ctx context.Context, s *Spinner) *Waiter {
	mem.RaceDisable()
	w := takeWaiter()
	w.list, w.ctx, w.seen = l, ctx, l.nudges.Load()
	w.spin = spinning{of: s}
	mem.RaceEnable()
	return w
}

// Done gives the waiter back. The context's callback may still be running, or
// come later: all it does is change w's nudge word and wake it, so the call
// that has w by then looks once more than it had to.
//
//go:norace
func (w *Waiter) Done() {
	if w.stop != nil {
		unlisten(w.stop)
	}
	mem.RaceDisable()
	w.learn()
	w.list, w.ctx, w.stop, w.word, w.over = nil, nil, nil, nil, nil
	w.armed, w.deadline, w.since = false, 0, 0
	w.several, w.lead = false, nil
	w.poll.shares, w.poll.alone = false, false
	fault := w.fault
	w.fault = nil
	giveWaiter(w)
	mem.RaceEnable()
	if fault != nil {
		panic(fault)
	}
}

// unlisten calls stop, which may be a user's. If that does not return, but panics or
// ends its goroutine, so does the process: the call may have taken a lock, a permit or
// a turn by now, which nobody would give back as long as the process lives.
func unlisten(stop func() bool) {
	returned := false
	defer func() {
		if !returned {
			fault := recover()
			if fault == nil {
				fault = "the stop of a context's AfterFunc has ended its goroutine"
			}
			go panic(fault)
		}
	}()
	stop()
	returned = true
}

// Fault is what a method of the context panicked with, which ended the wait; nil
// if none did. Done panics with it, unless it was taken here.
//
//go:norace
func (w *Waiter) Fault() (fault any) {
	fault, w.fault = w.fault, nil
	return fault
}

// errFault ends a wait whose context's methods panic. A context may be a user's,
// and the waiter has claims in the region, which it ends as for any error.
var errFault = errors.New("a method of the context panicked")

// asked is what f returns, which calls methods of the context. What they panic with is
// fault. If one ends its goroutine, so does the process: what the call has claimed by
// now nobody would give back as long as the process lives.
//
//go:norace
func (w *Waiter) asked(f func(*Waiter) error) (fault any, err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if fault = recover(); fault == nil {
			go panic("a method of a context has ended its goroutine")
		}
		err = errFault
	}()
	err = f(w)
	returned = true
	return nil, err
}

// Since is when the call first slept, in CLOCK_MONOTONIC nanoseconds; 0: it has
// not. Resume tells the waiter of a call that goes on with another waiter.
//
//go:norace
func (w *Waiter) Since() int64 { return w.since }

//go:norace
func (w *Waiter) Resume(since int64) { w.since = since }

// Now is CLOCK_MONOTONIC in nanoseconds.
func (w *Waiter) Now() int64 {
	if simulated {
		return hook.Now()
	}
	return sys.MonotonicNow()
}

// Sleep sleeps while *word == v, at most. nil means look again, whatever the
// reason. An error means that the wait must end: ErrClosed, or the context's.
//
// A context's error is returned only instead of a sleep, never after one. So
// between a sleep, which may have taken a wake-up that was meant for one of
// several sleepers, and the error there always lies a look of the caller.
// ErrClosed comes at once, for the caller is to take nothing any more; what woke
// it is made good by this process's recovery, which wakes all.
//
//go:norace
func (w *Waiter) Sleep(word *uint32, v uint32) error { return w.SleepUntil(word, v, 0) }

// SleepUntil is Sleep, which returns nil at a time of Now's at the latest, if
// limit is not 0.
//
//go:norace
func (w *Waiter) SleepUntil(word *uint32, v uint32, limit int64) error {
	if simulated {
		return hook.SleepUntil(word, v, limit, w.ctx.Done() != nil)
	}
	if !w.armed {
		if err := w.arm(); err != nil {
			return w.Ends(err)
		}
	}
	nudge := atomic.LoadUint32(w.nudge) // S1
	if w.list.Closed() {
		return w.Ends(ErrClosed)
	}
	if err := w.ended(); err != nil {
		return w.Ends(err)
	}
	mem.RaceDisable()
	err := w.sleep(word, v, nudge, limit)
	mem.RaceEnable()
	if err == nil && w.list.Closed() {
		return ErrClosed
	}
	return err
}

// arm makes the context's end alarm the waiter. It is done once, when the
// first sleep is due; a context that never ends costs nothing.
//
//go:norace
func (w *Waiter) arm() (err error) {
	w.armed = true
	w.fault, err = w.asked((*Waiter).listen)
	return err
}

//go:norace
func (w *Waiter) listen() error {
	if w.ctx.Done() == nil {
		return nil
	}
	w.stop = context.AfterFunc(w.ctx, w.raise)
	if d, ok := w.ctx.Deadline(); ok {
		// In this order: held up in between, the deadline is late, not early.
		if left := time.Until(d); left < century {
			w.deadline = max(sys.MonotonicNow()+int64(left), 1)
		}
	}
	return nil
}

// For has the waits end, too, when over is set and the list's End called for it.
//
//go:norace
func (w *Waiter) For(over *atomic.Bool) *Waiter {
	w.over = over
	return w
}

// isOver reports whether the handle is closed.
//
//go:norace
func (w *Waiter) isOver() bool {
	if w.over == nil {
		return false
	}
	mem.RaceDisable()
	over := w.over.Load()
	mem.RaceEnable()
	return over
}

// Ends is why the wait ends though what it waits for has not come: a spin under way was in
// vain.
//
//go:norace
func (w *Waiter) Ends(why error) error {
	mem.RaceDisable()
	w.spin.again(true)
	mem.RaceEnable()
	return why
}

// ended is the context's error. The kernel ends a sleep at the deadline by
// itself, which may be some microseconds before the context's own timer.
//
//go:norace
func (w *Waiter) ended() (err error) {
	if w.fault != nil {
		return errFault
	}
	if !w.armed || w.stop == nil {
		return nil
	}
	if w.fault, err = w.asked((*Waiter).ctxErr); err != nil {
		return err
	}
	if w.deadline != 0 && sys.MonotonicNow() >= w.deadline {
		return context.DeadlineExceeded
	}
	return nil
}

//go:norace
func (w *Waiter) ctxErr() error { return w.ctx.Err() }

// sleep is S2 and S3.
//
//go:norace
func (w *Waiter) sleep(word *uint32, v, nudge uint32, limit int64) error {
	now := sys.MonotonicNow()
	n, ok, err := w.list.enter(w, word, now)
	if err != nil || !ok {
		w.spin.again(!ok)
		return err
	}
	until := now + int64(relook)*int64(max(1, n/relookPer))
	shares := sys.HaveWaitv() && w.polls(now)
	if shares {
		until += (pollRelook - 1) * (until - now)
		until += int64(pollRound) - until%int64(pollRound)
	}
	if w.deadline != 0 {
		until = min(until, w.deadline)
	}
	if limit != 0 {
		until = min(until, limit)
	}
	w.word = word
	switch {
	case !sys.HaveWaitv():
		err = w.sleepInsisted(word, v, nudge, until)
	case shares:
		err = w.sleepPolled(word, v, nudge, until)
	default:
		err = w.sleepAlone(word, v, nudge, until)
		w.unpolls()
	}
	runtime.KeepAlive(word)

	nudged := atomic.LoadUint32(w.nudge) != nudge
	late := err == syscall.ETIMEDOUT && until != w.deadline && until != limit
	// The word is the sleeper's until it has left the list, and Close returns.
	rescued := late && atomic.LoadUint32(word) != v
	w.list.leave(w, rescued)
	w.spin.again(nudged || late)
	switch err {
	case nil, syscall.EAGAIN, syscall.ETIMEDOUT:
		return nil
	}
	return fmt.Errorf("futex (a bug in tandem): %w", err)
}

// sleepAlone is S3 on a thread of the call's own.
//
//go:norace
func (w *Waiter) sleepAlone(word *uint32, v, nudge uint32, until int64) error {
	w.words[0], w.words[1] = sys.SharedWaitv(word, v), sys.PrivateWaitv(w.nudge, nudge)
	for {
		if _, err := sys.FutexWaitv(w.words[:], until); err != syscall.EINTR {
			return err
		}
	}
}

// alarm is A2 and A3: it changes the nudge word and wakes its sleeper. Anybody
// may alarm any waiter at any time. again says that the sleeper may not have
// heard it: that sleep must be alarmed until it is over.
//
//go:norace
func (w *Waiter) alarm() (turn uint64, again bool) {
	w = w.who()
	atomic.AddUint32(w.nudge, 1)
	if sys.HaveWaitv() {
		sys.FutexWakePrivate(w.nudge, 1)
		if p := w.poll.by.Load(); p != nil {
			p.poke()
		}
		return 0, false
	}
	return w.bed.knock(0)
}

// who is the Waiter whose sleep alarms of this one end.
//
//go:norace
func (w *Waiter) who() *Waiter {
	if lead := w.lead; lead != nil { // once: Done may clear it
		return lead
	}
	return w
}

// rouse is what the end of a context does, on a goroutine of its own.
func (w *Waiter) rouse() {
	mem.RaceDisable()
	if turn, again := w.alarm(); again {
		w.bed.insist(turn)
	}
	mem.RaceEnable()
}
