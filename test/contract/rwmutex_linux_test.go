package contract_test

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/internal/testproc/actor/verbs"
	"example.com/tandem/shm"
)

// CPython has no reader/writer lock (F28): the rows are our own.

// rwmutex.count adds one to two values, so many times, in a way that loses
// some if two do it at once, and between times reads both, which must be equal.
var _ = actor.Verb("rwmutex.count", func(e *actor.Env, args []string) string { // lock, times
	m, a, b := verbs.RWMutex(e, args[0]), verbs.Number(e, "a"), verbs.Number(e, "b")
	for range actor.Opened(strconv.Atoi(args[1])) {
		actor.Opened(0, m.Lock(e.Ctx))
		n := a.Load()
		a.Store(n + 1)
		runtime.Gosched()
		b.Store(n + 1)
		actor.Opened(0, m.Unlock())
		actor.Opened(0, m.RLock(e.Ctx))
		x := a.Load()
		runtime.Gosched()
		y := b.Load()
		actor.Opened(0, m.RUnlock())
		if x != y {
			return fmt.Sprintf("a reader sees %d and %d", x, y)
		}
	}
	return "ok"
})

func TestRWMutex(t *testing.T) {
	t.Parallel()
	t.Run("W1 readers share, a writer is alone", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			for _, x := range []*actor.Actor{a, a, b} {
				x.Expect("ok", "rwmutex.rlock", "m")
			}
			c.Expect("true", "rwmutex.tryr", "m")
			c.Expect("false", "rwmutex.try", "m")
			a.Expect("none", "rwmutex.owner", "m")
			for _, x := range []*actor.Actor{a, b, c} {
				x.Expect("ok", "rwmutex.runlock", "m")
			}
			c.Expect("false", "rwmutex.try", "m") // a still reads
			a.Expect("ok", "rwmutex.runlock", "m")
			c.Expect("true", "rwmutex.try", "m")
			for _, x := range []*actor.Actor{a, b, c} {
				x.Expect("false", "rwmutex.try", "m")
				x.Expect("false", "rwmutex.tryr", "m")
				x.Expect(fmt.Sprint(c.PID), "rwmutex.owner", "m")
			}
			c.Expect("ok", "rwmutex.unlock", "m")
			a.Expect("true", "rwmutex.tryr", "m")
		})
	})
	t.Run("W2 a writer waits for those inside, and new readers for it", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b, c, d := w.Actor(), w.Actor(), w.Actor(), w.Actor()
			a.Expect("ok", "rwmutex.rlock", "m")
			b.Expect("ok", "rwmutex.rlock", "m")
			write := c.Begin("rwmutex.lock", "m")
			write.Blocked()
			d.Expect("false", "rwmutex.tryr", "m")
			read := d.Begin("rwmutex.rlock", "m")
			read.Blocked()
			d.Expect("none", "rwmutex.owner", "m")
			a.Expect("ok", "rwmutex.runlock", "m")
			b.Expect("false", "rwmutex.tryr", "m")
			if write.Done() || read.Done() {
				t.Error("somebody got in while another reads, or a writer waits")
			}
			b.Expect("ok", "rwmutex.runlock", "m")
			write.Expect("ok")
			c.Expect("ok", "rwmutex.unlock", "m")
			read.Expect("ok")
		})
	})
	t.Run("W3 all who wait pass, each once", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.Actor()
			a.Expect("ok", "rwmutex.lock", "m")
			var waiting []*actor.Call
			for range 3 {
				waiting = append(waiting, w.Actor().Begin("rwmutex.rlock", "m"), w.Actor().Begin("rwmutex.lock", "m"))
			}
			for _, c := range waiting {
				c.Blocked()
			}
			a.Expect("ok", "rwmutex.unlock", "m")
			unlock := map[string]string{"rwmutex.rlock": "rwmutex.runlock", "rwmutex.lock": "rwmutex.unlock"}
			w.Until("all have passed", func() bool {
				waiting = slices.DeleteFunc(waiting, func(c *actor.Call) bool {
					done := c.Done()
					if done {
						c.Expect("ok")
						c.Actor.Expect("ok", unlock[c.Verb], "m")
					}
					return done
				})
				return len(waiting) == 0
			})
			a.Expect("not locked", "rwmutex.unlock", "m")
			a.Expect("not locked", "rwmutex.runlock", "m")
			a.Expect("true", "rwmutex.try", "m")
		})
	})
	t.Run("W4 a timed lock fails after its time, and leaves nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			late := func(x *actor.Actor, verb string) {
				t.Helper()
				if got, took := x.Timed(verb, "m", "100ms"); got != "deadline" || took < 100*time.Millisecond {
					t.Errorf("%s of 100 ms = %s after %v", verb, got, took)
				}
			}
			a.Expect("ok", "rwmutex.lock", "m")
			for _, x := range []*actor.Actor{a, b} {
				late(x, "rwmutex.lock")
				late(x, "rwmutex.rlock")
			}
			a.Expect("ok", "rwmutex.unlock", "m")
			b.Expect("ok", "rwmutex.rlock", "m")
			late(a, "rwmutex.lock")
			a.Expect("ok", "rwmutex.rlock", "m") // the writer is no more in its way
			a.Expect("ok", "rwmutex.runlock", "m")
			b.Expect("ok", "rwmutex.runlock", "m")
			b.Expect("true", "rwmutex.try", "m")
		})
	})
	t.Run("W5 a wait that is cancelled ends, and lets in who waits behind it", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			a.Expect("ok", "rwmutex.rlock", "m")
			write := b.Begin("rwmutex.lock", "m")
			write.Blocked()
			read := c.Begin("rwmutex.rlock", "m")
			read.Blocked()
			write.Cancel()
			write.Expect("canceled")
			read.Expect("ok")
			a.Expect("ok", "rwmutex.runlock", "m")
			b.Expect("false", "rwmutex.try", "m")
			c.Expect("ok", "rwmutex.runlock", "m")
			b.Expect("true", "rwmutex.try", "m")
			read = c.Begin("rwmutex.rlock", "m")
			read.Blocked()
			read.Cancel()
			read.Expect("canceled")
			b.Expect("ok", "rwmutex.unlock", "m")
			b.Expect("true", "rwmutex.try", "m")
		})
	})
	t.Run("W6 what one does not hold one cannot unlock", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for range 2 {
				a.Expect("not locked", "rwmutex.unlock", "m")
				a.Expect("not locked", "rwmutex.runlock", "m")
				a.Expect("not locked", "rwmutex.mark", "m")
			}
			a.Expect("ok", "rwmutex.rlock", "m")
			b.Expect("not locked", "rwmutex.unlock", "m")
			if w.Processes() {
				b.Expect("not owner", "rwmutex.runlock", "m")
			}
			b.Expect("false", "rwmutex.try", "m")
			a.Expect("ok", "rwmutex.runlock", "m")
			a.Expect("ok", "rwmutex.lock", "m")
			b.Expect("not locked", "rwmutex.runlock", "m")
			if w.Processes() {
				b.Expect("not owner", "rwmutex.unlock", "m")
				b.Expect("not owner", "rwmutex.mark", "m")
			}
			b.Expect("false", "rwmutex.tryr", "m")
			a.Expect("ok", "rwmutex.unlock", "m")
		})
	})
	t.Run("W7 what it guards is seen whole, and no write is lost", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			var cs []*actor.Call
			for range 4 {
				cs = append(cs, w.Actor().Begin("rwmutex.count", "m", "200"))
			}
			for _, c := range cs {
				c.Expect("ok")
			}
			w.Actor().Expect("801", "value.add", "a")
		})
	})
}

func TestRWMutexDeaths(t *testing.T) {
	t.Parallel()
	t.Run("D1 a writer's death is told to all, until somebody repairs", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			writer, a, b := w.Actor(), w.Actor(), w.Actor()
			writer.Expect("ok", "rwmutex.lock", "m")
			cs := []*actor.Call{a.Begin("rwmutex.lock", "m"), b.Begin("rwmutex.rlock", "m"), a.Begin("rwmutex.rlock", "m", "60s")}
			for _, c := range cs {
				c.Blocked()
			}
			writer.Kill()
			for _, c := range cs {
				c.Expect("owner died")
			}
			told := func(x *actor.Actor) {
				t.Helper()
				for _, verb := range []string{"lock", "rlock", "try", "tryr"} {
					x.Expect("owner died", "rwmutex."+verb, "m")
				}
			}
			told(a)
			a.Expect("none", "rwmutex.owner", "m")
			a.Expect("suspect", "rwmutex.recover", "m")
			told(b)
			a.Expect("ok", "rwmutex.unlock", "m") // without a repair
			told(b)
			b.Expect("suspect", "rwmutex.recover", "m")
			b.Expect("ok", "rwmutex.mark", "m")
			c := a.Begin("rwmutex.rlock", "m")
			c.Blocked()
			b.Expect("ok", "rwmutex.unlock", "m")
			c.Expect("ok")
		})
	})
	t.Run("D1 a dead reader just stops counting", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			reader, other, a, b := w.Actor(), w.Actor(), w.Actor(), w.Actor()
			reader.Expect("ok", "rwmutex.rlock", "m")
			reader.Expect("ok", "rwmutex.rlock", "m")
			other.Expect("ok", "rwmutex.rlock", "m")
			write := a.Begin("rwmutex.lock", "m")
			write.Blocked()
			reader.Kill()
			w.Until("the dead one does not count", func() bool { return len(w.holders("m")) == 1 })
			write.StillBlocked() // another still reads
			other.Expect("ok", "rwmutex.runlock", "m")
			write.Expect("ok")
			a.Expect("ok", "rwmutex.unlock", "m")
			b.Expect("sound", "rwmutex.recover", "m")
		})
	})
	t.Run("D1 the death of one who waits is nobody's matter", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			a.Expect("ok", "rwmutex.rlock", "m")
			b.Begin("rwmutex.lock", "m").Blocked() // it keeps readers out
			read := c.Begin("rwmutex.rlock", "m")
			read.Blocked()
			b.Kill()
			read.Expect("ok")
			a.Expect("ok", "rwmutex.runlock", "m")
			c.Expect("ok", "rwmutex.runlock", "m")
			a.Expect("ok", "rwmutex.lock", "m")
			d := w.Actor()
			d.Begin("rwmutex.rlock", "m").Blocked()
			d.Kill()
			a.Expect("ok", "rwmutex.unlock", "m")
			a.Expect("true", "rwmutex.try", "m")
		})
	})
	t.Run("D1 a stopped reader, or writer, is not dead", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			t.Parallel() // it waits, most of the time
			reader, writer, b := w.Actor(), w.Actor(), w.Actor()
			reader.Expect("ok", "rwmutex.rlock", "r")
			writer.Expect("ok", "rwmutex.lock", "w")
			reader.Stop()
			writer.Stop()
			write, read := b.Begin("rwmutex.lock", "r", "3s"), b.Begin("rwmutex.rlock", "w", "3s")
			for _, c := range []*actor.Call{write, read} {
				if got := c.Answer(); got != "deadline" || c.Took() < 3*time.Second {
					t.Errorf("%v, beside a stopped process = %s after %v", c, got, c.Took())
				}
			}
			b.Expect(fmt.Sprint(writer.PID), "rwmutex.owner", "w")
			reader.Resume()
			writer.Resume()
			reader.Expect("ok", "rwmutex.runlock", "r")
			writer.Expect("ok", "rwmutex.unlock", "w")
			b.Expect("ok", "rwmutex.lock", "r")
			b.Expect("ok", "rwmutex.rlock", "w")
		})
	})
}

// holders is who has a share of an object.
func (w *world) holders(object string) []shm.Holder {
	w.T.Helper()
	s, err := w.Region.Snapshot()
	if err != nil {
		w.T.Fatal(err)
	}
	for i := range s.Objects {
		if s.Objects[i].Name == object {
			return s.Objects[i].Holders
		}
	}
	return nil
}
