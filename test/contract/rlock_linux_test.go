package contract_test

import (
	"fmt"
	"testing"
	"time"

	"example.com/tandem/sync"
)

// rmutex is the actor's reentrant mutex of a name, and holder its one holder
// of it.
func (e *env) rmutex(name string) *sync.RMutex {
	return e.handle(name, func() any { return opened(sync.OpenRMutex(e.region, name)) }).(*sync.RMutex)
}

func (e *env) holder(name string) *sync.Holder {
	m := e.rmutex(name)
	return e.handle("holder of "+name, func() any { return m.NewHolder() }).(*sync.Holder)
}

var _ = verb("rmutex.lock", func(e *env, args []string) string { // [timeout]
	ctx, cancel := e.within(args, 1)
	defer cancel()
	return outcome(e.holder(args[0]).Lock(ctx))
})

var _ = verb("rmutex.try", func(e *env, args []string) string { // "true", or "false", or an error
	ok, err := e.holder(args[0]).TryLock()
	if err != nil {
		return outcome(err)
	}
	return fmt.Sprint(ok)
})

var _ = verb("rmutex.unlock", func(e *env, args []string) string {
	return outcome(e.holder(args[0]).Unlock())
})

var _ = verb("rmutex.recover", func(e *env, args []string) string { // "suspect", or "sound", or an error
	switch suspect, err := e.holder(args[0]).Recover(e.ctx); {
	case err != nil:
		return outcome(err)
	case suspect:
		return "suspect"
	}
	return "sound"
})

var _ = verb("rmutex.mark", func(e *env, args []string) string {
	return outcome(e.holder(args[0]).MarkConsistent())
})

var _ = verb("rmutex.depth", func(e *env, args []string) string {
	return fmt.Sprint(e.holder(args[0]).Depth())
})

var _ = verb("rmutex.owner", func(e *env, args []string) string { // its pid, or "none"
	p, ok := e.rmutex(args[0]).Owner()
	if !ok {
		return "none"
	}
	return fmt.Sprint(p.PID)
})

func TestRLock(t *testing.T) {
	t.Run("R1 as many Unlocks as Locks, and one more is an error", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.actor()
			for range 3 {
				a.expect("ok", "rmutex.lock", "m")
			}
			for range 3 {
				a.expect("ok", "rmutex.unlock", "m")
			}
			a.expect("not owner", "rmutex.unlock", "m")
			a.expect("true", "rmutex.try", "m")
		})
	})
	t.Run("R2 it is free after the last Unlock only", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			for range 3 {
				a.expect("ok", "rmutex.lock", "m")
			}
			for range 3 {
				b.expect("false", "rmutex.try", "m")
				b.expect(fmt.Sprint(a.pid), "rmutex.owner", "m")
				a.expect("ok", "rmutex.unlock", "m")
			}
			b.expect("none", "rmutex.owner", "m")
			b.expect("true", "rmutex.try", "m")
		})
	})
	t.Run("R3 Unlock by another holder is an error and changes nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("ok", "rmutex.lock", "m")
			a.expect("ok", "rmutex.lock", "m")
			b.expect("not owner", "rmutex.unlock", "m")
			b.expect("not owner", "rmutex.mark", "m")
			a.expect("2", "rmutex.depth", "m")
			b.expect("false", "rmutex.try", "m")
		})
	})
	t.Run("R4 Unlock of a free lock is an error", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("not owner", "rmutex.unlock", "m")
			b.expect("ok", "rmutex.lock", "m")
			b.expect("ok", "rmutex.unlock", "m")
			b.expect("not owner", "rmutex.unlock", "m")
			a.expect("true", "rmutex.try", "m")
		})
	})
	t.Run("R5 lock, lock, unlock, lock, unlock, unlock", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			for _, what := range []string{"lock", "lock", "unlock", "lock", "unlock"} {
				a.expect("ok", "rmutex."+what, "m")
				b.expect("false", "rmutex.try", "m")
			}
			a.expect("ok", "rmutex.unlock", "m")
			b.expect("true", "rmutex.try", "m")
		})
	})
	t.Run("R6 Depth is exact, and 0 for others", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("0", "rmutex.depth", "m")
			for _, step := range []struct{ what, depth string }{{"lock", "1"}, {"lock", "2"}, {"lock", "3"}, {"unlock", "2"}, {"unlock", "1"}, {"unlock", "0"}} {
				a.expect("ok", "rmutex."+step.what, "m")
				a.expect(step.depth, "rmutex.depth", "m")
				b.expect("0", "rmutex.depth", "m")
			}
		})
	})
	t.Run("R7 the holder's TryLock succeeds, others' fails", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("true", "rmutex.try", "m")
			a.expect("true", "rmutex.try", "m")
			b.expect("false", "rmutex.try", "m")
			waiter := b.begin("rmutex.lock", "m")
			waiter.blocked()
			a.expect("true", "rmutex.try", "m") // though another waits
			a.expect("ok", "rmutex.lock", "m")
			a.expect("4", "rmutex.depth", "m")
			for range 4 {
				a.expect("ok", "rmutex.unlock", "m")
			}
			waiter.expect("ok")
		})
	})
	t.Run("R8 timeouts, and what they leave", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("ok", "rmutex.lock", "m")
			if got, took := b.timed("rmutex.lock", "m", "100ms"); got != "deadline" || took < 100*time.Millisecond {
				t.Errorf("a Lock of 100 ms = %s after %v", got, took)
			}
			for _, d := range []string{"0s", "-1s"} {
				a.expect("deadline", "rmutex.lock", "m", d)
				b.expect("deadline", "rmutex.lock", "m", d)
			}
			c := b.begin("rmutex.lock", "m")
			c.blocked()
			c.cancel()
			c.expect("canceled")
			a.expect("1", "rmutex.depth", "m")
			b.expect("0", "rmutex.depth", "m")
			b.expect(fmt.Sprint(a.pid), "rmutex.owner", "m")
			a.expect("ok", "rmutex.unlock", "m")
			b.expect("ok", "rmutex.lock", "m", "60s")
		})
	})
	t.Run("D1 a holder's death is told to all, until somebody repairs", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			holder, a, b := w.actor(), w.actor(), w.actor()
			holder.expect("ok", "rmutex.lock", "m")
			holder.expect("ok", "rmutex.lock", "m")
			cs := []*call{a.begin("rmutex.lock", "m"), b.begin("rmutex.lock", "m", "60s")}
			for _, c := range cs {
				c.blocked()
			}
			holder.kill()
			for _, c := range cs {
				c.expect("owner died")
			}
			b.expect("owner died", "rmutex.try", "m")
			a.expect("suspect", "rmutex.recover", "m")
			a.expect("ok", "rmutex.lock", "m") // it has it
			a.expect("2", "rmutex.depth", "m")
			a.expect("ok", "rmutex.unlock", "m")
			a.expect("ok", "rmutex.unlock", "m") // without a repair
			b.expect("owner died", "rmutex.lock", "m")
			b.expect("suspect", "rmutex.recover", "m")
			b.expect("ok", "rmutex.mark", "m")
			b.expect("ok", "rmutex.unlock", "m")
			a.expect("ok", "rmutex.lock", "m")
		})
	})
}
