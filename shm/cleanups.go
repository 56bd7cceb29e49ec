package shm

import (
	"context"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// Cleanups. What the collector finds that nothing reaches may have a cleanup, and what that is
// told of is reached until it has run: of a connection that nobody closed, the object. Few of
// them run at a time, those of the program among them, which may block.

var cleanupLimit = 500 * time.Millisecond // for all that are due; tests have another

// When they were last waited for in vain: how many had run, and one more; how many had not.
var stuck, left atomic.Uint64

// cleanupsRan is how many have run in this process.
func cleanupsRan() uint64 {
	m := [...]metrics.Sample{{Name: "/gc/cleanups/executed:cleanups"}}
	metrics.Read(m[:])
	return m[0].Value.Uint64()
}

// awaitCleanups waits until those have run that collections have found to be due by now, and
// reports whether they have. It waits for cleanupLimit at most, until ctx ends or the region is
// closed; and not at all where they were waited for in vain, and none has run since, or no more
// are left than then.
func (a *attachment) awaitCleanups(ctx context.Context) bool {
	m := [...]metrics.Sample{{Name: "/gc/cleanups/queued:cleanups"}}
	metrics.Read(m[:])
	due, until := m[0].Value.Uint64(), time.Now().Add(cleanupLimit)
	for pause := 10 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		ran := cleanupsRan()
		switch {
		case ran >= due:
			left.Store(0)
			return true
		case stuck.Load() == ran+1 || due-ran <= left.Load() || ctx.Err() != nil || a.gate.Closed():
			return false
		case !time.Now().Before(until):
			stuck.Store(ran + 1)
			left.Store(due - ran)
			return false
		}
		time.Sleep(pause)
	}
}
