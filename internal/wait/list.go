package wait

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
)

// ErrClosed is what Sleep returns once its list is closed.
var ErrClosed = errors.New("region is closed")

// ErrEnded is what Sleep returns once the handle is closed that it is for: an
// ErrClosed, but the region is there, so it is taken as the end of a context.
var ErrEnded error = ended{}

type ended struct{}

func (ended) Error() string        { return "the handle is closed" }
func (ended) Is(target error) bool { return target == ErrClosed }

// A List is the sleepers of one attachment.
//
// A call that wants them to look at something other than their word (closed,
// nudges, the end of a context) stores that first and then alarms them:
//
//	Sleep:  S1 load the nudge word   S2 look at closed, nudges, context   S3 sleep while both words are as they were
//	alarm:  A1 store the reason      A2 change the nudge word             A3 wake it
//
// Of S1 and A2 one comes first. If A2 does, so did A1, and S2 sees the reason.
// If S1 does, S3 finds the nudge word changed, or A3 finds the sleeper.
//
// mu and what it guards belong to the library, not to the user: they are used
// between mem.RaceDisable and RaceEnable, in functions that the race detector
// does not watch, or every sleep would order every other and hide the user's
// races.
type List struct {
	closed atomic.Bool
	nudges atomic.Uint64 // calls of Nudge
	spin   Spinner       // of waiters that bring none

	mu    sync.Mutex
	head  *Waiter       // those in Sleep
	n     int           // how many
	gone  chan struct{} // made by Close, closed when n is 0
	stats Stats

	board Board            // or nil: nobody else is told
	posts [BoardSlots]post // what stands on it
	used  int              // of posts, so far
	rest  int              // calls that found no slot
}

// Stats counts what the sleepers of a list did, since it was made.
type Stats struct {
	Sleeps  uint64 // sleeps in the kernel
	Rescues uint64 // sleeps that ended by the slow re-look, with the word changed: a wake-up was lost or late
}

// NewList makes an empty list.
func NewList() *List { return &List{} }

// Closed reports whether Close was called.
func (l *List) Closed() bool {
	mem.RaceDisable()
	c := l.closed.Load()
	mem.RaceEnable()
	return c
}

// Sleeping is how many goroutines are asleep in Sleep, or on their way in or out.
//
//go:norace
func (l *List) Sleeping() int {
	mem.RaceDisable()
	l.mu.Lock()
	n := l.n
	l.mu.Unlock()
	mem.RaceEnable()
	return n
}

// Stats returns the counts so far.
//
//go:norace
func (l *List) Stats() Stats {
	mem.RaceDisable()
	l.mu.Lock()
	s := l.stats
	l.mu.Unlock()
	mem.RaceEnable()
	return s
}

// Close ends every present and future Sleep on the list with ErrClosed, and
// returns when nobody is left in the kernel. The memory that they sleep on
// stays mapped until then. A second Close waits as well.
//
//go:norace
func (l *List) Close() {
	mem.RaceDisable()
	l.mu.Lock()
	l.closed.Store(true)
	if l.n > 0 && l.gone == nil {
		l.gone = make(chan struct{})
	}
	l.alarm(nil)
	gone := l.gone
	l.mu.Unlock()
	if gone != nil {
		l.drain(gone)
	}
	mem.RaceEnable()
}

// drain waits for gone. Without futex_waitv it goes on alarming; see insist.go.
//
//go:norace
func (l *List) drain(gone chan struct{}) {
	if sys.HaveWaitv() {
		<-gone
		return
	}
	for d := insistFirst; ; d = min(2*d, insistMost) {
		if within(gone, d) {
			return
		}
		l.mu.Lock()
		l.alarm(nil)
		l.mu.Unlock()
	}
}

// within waits for gone, for d at most. The detector sees it: package time
// synchronises inside, and what orders its callers must not be hidden.
func within(gone chan struct{}, d time.Duration) bool {
	mem.RaceEnable()
	defer mem.RaceDisable()
	select {
	case <-gone:
		return true
	case <-time.After(d):
		return false
	}
}

// Nudge makes all sleepers look again, and waiters between a look and a sleep
// too: for a change that their words do not show.
//
//go:norace
func (l *List) Nudge() {
	mem.RaceDisable()
	l.mu.Lock()
	l.nudges.Add(1)
	all := l.alarm(nil)
	l.mu.Unlock()
	if all != nil {
		go insistOn(all)
	}
	mem.RaceEnable()
}

// End has the sleepers of the handle look whose end was stored in over.
//
//go:norace
func (l *List) End(over *atomic.Bool) {
	mem.RaceDisable()
	l.mu.Lock()
	all := l.alarm(over)
	l.mu.Unlock()
	if all != nil {
		go insistOn(all)
	}
	mem.RaceEnable()
}

// alarm is A2 and A3 for everybody, or for those of one handle, of which an Any may
// be; l.mu is held. It returns those who may not have heard it.
//
//go:norace
func (l *List) alarm(over *atomic.Bool) (all []restless) {
	for w := l.head; w != nil; w = w.next {
		if over != nil && w.over != over && !w.several {
			continue
		}
		if turn, again := w.alarm(); again {
			all = append(all, restless{w.who(), turn})
		}
	}
	return all
}

// enter is S2, but for the context. It puts w on the list unless there is a
// reason not to sleep: closed (an error) or nudged (ok is false). n is how many
// are asleep now. What w sleeps on is shown to other processes.
//
//go:norace
func (l *List) enter(w *Waiter, word *uint32, now int64) (n int, ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return 0, false, ErrClosed
	}
	if w.isOver() {
		return 0, false, ErrEnded
	}
	if c := l.nudges.Load(); c != w.seen {
		w.seen = c
		return 0, false, nil
	}
	w.prev, w.next = nil, l.head
	if l.head != nil {
		l.head.prev = w
	}
	l.head = w
	l.n++
	l.stats.Sleeps++
	if l.board != nil {
		l.post(w, word, now)
	}
	return l.n, true, nil
}

// leave takes w off the list. What w looks at next it looks at after nudges
// was read here, so a later Nudge is not missed.
//
//go:norace
func (l *List) leave(w *Waiter, rescued bool) {
	l.mu.Lock()
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		l.head = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
	w.seen = l.nudges.Load()
	if rescued {
		l.stats.Rescues++
	}
	if l.n--; l.n == 0 && l.gone != nil {
		close(l.gone)
		l.gone = nil
	}
	l.mu.Unlock()
}

// Waiter returns a sleeper for one blocking call; Done must follow. It does
// not look at ctx before it sleeps.
func (l *List) Waiter(ctx context.Context) *Waiter { return l.WaiterWith(ctx, &l.spin) }
