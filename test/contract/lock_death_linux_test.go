package contract_test

import (
	"fmt"
	"testing"
	"time"

	"example.com/tandem/atomics"
)

// value is the actor's value of a name.
func (e *env) value(name string) *atomics.Value[int64] {
	return e.handle("value "+name, func() any { return opened(atomics.OpenValue(e.region, name, int64(0))) }).(*atomics.Value[int64])
}

var _ = verb("value.lock", func(e *env, args []string) string { // [timeout]
	ctx, cancel := e.within(args, 1)
	defer cancel()
	return outcome(e.value(args[0]).Lock(ctx))
})

var _ = verb("value.recover", func(e *env, args []string) string { // and repair, and unlock
	v := e.value(args[0])
	suspect, err := v.Recover(e.ctx)
	if err != nil {
		return outcome(err)
	}
	opened(0, v.MarkConsistent())
	opened(0, v.Unlock())
	return fmt.Sprint(suspect)
})

var _ = verb("value.add", func(e *env, args []string) string {
	return fmt.Sprint(atomics.Add(e.value(args[0]), 1))
})

func TestLockDeaths(t *testing.T) {
	t.Run("D1 a holder's death is told to all, until somebody repairs", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			holder, a, b := w.actor(), w.actor(), w.actor()
			holder.expect("ok", "mutex.lock", "m")
			cs := []*call{a.begin("mutex.lock", "m"), b.begin("mutex.lock", "m"), b.begin("mutex.lock", "m", "60s")}
			for _, c := range cs {
				c.blocked()
			}
			holder.kill()
			for _, c := range cs {
				c.expect("owner died")
			}
			a.expect("none", "mutex.owner", "m")
			a.expect("owner died", "mutex.lock", "m")
			b.expect("owner died", "mutex.try", "m")
			b.expect("not locked", "mutex.unlock", "m")

			a.expect("suspect", "mutex.recover", "m")
			b.expect("owner died", "mutex.try", "m")
			a.expect("ok", "mutex.unlock", "m") // without a repair
			b.expect("owner died", "mutex.lock", "m")
			b.expect("suspect", "mutex.recover", "m")
			b.expect("ok", "mutex.mark", "m")
			c := a.begin("mutex.lock", "m")
			c.blocked()
			b.expect("ok", "mutex.unlock", "m")
			c.expect("ok")
		})
	})
	t.Run("D1 a repairer dies, too", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			holder, repairer, b := w.actor(), w.actor(), w.actor()
			holder.expect("ok", "mutex.lock", "m")
			holder.kill()
			repairer.expect("suspect", "mutex.recover", "m")
			c := b.begin("mutex.recover", "m")
			c.blocked()
			repairer.kill()
			c.expect("suspect")
			b.expect("ok", "mutex.mark", "m")
			b.expect("ok", "mutex.unlock", "m")
			b.expect("ok", "mutex.lock", "m")
		})
	})
	t.Run("D1 a waiter's death is nobody's matter", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			holder, victim, b := w.actor(), w.actor(), w.actor()
			holder.expect("ok", "mutex.lock", "m")
			victim.begin("mutex.lock", "m").blocked()
			c := b.begin("mutex.lock", "m")
			c.blocked()
			victim.kill()
			holder.expect(fmt.Sprint(holder.pid), "mutex.owner", "m")
			holder.expect("ok", "mutex.unlock", "m")
			c.expect("ok")
			b.expect("ok", "mutex.unlock", "m")
			holder.expect("ok", "mutex.lock", "m")
		})
	})
	t.Run("D1 a stopped holder is not dead", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			t.Parallel() // it waits, most of the time
			holder, b := w.actor(), w.actor()
			holder.expect("ok", "mutex.lock", "m")
			holder.stop()
			if got, took := b.timed("mutex.lock", "m", "3s"); got != "deadline" || took < 3*time.Second {
				t.Errorf("Lock of what a stopped process holds = %s after %v", got, took)
			}
			b.expect(fmt.Sprint(holder.pid), "mutex.owner", "m")
			holder.resume()
			holder.expect("ok", "mutex.unlock", "m")
			b.expect("ok", "mutex.lock", "m")
		})
	})
	t.Run("D2 a death with a Value's lock", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			holder, b := w.actor(), w.actor()
			holder.expect("ok", "value.lock", "v")
			c := b.begin("value.lock", "v")
			c.blocked()
			holder.kill()
			c.expect("owner died")
			b.expect("1", "value.add", "v") // the value itself waits for nobody
			b.expect("true", "value.recover", "v")
			b.expect("ok", "value.lock", "v")
		})
	})
}
