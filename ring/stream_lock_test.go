package ring

import (
	"net"
	"runtime"
	"testing"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm/shmtest"
)

// It is seized, if it is free, before one that waits, whose it is then.
func TestStreamLockIsSeized(t *testing.T) {
	var l streamLock
	l.init()
	l.word.Store(streamWaiting) // who waits has had the token, and is on its way
	if !l.seize() {
		t.Fatal("it is free")
	}
	if l.seize() {
		t.Fatal("two have it")
	}
	l.unlock()
	if w, n := l.word.Load(), len(l.token); w != streamWaiting || n != 1 {
		t.Errorf("the word is %#x then, and there are %d tokens", w, n)
	}
}

// Who takes the token and waits no more leaves it to the next.
func TestStreamLockPassesOn(t *testing.T) {
	h := &NewStreamPair(t, shmtest.Region(t), 128).Dialer.end.out
	l := &h.lock
	l.take()
	waiting := func(n uint32) {
		for l.word.Load() != n*streamWaiting+streamLocked {
			time.Sleep(time.Microsecond)
		}
		time.Sleep(time.Millisecond) // and it sleeps
	}
	first, second := make(chan error, 1), make(chan bool, 1)
	go func() { first <- l.wait(h) }()
	waiting(1)
	go func() { l.take(); l.unlock(); second <- true }()
	waiting(2)
	h.state.Store(streamClosed) // of which only who takes the token learns
	l.unlock()
	if err := <-first; err != net.ErrClosed {
		t.Errorf("the first: %v", err)
	}
	select {
	case <-second:
	case <-time.After(testproc.Patience):
		t.Fatal("the second waits for a lock that is free")
	}
	if w := l.word.Load(); w != 0 {
		t.Errorf("the word is %#x then", w)
	}
}

// An end says that it reads no more, or writes no more, when no call of that half has the
// lock, and is gone after that.
func TestStreamEndsUnderItsLocks(t *testing.T) {
	const flags = 1<<11 | 1<<12 | 1<<13 // docs/layout.md
	r := shmtest.Region(t)
	for _, tt := range []struct {
		name string
		lock func(e *streamEnd) *streamLock
		end  func(c *streamConn) error
		want uint64
		gone int32
	}{
		{"Close, beside a Read", func(e *streamEnd) *streamLock { return &e.in.lock }, (*streamConn).Close, flags, 1},
		{"Close, beside a Write", func(e *streamEnd) *streamLock { return &e.out.lock }, (*streamConn).Close, flags, 1},
		{"CloseRead, beside a Read", func(e *streamEnd) *streamLock { return &e.in.lock }, (*streamConn).CloseRead, 1 << 11, 0},
		{"CloseWrite, beside a Write", func(e *streamEnd) *streamLock { return &e.out.lock }, (*streamConn).CloseWrite, 1 << 12, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := NewStreamPair(t, r, 128)
			l := tt.lock(p.Dialer.end)
			l.take()
			ended := make(chan error, 1)
			go func() { ended <- tt.end(p.Dialer) }()
			for !l.waitedFor() && len(ended) == 0 {
				runtime.Gosched()
			}
			if x, n := mem.Load64(p.Area.W64(128)), p.Gone[0].Load(); x&flags != 0 || n != 0 {
				t.Fatalf("its word is %#x, and it is gone %d times, with a call under way", x, n)
			}
			l.unlock()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if x, n := mem.Load64(p.Area.W64(128)), p.Gone[0].Load(); x&flags != tt.want || n != tt.gone {
				t.Errorf("its word is %#x then, want %#x, and it is gone %d times, want %d", x&flags, tt.want, n, tt.gone)
			}
		})
	}
}
