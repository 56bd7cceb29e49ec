//go:build tandem_sim

package engine_test

import (
	"fmt"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// Two goroutines of a process unlock what one of them has locked, and another
// process locks meanwhile: one of the two is told, and the other process neither
// loses what it has nor is left with a lock that it cannot unlock.
func TestSimRWMutexUnlockedTwice(t *testing.T) {
	sim.Exhaust(t, 1, 2, sim.Options{}, func(w *sim.World) {
		a := mem.Heap(engine.RWMutexSize(4))
		engine.InitRWMutex(a)
		one, two := w.Process(0), w.Process(1)
		held, err := engine.AttachRWMutex(a, one.Env())
		if err != nil || !held.LockNow() {
			t.Fatal(err)
		}
		unlocked := 0
		for range 2 {
			one.Go("unlocker", func(*sim.Thread) {
				if held.Unlock() == nil {
					unlocked++
				}
			})
		}
		two.Go("writer", func(t *sim.Thread) {
			l, err := engine.AttachRWMutex(a, t.Env())
			if err == nil {
				err = lock(t, l)
			}
			if who, ok := l.Owner(); err != nil || !ok || who != two.Self {
				w.Fail("%v: %v, and %v writes, %v", t, err, who, ok)
			}
			if err := l.Unlock(); err != nil {
				w.Fail("Unlock: %v", err)
			}
		})
		w.AtEnd(func() error {
			ops, _ := engine.OpsOf(engine.KindRWMutex)
			if l := ops.Look(a); unlocked != 1 || l.Owner != nil {
				return fmt.Errorf("%d calls have unlocked it, and it is %+v", unlocked, l)
			}
			return nil
		})
	})
}
