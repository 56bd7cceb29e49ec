package wait

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sys"
)

// A poller is one thread that sleeps for up to 127 calls, each of which is parked on a
// channel: for those of which a process has thousands, nearly all of them idle. What it
// costs is that a wake-up goes through two goroutines, and that the thread looks at all its
// words. So a few calls, pollOwn of them, sleep on threads of their own, and of those the
// ones that have slept for long go over to a poller.
//
//	call:    Q1 stand in calls         Q2 say so in by   Q3 poke   Q4 wait to be told
//	poller:  R1 load the poke word     R2 look at the word, the nudge word and the end of
//	         each call; those for whom there is something leave calls, and are told
//	         R3 sleep while all words are as they were, and the poke word as R1 found it
//	alarm:   A2 change the nudge word  A3 wake its sleeper; by is set: poke
//	poke:    change the poke word, and wake it
//
// A wake-up cannot be lost. Whoever wakes a word has changed it, so that R2 sees it, or the
// kernel at R3, also of a wake-up that found nobody because the poller was awake. Of Q2 and
// A3's look at by one comes first: if Q2 does, the alarm pokes; else A2 came before Q3. In
// either case R3 finds the poke word changed, or R2 comes after it and sees A2. An alarm may
// come late, and poke whom the call has left: that costs a look.
//
// Who is told has left calls before, and the poller is not in the kernel: the word is
// not touched any more, and may be unmapped as soon as its List lets Close return.
//
// A word that cannot be read, of a file that was cut short, must not end the process on the
// poller's goroutine, nor keep the others awake: its call is sent to a thread of its own,
// where it finds for itself what there is. So are all, if the kernel refuses and no word is
// to blame.
type poller struct {
	word  uint32 // changes when the poller is to look; on the heap, where nothing moves
	calls []*Waiter
	words []sys.Waitv // the poller's own
	runs  bool
}

// polls are the pollers of the process. mu guards what they know of their calls.
var polls struct {
	mu  sync.Mutex
	all []*poller
	own atomic.Int32 // calls that might share a thread, and sleep on one of their own
}

const (
	pollOwn  = 32
	pollMost = sys.MaxWaitv - 1 // beside the poke word
	pollIdle = 100 * time.Millisecond

	// Those that share a thread look again together, so that it gets up for all at once, and
	// seldom: nobody else takes their wake-ups.
	pollRound  = 250 * time.Millisecond
	pollRelook = 4 // times as long as others sleep
)

// A polled is a call's part. All but by, told and alone is mu's while the call stands in calls.
type polled struct {
	by       atomic.Pointer[poller]
	told     chan error // has room for one
	v, nudge uint32
	until    int64
	shares   bool // it may
	alone    bool // it must not any more
}

// errAlone is what a call is told whose poller cannot sleep.
const errAlone = syscall.EFAULT

// Share says that the sleeps may share a thread with others: they end some microseconds later.
// It is for calls whose wake-ups nobody else can take.
//
//go:norace
func (w *Waiter) Share() *Waiter {
	w.poll.shares = true
	return w
}

// polls reports whether the sleep that begins shares a thread. If not, unpolls must follow.
//
//go:norace
func (w *Waiter) polls(now int64) bool {
	if !w.poll.shares || w.poll.alone {
		return false
	}
	return polls.own.Add(1) > pollOwn || w.since != 0 && now-w.since >= int64(relook)
}

//go:norace
func (w *Waiter) unpolls() {
	if w.poll.shares && !w.poll.alone {
		polls.own.Add(-1)
	}
}

// sleepPolled is S3 of a sleep that shares a thread.
//
//go:norace
func (w *Waiter) sleepPolled(word *uint32, v, nudge uint32, until int64) error {
	polls.own.Add(-1)
	p := &w.poll
	if p.told == nil {
		p.told = make(chan error, 1)
	}
	w.word, p.v, p.nudge, p.until = word, v, nudge, until
	polls.mu.Lock()
	by := freePoller()
	by.calls = append(by.calls, w) // Q1
	p.by.Store(by)                 // Q2
	if !by.runs {
		by.runs = true
		go by.run()
	}
	polls.mu.Unlock()
	by.poke() // Q3
	err := <-p.told
	p.by.Store(nil)
	if err == errAlone {
		p.alone = true
		return nil
	}
	return err
}

// freePoller is one that has room. polls.mu is held.
//
//go:norace
func freePoller() *poller {
	for _, p := range polls.all {
		if len(p.calls) < pollMost {
			return p
		}
	}
	p := &poller{words: make([]sys.Waitv, 0, sys.MaxWaitv)}
	polls.all = append(polls.all, p)
	return p
}

//go:norace
func (p *poller) poke() {
	atomic.AddUint32(&p.word, 1)
	sys.FutexWakePrivate(&p.word, 1)
}

// run is R1 to R3, until the poller has had nothing to do for pollIdle.
//
//go:norace
func (p *poller) run() {
	mem.RaceDisable()
	defer mem.RaceEnable()
	debug.SetPanicOnFault(true)
	for idle, refused := false, false; ; {
		seq := atomic.LoadUint32(&p.word) // R1
		told, until, ends := p.look(idle)
		if ends {
			return
		}
		if told > 0 {
			// They are queued at this processor, which the kernel would keep for a while.
			runtime.Gosched()
		} else if refused {
			p.giveUp()
		}
		p.words[0] = sys.PrivateWaitv(&p.word, seq)
		_, err := sys.FutexWaitv(p.words, until) // R3
		switch err {
		case nil, syscall.EAGAIN, syscall.EINTR:
			idle, refused = false, false
		case syscall.ETIMEDOUT:
			idle, refused = true, false
		default:
			idle, refused = true, true
		}
	}
}

// look is R2. It returns how many were told, and until when to sleep; idle says that nothing
// has come since the last look, and ends that the poller has no calls and need not go on.
//
//go:norace
func (p *poller) look(idle bool) (told int, until int64, ends bool) {
	polls.mu.Lock()
	defer polls.mu.Unlock()
	if len(p.calls) == 0 && idle {
		p.runs = false
		return 0, 0, true
	}
	i, now := 0, sys.MonotonicNow()
	p.words = append(p.words[:0], sys.Waitv{})
	defer func() {
		if fault := recover(); fault != nil {
			p.tell(i, errAlone)
			told, until = 1, now // it looks at the others at once
		}
	}()
	for i < len(p.calls) {
		w := p.calls[i]
		c := &w.poll
		switch {
		case now >= c.until:
			p.tell(i, syscall.ETIMEDOUT)
		case atomic.LoadUint32(w.word) != c.v || atomic.LoadUint32(w.nudge) != c.nudge:
			p.tell(i, nil)
		default:
			p.words = append(p.words, sys.SharedWaitv(w.word, c.v))
			if until == 0 || c.until < until {
				until = c.until
			}
			i++
			continue
		}
		told++
	}
	if len(p.calls) == 0 {
		until = now + int64(pollIdle)
	}
	return told, until, false
}

// tell has the call at i look. It does not stand in calls any more.
//
//go:norace
func (p *poller) tell(i int, why error) {
	w, last := p.calls[i], len(p.calls)-1
	p.calls[i], p.calls[last] = p.calls[last], nil
	p.calls = p.calls[:last]
	w.poll.told <- why
}

// giveUp sends all calls to threads of their own.
//
//go:norace
func (p *poller) giveUp() {
	polls.mu.Lock()
	defer polls.mu.Unlock()
	p.words = append(p.words[:0], sys.Waitv{})
	for len(p.calls) > 0 {
		p.tell(len(p.calls)-1, errAlone)
	}
}
