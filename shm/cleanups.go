package shm

import (
	"cmp"
	"context"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// Cleanups. What the collector finds that nothing reaches may have a cleanup, and what that is
// told of is reached until it has run: of a connection that nobody closed, the object. Few of
// them run at a time, those of the program among them, which may block.

// How long one waits for all that are due; and while those have not run that were waited for
// in vain.
const (
	cleanupLimit = 500 * time.Millisecond
	cleanupShort = 2 * time.Millisecond
)

// vain is how many were due in all when they were last waited for in vain.
var vain atomic.Uint64

// cleanupsRan is how many have run in this process.
func cleanupsRan() uint64 {
	m := [...]metrics.Sample{{Name: "/gc/cleanups/executed:cleanups"}}
	metrics.Read(m[:])
	return m[0].Value.Uint64()
}

// awaitCleanups waits until those have run that collections have found to be due by now, and
// reports whether they have. It waits for cleanupLimit at most, until ctx ends or the region is
// closed; and hardly while some have not run that were waited for in vain.
func (a *attachment) awaitCleanups(ctx context.Context) bool {
	m := [...]metrics.Sample{{Name: "/gc/cleanups/queued:cleanups"}}
	metrics.Read(m[:])
	due, begun := m[0].Value.Uint64(), time.Now()
	for pause := 10 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		ran, limit := cleanupsRan(), cmp.Or(a.cleanupLimit, cleanupLimit)
		if ran < vain.Load() {
			limit = cleanupShort
		}
		switch {
		case ran >= due:
			return true
		case ctx.Err() != nil || a.gate.Closed():
			return false
		case time.Since(begun) >= limit:
			vain.Store(due)
			return false
		}
		time.Sleep(pause)
	}
}
