package ring

import (
	"sync"
	"sync/atomic"
	"time"

	"example.com/tandem/internal/sys"
)

// A streamLock is what the calls of one half take in turn. Who waits for it hears of a
// deadline and of a Close, which no sync.Mutex does.
//
//	 31          1   0
//	+-------------+---+
//	|   waiting   | L |
//	+-------------+---+
//
// Who unlocks and finds somebody waiting leaves a token, of which there is room for one.
// Who takes it looks at L, or leaves it for the others when it waits no more. So if L is
// free and somebody waits, there is a token, or one who has taken it and is about to do
// either: and who finds L taken is owed the next token.
type streamLock struct {
	word  atomic.Uint32
	token chan struct{}

	mu   sync.Mutex
	news chan struct{} // closed when those that wait are to look; nil: nobody has asked
}

const (
	streamLocked  = 1
	streamWaiting = 2
)

func (l *streamLock) init() { l.token = make(chan struct{}, 1) }

// now takes the lock if nobody has it, and nobody waits.
func (l *streamLock) now() bool { return l.word.CompareAndSwap(0, streamLocked) }

// seize takes the lock if nobody has it, before those that wait.
func (l *streamLock) seize() bool {
	for w := l.word.Load(); w&streamLocked == 0; w = l.word.Load() {
		if l.word.CompareAndSwap(w, w|streamLocked) {
			return true
		}
	}
	return false
}

func (l *streamLock) unlock() {
	if l.word.Add(^uint32(streamLocked-1)) != 0 {
		l.leaveToken()
	}
}

//go:noinline
func (l *streamLock) leaveToken() {
	select {
	case l.token <- struct{}{}:
	default:
	}
}

// wait takes it, unless the half ends first.
//
//go:noinline
func (l *streamLock) wait(h *streamHalf) error {
	l.word.Add(streamWaiting)
	for {
		news := l.listen()
		if h != nil {
			if err := h.ended(); err != nil {
				if l.word.Add(^uint32(streamWaiting-1)) >= streamWaiting {
					l.leaveToken() // it may have taken one
				}
				return err
			}
		}
		if w := l.word.Load(); w&streamLocked == 0 {
			if l.word.CompareAndSwap(w, w-streamWaiting+streamLocked) {
				return nil
			}
			continue
		}
		l.sleep(h, news)
	}
}

func (l *streamLock) sleep(h *streamHalf, news chan struct{}) {
	var over <-chan time.Time
	if h != nil {
		if d := h.deadline.Load(); d != 0 {
			t := time.NewTimer(time.Duration(d - sys.MonotonicNow()))
			defer t.Stop()
			over = t.C
		}
	}
	select {
	case <-l.token:
	case <-news:
	case <-over:
	}
}

// take takes it in any case.
func (l *streamLock) take() {
	if !l.now() {
		l.wait(nil)
	}
}

func (l *streamLock) waitedFor() bool { return l.word.Load() >= streamWaiting }

// listen returns what is closed by the next rouse.
func (l *streamLock) listen() chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.news == nil {
		l.news = make(chan struct{})
	}
	return l.news
}

// rouse has all look that wait.
func (l *streamLock) rouse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.news != nil {
		close(l.news)
		l.news = nil
	}
}
