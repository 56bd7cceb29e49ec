package contract_test

import (
	"fmt"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/internal/testproc/actor/verbs"
)

var _ = actor.Verb("value.lock", func(e *actor.Env, args []string) string { // [timeout]
	ctx, cancel := e.Within(args, 1)
	defer cancel()
	return actor.Outcome(verbs.Number(e, args[0]).Lock(ctx))
})

var _ = actor.Verb("value.recover", func(e *actor.Env, args []string) string { // and repair, and unlock
	v := verbs.Number(e, args[0])
	suspect, err := v.Recover(e.Ctx)
	if err != nil {
		return actor.Outcome(err)
	}
	actor.Opened(0, v.MarkConsistent())
	actor.Opened(0, v.Unlock())
	return fmt.Sprint(suspect)
})

var _ = actor.Verb("value.add", func(e *actor.Env, args []string) string {
	return fmt.Sprint(atomics.Add(verbs.Number(e, args[0]), 1))
})

func TestLockDeaths(t *testing.T) {
	t.Parallel()
	t.Run("D1 a holder's death is told to all, until somebody repairs", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			holder, a, b := w.Actor(), w.Actor(), w.Actor()
			holder.Expect("ok", "mutex.lock", "m")
			cs := []*actor.Call{a.Begin("mutex.lock", "m"), b.Begin("mutex.lock", "m"), b.Begin("mutex.lock", "m", "60s")}
			for _, c := range cs {
				c.Blocked()
			}
			holder.Kill()
			for _, c := range cs {
				c.Expect("owner died")
			}
			a.Expect("none", "mutex.owner", "m")
			a.Expect("owner died", "mutex.lock", "m")
			b.Expect("owner died", "mutex.try", "m")
			b.Expect("not locked", "mutex.unlock", "m")

			a.Expect("suspect", "mutex.recover", "m")
			b.Expect("owner died", "mutex.try", "m")
			a.Expect("ok", "mutex.unlock", "m") // without a repair
			b.Expect("owner died", "mutex.lock", "m")
			b.Expect("suspect", "mutex.recover", "m")
			b.Expect("ok", "mutex.mark", "m")
			c := a.Begin("mutex.lock", "m")
			c.Blocked()
			b.Expect("ok", "mutex.unlock", "m")
			c.Expect("ok")
		})
	})
	t.Run("D1 a repairer dies, too", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			holder, repairer, b := w.Actor(), w.Actor(), w.Actor()
			holder.Expect("ok", "mutex.lock", "m")
			holder.Kill()
			repairer.Expect("suspect", "mutex.recover", "m")
			c := b.Begin("mutex.recover", "m")
			c.Blocked()
			repairer.Kill()
			c.Expect("suspect")
			b.Expect("ok", "mutex.mark", "m")
			b.Expect("ok", "mutex.unlock", "m")
			b.Expect("ok", "mutex.lock", "m")
		})
	})
	t.Run("D1 a waiter's death is nobody's matter", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			holder, victim, b := w.Actor(), w.Actor(), w.Actor()
			holder.Expect("ok", "mutex.lock", "m")
			victim.Begin("mutex.lock", "m").Blocked()
			c := b.Begin("mutex.lock", "m")
			c.Blocked()
			victim.Kill()
			holder.Expect(fmt.Sprint(holder.PID), "mutex.owner", "m")
			holder.Expect("ok", "mutex.unlock", "m")
			c.Expect("ok")
			b.Expect("ok", "mutex.unlock", "m")
			holder.Expect("ok", "mutex.lock", "m")
		})
	})
	t.Run("D1 a stopped holder is not dead", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			t.Parallel() // it waits, most of the time
			holder, b := w.Actor(), w.Actor()
			holder.Expect("ok", "mutex.lock", "m")
			holder.Stop()
			if got, took := b.Timed("mutex.lock", "m", "3s"); got != "deadline" || took < 3*time.Second {
				t.Errorf("Lock of what a stopped process holds = %s after %v", got, took)
			}
			b.Expect(fmt.Sprint(holder.PID), "mutex.owner", "m")
			holder.Resume()
			holder.Expect("ok", "mutex.unlock", "m")
			b.Expect("ok", "mutex.lock", "m")
		})
	})
	t.Run("D2 a death with a Value's lock", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			holder, b := w.Actor(), w.Actor()
			holder.Expect("ok", "value.lock", "v")
			c := b.Begin("value.lock", "v")
			c.Blocked()
			holder.Kill()
			c.Expect("owner died")
			b.Expect("1", "value.add", "v") // the value itself waits for nobody
			b.Expect("true", "value.recover", "v")
			b.Expect("ok", "value.lock", "v")
		})
	})
}
