package wait

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
)

// Any is one call's way to wait for several words at once, which may be of several
// lists: engine.AnySleeper. It is a Waiter that stands on each of those lists while it
// sleeps, so that Close of any of them ends the sleep and waits until it is over:
//
//	Sleep:  S1 load the nudge word   S2 enter each list; then look at what has ended
//	        S3 sleep while all words are as they were   S4 leave each list
//
// What stands on a list is a Waiter of its own, whose alarm is the call's.
//
// futex_waitv takes 128 words. Where there are more than 127 beside the nudge word, they
// are slept on in groups, each by a goroutine of its own and all with the nudge word:
// the first that is up changes that, and so wakes the others. The sleep is over when the
// last is off its words, for until then a wake-up may be used up there.
//
// Without futex_waitv nobody sleeps on several words. Then it sleeps on the nudge word
// alone, for at most anySliceMost: what is waited for is found by looking. (One word is
// slept on as a Waiter does.)
type Any struct {
	w      *Waiter // the call's: it spins, hears of the context, and stands on the first list
	places []place // each list once
	ends   []*atomic.Bool
	groups []*group
	words  int // so far

	up     atomic.Bool   // one of the groups is up
	why    error         // that one's
	out    chan struct{} // from each that is off its words, but the first
	slices int
}

// A place is a list that the call stands on.
type place struct {
	list  *List
	w     *Waiter
	shown []shown // on its board: the first is w's
}

// A shown is one of the call's words that a board shows, and the Waiter it is posted for.
type shown struct {
	w    *Waiter
	word int // its number
}

const (
	anyShown = 8 // words of a call on a board, at most

	anySlice     = time.Millisecond
	anySliceMost = 10 * time.Millisecond
)

// anySpin learns whether spinning pays in waits for several words.
var anySpin = Spinner{brief: true}

// nowhere is the list of calls that wait for nothing in a region.
var nowhere = NewList()

// On says that the next word is of the list, and of a handle that is closed when over is
// set and the list's End called for it. A word of no region has neither.
//
//go:norace
func (a *Any) On(l *List, over *atomic.Bool) {
	i := a.words
	a.words++
	if over != nil {
		a.ends = append(a.ends, over)
	}
	if l == nil {
		return
	}
	p := a.place(l)
	if len(p.shown) < anyShown && (l.board != nil || len(p.shown) == 0) {
		p.shown = append(p.shown, shown{word: i})
	}
}

//go:norace
func (a *Any) place(l *List) *place {
	for i := range a.places {
		if a.places[i].list == l {
			return &a.places[i]
		}
	}
	if n := len(a.places); n < cap(a.places) { // with the room of an earlier call
		a.places = a.places[:n+1]
		a.places[n].list = l
	} else {
		a.places = append(a.places, place{list: l})
	}
	return &a.places[len(a.places)-1]
}

// Start is the rest of what a call says before it waits. s may be nil. Done must follow.
//
//go:norace
func (a *Any) Start(ctx context.Context, s *Spinner) {
	if s == nil {
		s = &anySpin
	}
	if len(a.places) == 0 {
		a.place(nowhere).shown = append(a.places[0].shown[:0], shown{})
	}
	for i := range a.places {
		p := &a.places[i]
		for k := range p.shown {
			w := p.list.WaiterWith(ctx, s)
			w.several, w.lead = true, a.w
			p.shown[k].w = w
			if a.w == nil {
				a.w = w
			}
		}
		p.w = p.shown[0].w
	}
	if a.words == 1 && len(a.ends) == 1 {
		a.w.For(a.ends[0]) // one that spins for long looks there, too
	}
}

// Done gives all back. It ends in the Waiter's, which may panic with what the context has.
//
//go:norace
func (a *Any) Done() {
	first := a.w
	for i := range a.places {
		p := &a.places[i]
		for k := range p.shown {
			if w := p.shown[k].w; w != first {
				w.Done()
			}
			p.shown[k] = shown{}
		}
		p.list, p.w, p.shown = nil, nil, p.shown[:0]
	}
	clear(a.ends)
	a.w, a.places, a.ends, a.words, a.slices = nil, a.places[:0], a.ends[:0], 0, 0
	first.Done()
}

func (a *Any) Spin() bool { return a.w.Spin() }
func (a *Any) Now() int64 { return a.w.Now() }

// Arms reports whether SleepAny sleeps on the words.
//
//go:norace
func (a *Any) Arms() bool { return simulated || sys.HaveWaitv() || a.words == 1 }

// SleepAny is Sleep while all words have their values. It is on none of them any more when
// it returns. As Sleep it returns a context's error only instead of a sleep.
//
//go:norace
func (a *Any) SleepAny(words []*uint32, values []uint32, limit int64) error {
	w := a.w
	if simulated {
		return hook.SleepAny(words, values, limit, w.ctx.Done() != nil)
	}
	if !w.armed {
		if err := w.arm(); err != nil {
			return w.Ends(err)
		}
	}
	nudge := atomic.LoadUint32(w.nudge) // S1
	if a.closed() {
		return w.Ends(ErrClosed)
	}
	if err := w.ended(); err != nil {
		return w.Ends(err)
	}
	mem.RaceDisable()
	err := a.sleep(words, values, nudge, limit)
	mem.RaceEnable()
	if err == nil && a.closed() {
		return ErrClosed
	}
	return err
}

//go:norace
func (a *Any) closed() bool {
	for i := range a.places {
		if a.places[i].list.Closed() {
			return true
		}
	}
	return false
}

// sleep is S2 to S4.
//
//go:norace
func (a *Any) sleep(words []*uint32, values []uint32, nudge uint32, limit int64) error {
	w, now := a.w, sys.MonotonicNow()
	n, ok, err := a.enter(words, now)
	if err != nil || !ok {
		w.spin.again(!ok)
		return err
	}
	until := now + int64(relook)*int64(max(1, n/relookPer))
	if w.deadline != 0 {
		until = min(until, w.deadline)
	}
	if limit != 0 {
		until = min(until, limit)
	}
	own := uint32(0) // of what changes the nudge word
	switch {
	case !a.Arms():
		long := until
		until = min(until, now+int64(min(anySlice<<min(a.slices, 8), anySliceMost)))
		a.slices++
		err = w.sleepInsisted(w.nudge, nudge, nudge, until)
		if until != long {
			limit = until
		}
	case sys.HaveWaitv():
		own, err = a.sleepGroups(words, values, nudge, until)
	default:
		err = w.sleepInsisted(words[0], values[0], nudge, until)
	}
	runtime.KeepAlive(words)

	nudged := atomic.LoadUint32(w.nudge) != nudge+own
	late := err == syscall.ETIMEDOUT && until != w.deadline && until != limit
	a.leave(len(a.places), late && moved(words, values))
	w.spin.again(nudged || late)
	switch err {
	case nil, syscall.EAGAIN, syscall.ETIMEDOUT:
		return nil
	}
	return fmt.Errorf("futex (a bug in tandem): %w", err)
}

// moved reports that a word is not what it was when the call went to sleep.
//
//go:norace
func moved(words []*uint32, values []uint32) bool {
	for i, w := range words {
		if atomic.LoadUint32(w) != values[i] {
			return true
		}
	}
	return false
}

// enter is S2, but for the context.
//
//go:norace
func (a *Any) enter(words []*uint32, now int64) (n int, ok bool, err error) {
	for i := range a.places {
		p := &a.places[i]
		k, ok, err := p.list.enter(p.w, words[p.shown[0].word], now)
		if err != nil || !ok {
			a.leave(i, false)
			return 0, ok, err
		}
		n = max(n, k)
		if len(p.shown) > 1 {
			p.list.showMore(p.shown[1:], words, now)
		}
	}
	for _, over := range a.ends { // a later End finds the call on its list
		if over.Load() {
			a.leave(len(a.places), false)
			return 0, false, ErrEnded
		}
	}
	return n, true, nil
}

// leave is S4, of the first n places.
//
//go:norace
func (a *Any) leave(n int, rescued bool) {
	for i := range a.places[:n] {
		p := &a.places[i]
		p.list.leave(p.w, rescued && i == 0)
	}
}

// showMore shows further words of a call that is on the list.
//
//go:norace
func (l *List) showMore(more []shown, words []*uint32, now int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return
	}
	for _, s := range more {
		l.post(s.w, words[s.word], now)
	}
}

// A group is the words that one thread sleeps on, and the nudge word behind them.
type group struct {
	words []sys.Waitv
	until int64
	run   func()
}

const groupMost = sys.MaxWaitv - 1

// sleepGroups is S3. It returns by how much it has itself changed the nudge word.
//
//go:norace
func (a *Any) sleepGroups(words []*uint32, values []uint32, nudge uint32, until int64) (own uint32, err error) {
	n := 0
	for from := 0; from < len(words); from += groupMost {
		to := min(from+groupMost, len(words))
		if n == len(a.groups) {
			g := &group{words: make([]sys.Waitv, 0, min(len(words), groupMost)+1)}
			g.run = func() { a.sleepAside(g) }
			a.groups = append(a.groups, g)
		}
		g := a.groups[n]
		g.words = g.words[:0]
		for i := from; i < to; i++ {
			g.words = append(g.words, sys.SharedWaitv(words[i], values[i]))
		}
		g.words = append(g.words, sys.PrivateWaitv(a.w.nudge, nudge))
		g.until = until
		n++
	}
	first := a.groups[0]
	if n == 1 {
		return 0, first.sleep()
	}
	if a.out == nil {
		a.out = make(chan struct{}, 16)
	}
	a.up.Store(false)
	for _, g := range a.groups[1:n] {
		go g.run()
	}
	a.rouse(first.sleep())
	for range n - 1 {
		<-a.out
	}
	return 1, a.why
}

// sleepAside is what the goroutine of a group does.
//
//go:norace
func (a *Any) sleepAside(g *group) {
	mem.RaceDisable()
	a.rouse(g.sleep())
	a.out <- struct{}{}
	mem.RaceEnable()
}

// rouse wakes all groups, of the first that is up.
//
//go:norace
func (a *Any) rouse(why error) {
	if a.up.CompareAndSwap(false, true) {
		a.why = why
		atomic.AddUint32(a.w.nudge, 1)
		sys.FutexWakePrivate(a.w.nudge, -1)
	}
}

//go:norace
func (g *group) sleep() error {
	for {
		if _, err := sys.FutexWaitv(g.words, g.until); err != syscall.EINTR {
			return err
		}
	}
}
