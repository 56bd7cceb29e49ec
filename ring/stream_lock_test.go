package ring

import (
	"net"
	"testing"
	"time"

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
