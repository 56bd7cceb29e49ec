//go:build tandem_sim

package engine_test

import (
	"fmt"
	"testing"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// A reader that was passed over is waited for, from when the lock is free on:
// for its patience if it is stopped, and that once, and not by each of the
// writers each time.
func TestSimRWMutexStarvingStopped(t *testing.T) {
	const (
		starving, passed = 144, 384 + 8 // offsets; passed is that of row 0
		patience         = 1_000_000
		locks            = 20
	)
	sim.Explore(t, 300, sim.Options{Timers: true, NsStep: 500, SpuriousEvery: 100}, func(w *sim.World) {
		o := newRWOracle(w)
		free, first := int64(0), int64(0) // when the lock was, and when one had it
		w.Always(func() error {
			if o.writes > 0 && first == 0 {
				if first = w.Now(); first-free < patience*9/10 {
					return fmt.Errorf("a writer stood back for %d µs", (first-free)/1000)
				}
			}
			return nil
		})
		w.Process(0).Go("reader", func(t *sim.Thread) {
			l, writers := o.attach(t), 1+w.Rand.IntN(2)
			held := w.Rand.IntN(2) == 0
			if held && !l.LockNow() {
				w.Fail("it is not free")
			}
			mem.Add32(o.a.W32(passed), 1)
			mem.Store32(o.a.W32(starving), 1)
			free = w.Now()
			for i := range writers {
				w.Process(1+i).Go("writer", func(t *sim.Thread) {
					for range locks {
						o.round(t, 2)
					}
					// Each may have been about to stand back when another had.
					if took := w.Now() - free; took > int64(writers+1)*patience {
						w.Fail("%d locks each took %d µs", locks, took/1000)
					}
				})
			}
			if held {
				for begun := w.Now(); w.Now() < begun+3*patience; {
					t.Step()
				}
				free = w.Now()
				if err := l.Unlock(); err != nil {
					w.Fail("Unlock: %v", err)
				}
			}
		})
		w.AtEnd(func() error { mem.Store32(o.a.W32(passed), 0); return nil })
	})
}
