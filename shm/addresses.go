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

// withRoomIfAny is withRoom for who has something better to do than to look for
// what is not there.
func withRoomIfAny(f func() error) error {
	if unmapped.closed.Load() == 0 {
		return f()
	}
	return withRoom(f)
}

// withRoom calls f, which maps something, and if there is no address space for
// it calls it again after the collector has looked for some.
func withRoom(f func() error) error {
	err := f()
	for try := 0; try < roomTries && errors.Is(err, syscall.ENOMEM); try++ {
		more := unmapped.next()
		runtime.GC()
		for waiting := true; waiting && errors.Is(err, syscall.ENOMEM); {
			select {
			case <-more:
				more = unmapped.next()
			case <-time.After(roomWait):
				waiting = false
			}
			err = f()
		}
	}
	return err
}
