package shm

import (
	"context"
	"runtime/metrics"
	"time"
)

// cleanupsRan is how many cleanups have run in this process.
func cleanupsRan() uint64 {
	m := [...]metrics.Sample{{Name: "/gc/cleanups/executed:cleanups"}}
	metrics.Read(m[:])
	return m[0].Value.Uint64()
}

// awaitCleanups waits until those cleanups have run that collections have found to be due by
// now. The program has some, too, which may block: so not beyond until, nor when ctx has
// ended.
func awaitCleanups(ctx context.Context, until time.Time) {
	m := [...]metrics.Sample{{Name: "/gc/cleanups/queued:cleanups"}}
	metrics.Read(m[:])
	due := m[0].Value.Uint64()
	for pause := 10 * time.Microsecond; cleanupsRan() < due; pause = min(2*pause, 10*time.Millisecond) {
		if !time.Now().Before(until) || ctx.Err() != nil {
			return
		}
		time.Sleep(pause)
	}
}
