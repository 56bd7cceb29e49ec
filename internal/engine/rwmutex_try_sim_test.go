//go:build tandem_sim

package engine_test

import (
	"fmt"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// Of several Trys at one time, of nobody else, one gets the lock.
func TestSimRWMutexTrys(t *testing.T) {
	for _, tt := range []struct{ writers, readers, most int }{{1, 1, 4}, {1, 2, 3}, {2, 1, 3}} {
		t.Run(fmt.Sprintf("%d writers, %d readers", tt.writers, tt.readers), func(t *testing.T) {
			sim.Exhaust(t, 1, tt.most, sim.Options{}, func(w *sim.World) {
				a := mem.Heap(engine.RWMutexSize(4))
				engine.InitRWMutex(a)
				wrote, read := 0, 0
				for i := range tt.writers + tt.readers {
					p := w.Process(i)
					l, err := engine.AttachRWMutex(a, p.Env())
					if err != nil {
						t.Fatal(err)
					}
					try, got := l.TryLock, &wrote
					if i >= tt.writers {
						try, got = l.TryRLock, &read
					}
					p.Go("try", func(t *sim.Thread) {
						ok, err := try()
						if err != nil {
							w.Fail("%v: %v", t, err)
						}
						if ok {
							*got++
						}
					})
				}
				w.AtEnd(func() error {
					if wrote+read == 0 || wrote > 1 || wrote > 0 && read > 0 {
						return fmt.Errorf("%d write and %d read", wrote, read)
					}
					return nil
				})
			})
		})
	}
}

// A TryLock that has found a reader has others look again that it kept out, and so has
// what a Lock tries first.
func TestSimRWMutexTryRings(t *testing.T) {
	for name, try := range map[string]func(l *engine.RWMutex) bool{
		"TryLock": func(l *engine.RWMutex) bool { ok, _ := l.TryLock(); return ok },
		"LockNow": (*engine.RWMutex).LockNow,
	} {
		t.Run(name, func(t *testing.T) {
			sim.Exhaust(t, 1, 2, sim.Options{}, func(w *sim.World) { simTryRings(t, w, try) })
		})
	}
}

func simTryRings(t *testing.T, w *sim.World, try func(l *engine.RWMutex) bool) {
	a := mem.Heap(engine.RWMutexSize(4))
	engine.InitRWMutex(a)
	for i, lock := range []func(l *engine.RWMutex, t *sim.Thread) error{
		func(l *engine.RWMutex, _ *sim.Thread) error { l.TryRLock(); return nil }, // and stays
		func(l *engine.RWMutex, _ *sim.Thread) error {
			if try(l) {
				return l.Unlock()
			}
			return nil
		},
		func(l *engine.RWMutex, t *sim.Thread) error { return l.RLock(t) },
	} {
		p := w.Process(i)
		l, err := engine.AttachRWMutex(a, p.Env())
		if err != nil {
			t.Fatal(err)
		}
		p.Go("user", func(t *sim.Thread) {
			if err := lock(l, t); err != nil {
				w.Fail("%v: %v", t, err)
			}
		})
	}
}
