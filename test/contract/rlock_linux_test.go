package contract_test

import (
	"fmt"
	"testing"
	"time"

	"example.com/tandem/internal/testproc/actor"
)

func TestRLock(t *testing.T) {
	t.Parallel()
	t.Run("R1 as many Unlocks as Locks, and one more is an error", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.Actor()
			for range 3 {
				a.Expect("ok", "rmutex.lock", "m")
			}
			for range 3 {
				a.Expect("ok", "rmutex.unlock", "m")
			}
			a.Expect("not owner", "rmutex.unlock", "m")
			a.Expect("true", "rmutex.try", "m")
		})
	})
	t.Run("R2 it is free after the last Unlock only", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for range 3 {
				a.Expect("ok", "rmutex.lock", "m")
			}
			for range 3 {
				b.Expect("false", "rmutex.try", "m")
				b.Expect(fmt.Sprint(a.PID), "rmutex.owner", "m")
				a.Expect("ok", "rmutex.unlock", "m")
			}
			b.Expect("none", "rmutex.owner", "m")
			b.Expect("true", "rmutex.try", "m")
		})
	})
	t.Run("R3 Unlock by another holder is an error and changes nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "rmutex.lock", "m")
			a.Expect("ok", "rmutex.lock", "m")
			b.Expect("not owner", "rmutex.unlock", "m")
			b.Expect("not owner", "rmutex.mark", "m")
			a.Expect("2", "rmutex.depth", "m")
			b.Expect("false", "rmutex.try", "m")
		})
	})
	t.Run("R4 Unlock of a free lock is an error", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("not owner", "rmutex.unlock", "m")
			b.Expect("ok", "rmutex.lock", "m")
			b.Expect("ok", "rmutex.unlock", "m")
			b.Expect("not owner", "rmutex.unlock", "m")
			a.Expect("true", "rmutex.try", "m")
		})
	})
	t.Run("R5 lock, lock, unlock, lock, unlock, unlock", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, what := range []string{"lock", "lock", "unlock", "lock", "unlock"} {
				a.Expect("ok", "rmutex."+what, "m")
				b.Expect("false", "rmutex.try", "m")
			}
			a.Expect("ok", "rmutex.unlock", "m")
			b.Expect("true", "rmutex.try", "m")
		})
	})
	t.Run("R6 Depth is exact, and 0 for others", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("0", "rmutex.depth", "m")
			for _, step := range []struct{ what, depth string }{{"lock", "1"}, {"lock", "2"}, {"lock", "3"}, {"unlock", "2"}, {"unlock", "1"}, {"unlock", "0"}} {
				a.Expect("ok", "rmutex."+step.what, "m")
				a.Expect(step.depth, "rmutex.depth", "m")
				b.Expect("0", "rmutex.depth", "m")
			}
		})
	})
	t.Run("R7 the holder's TryLock succeeds, others' fails", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("true", "rmutex.try", "m")
			a.Expect("true", "rmutex.try", "m")
			b.Expect("false", "rmutex.try", "m")
			waiter := b.Begin("rmutex.lock", "m")
			waiter.Blocked()
			a.Expect("true", "rmutex.try", "m") // though another waits
			a.Expect("ok", "rmutex.lock", "m")
			a.Expect("4", "rmutex.depth", "m")
			for range 4 {
				a.Expect("ok", "rmutex.unlock", "m")
			}
			waiter.Expect("ok")
		})
	})
	t.Run("R8 timeouts, and what they leave", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "rmutex.lock", "m")
			if got, took := b.Timed("rmutex.lock", "m", "100ms"); got != "deadline" || took < 100*time.Millisecond {
				t.Errorf("a Lock of 100 ms = %s after %v", got, took)
			}
			for _, d := range []string{"0s", "-1s"} {
				a.Expect("deadline", "rmutex.lock", "m", d)
				b.Expect("deadline", "rmutex.lock", "m", d)
			}
			c := b.Begin("rmutex.lock", "m")
			c.Blocked()
			c.Cancel()
			c.Expect("canceled")
			a.Expect("1", "rmutex.depth", "m")
			b.Expect("0", "rmutex.depth", "m")
			b.Expect(fmt.Sprint(a.PID), "rmutex.owner", "m")
			a.Expect("ok", "rmutex.unlock", "m")
			b.Expect("ok", "rmutex.lock", "m", "60s")
		})
	})
	t.Run("D1 a holder's death is told to all, until somebody repairs", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			holder, a, b := w.Actor(), w.Actor(), w.Actor()
			holder.Expect("ok", "rmutex.lock", "m")
			holder.Expect("ok", "rmutex.lock", "m")
			cs := []*actor.Call{a.Begin("rmutex.lock", "m"), b.Begin("rmutex.lock", "m", "60s")}
			for _, c := range cs {
				c.Blocked()
			}
			holder.Kill()
			for _, c := range cs {
				c.Expect("owner died")
			}
			b.Expect("owner died", "rmutex.try", "m")
			a.Expect("suspect", "rmutex.recover", "m")
			a.Expect("ok", "rmutex.lock", "m") // it has it
			a.Expect("2", "rmutex.depth", "m")
			a.Expect("ok", "rmutex.unlock", "m")
			a.Expect("ok", "rmutex.unlock", "m") // without a repair
			b.Expect("owner died", "rmutex.lock", "m")
			b.Expect("suspect", "rmutex.recover", "m")
			b.Expect("ok", "rmutex.mark", "m")
			b.Expect("ok", "rmutex.unlock", "m")
			a.Expect("ok", "rmutex.lock", "m")
		})
	})
}
