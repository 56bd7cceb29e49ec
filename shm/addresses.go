package shm

import (
	"errors"
	"runtime"
	gosync "sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Address space. A mapping takes as much as the region has, and a closed one
// goes only when the collector finds that nothing reaches it: handles of other
// goroutines may still be on their way out. Where address space is limited
// (ulimit -v), or its mappings are counted, a program that opens and closes
// regions runs out of it before the collector has reason to run.

// unmapped is where those who wait for address space hear of some.
var unmapped unmappings

type unmappings struct {
	closed atomic.Int32 // mappings of closed regions that are still there
	mu     gosync.Mutex
	more   chan struct{} // closed with the next one; nil if nobody waits
}

func (u *unmappings) tell() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.more != nil {
		close(u.more)
		u.more = nil
	}
}

func (u *unmappings) next() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.more == nil {
		u.more = make(chan struct{})
	}
	return u.more
}

// A mapping goes with the second collection: the first finds the handles on its
// objects, and what these are cleaned up by holds the mapping until the next.
const (
	roomTries = 6
	roomWait  = 5 * time.Millisecond // after a collection, for what it found
)

// collectGarbage is what looks for address space.
var collectGarbage = runtime.GC

// withRoomSoon is withRoom for a call that keeps others waiting and can do
// without room. A collection takes as long as the heap is big, and a closed
// mapping may still be in use, so it tries for soonLimit at most; it does not
// try where there is nothing to be found.
func withRoomSoon(f func() error) error {
	err := f()
	if unmapped.closed.Load() == 0 || !errors.Is(err, syscall.ENOMEM) {
		return err
	}
	more := unmapped.next()
	done := make(chan struct{})
	var enough atomic.Bool
	defer enough.Store(true)
	go func() {
		defer close(done)
		for try := 0; try < soonTries && !enough.Load(); try++ {
			collectGarbage()
			time.Sleep(roomWait)
		}
	}()
	for limit, over := time.After(soonLimit), false; !over && errors.Is(err, syscall.ENOMEM); {
		select {
		case <-more:
			more = unmapped.next()
		case <-done:
			over = true
		case <-limit:
			over = true
		}
		err = f()
	}
	return err
}

const (
	soonTries = 3
	soonLimit = 100 * time.Millisecond
)

// withRoom calls f, which maps something, and if there is no address space for
// it calls it again after the collector has looked for some.
func withRoom(f func() error) error {
	err, wait := f(), roomWait
	for try := 0; try < roomTries && errors.Is(err, syscall.ENOMEM); try++ {
		more := unmapped.next()
		collectGarbage()
		for waiting := true; waiting && errors.Is(err, syscall.ENOMEM); {
			select {
			case <-more:
				more = unmapped.next()
			case <-time.After(wait):
				waiting = false
			}
			err = f()
		}
		wait *= 2 // what holds it may be a thread that has yet to have its turn
	}
	return err
}
