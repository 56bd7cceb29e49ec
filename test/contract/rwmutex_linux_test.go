package contract_test

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// CPython has no reader/writer lock (F28): the rows are our own.

// rwmutex is the actor's RWMutex of a name.
func (e *env) rwmutex(name string) *sync.RWMutex {
	return e.handle(name, func() any { return opened(sync.OpenRWMutex(e.region, name)) }).(*sync.RWMutex)
}

var _ = verb("rwmutex.lock", func(e *env, args []string) string { // [timeout]
	ctx, cancel := e.within(args, 1)
	defer cancel()
	return outcome(e.rwmutex(args[0]).Lock(ctx))
})

var _ = verb("rwmutex.rlock", func(e *env, args []string) string { // [timeout]
	ctx, cancel := e.within(args, 1)
	defer cancel()
	return outcome(e.rwmutex(args[0]).RLock(ctx))
})

// "true", or "false", or an error; what is locked stays so.
var _ = verb("rwmutex.try", func(e *env, args []string) string { return attempt(e.rwmutex(args[0]).TryLock()) })
var _ = verb("rwmutex.tryr", func(e *env, args []string) string { return attempt(e.rwmutex(args[0]).TryRLock()) })

func attempt(ok bool, err error) string {
	if err != nil {
		return outcome(err)
	}
	return fmt.Sprint(ok)
}

var _ = verb("rwmutex.unlock", func(e *env, args []string) string { return outcome(e.rwmutex(args[0]).Unlock()) })
var _ = verb("rwmutex.runlock", func(e *env, args []string) string { return outcome(e.rwmutex(args[0]).RUnlock()) })
var _ = verb("rwmutex.mark", func(e *env, args []string) string { return outcome(e.rwmutex(args[0]).MarkConsistent()) })

var _ = verb("rwmutex.recover", func(e *env, args []string) string { // "suspect", or "sound", or an error
	switch suspect, err := e.rwmutex(args[0]).Recover(e.ctx); {
	case err != nil:
		return outcome(err)
	case suspect:
		return "suspect"
	}
	return "sound"
})

var _ = verb("rwmutex.owner", func(e *env, args []string) string { // its pid, or "none"
	p, ok := e.rwmutex(args[0]).Owner()
	if !ok {
		return "none"
	}
	return fmt.Sprint(p.PID)
})

// rwmutex.count adds one to two values, so many times, in a way that loses
// some if two do it at once, and between times reads both, which must be equal.
var _ = verb("rwmutex.count", func(e *env, args []string) string { // lock, times
	m, a, b := e.rwmutex(args[0]), e.value("a"), e.value("b")
	for range opened(strconv.Atoi(args[1])) {
		opened(0, m.Lock(e.ctx))
		n := a.Load()
		a.Store(n + 1)
		runtime.Gosched()
		b.Store(n + 1)
		opened(0, m.Unlock())
		opened(0, m.RLock(e.ctx))
		x := a.Load()
		runtime.Gosched()
		y := b.Load()
		opened(0, m.RUnlock())
		if x != y {
			return fmt.Sprintf("a reader sees %d and %d", x, y)
		}
	}
	return "ok"
})

func TestRWMutex(t *testing.T) {
	t.Run("W1 readers share, a writer is alone", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b, c := w.actor(), w.actor(), w.actor()
			for _, x := range []*actor{a, a, b} {
				x.expect("ok", "rwmutex.rlock", "m")
			}
			c.expect("true", "rwmutex.tryr", "m")
			c.expect("false", "rwmutex.try", "m")
			a.expect("none", "rwmutex.owner", "m")
			for _, x := range []*actor{a, b, c} {
				x.expect("ok", "rwmutex.runlock", "m")
			}
			c.expect("false", "rwmutex.try", "m") // a still reads
			a.expect("ok", "rwmutex.runlock", "m")
			c.expect("true", "rwmutex.try", "m")
			for _, x := range []*actor{a, b, c} {
				x.expect("false", "rwmutex.try", "m")
				x.expect("false", "rwmutex.tryr", "m")
				x.expect(fmt.Sprint(c.pid), "rwmutex.owner", "m")
			}
			c.expect("ok", "rwmutex.unlock", "m")
			a.expect("true", "rwmutex.tryr", "m")
		})
	})
	t.Run("W2 a writer waits for those inside, and new readers for it", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b, c, d := w.actor(), w.actor(), w.actor(), w.actor()
			a.expect("ok", "rwmutex.rlock", "m")
			b.expect("ok", "rwmutex.rlock", "m")
			write := c.begin("rwmutex.lock", "m")
			write.blocked()
			d.expect("false", "rwmutex.tryr", "m")
			read := d.begin("rwmutex.rlock", "m")
			read.blocked()
			d.expect("none", "rwmutex.owner", "m")
			a.expect("ok", "rwmutex.runlock", "m")
			b.expect("false", "rwmutex.tryr", "m")
			if write.done() || read.done() {
				t.Error("somebody got in while another reads, or a writer waits")
			}
			b.expect("ok", "rwmutex.runlock", "m")
			write.expect("ok")
			c.expect("ok", "rwmutex.unlock", "m")
			read.expect("ok")
		})
	})
	t.Run("W3 all who wait pass, each once", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.actor()
			a.expect("ok", "rwmutex.lock", "m")
			var waiting []*call
			for range 3 {
				waiting = append(waiting, w.actor().begin("rwmutex.rlock", "m"), w.actor().begin("rwmutex.lock", "m"))
			}
			for _, c := range waiting {
				c.blocked()
			}
			a.expect("ok", "rwmutex.unlock", "m")
			unlock := map[string]string{"rwmutex.rlock": "rwmutex.runlock", "rwmutex.lock": "rwmutex.unlock"}
			w.until("all have passed", func() bool {
				waiting = slices.DeleteFunc(waiting, func(c *call) bool {
					done := c.done()
					if done {
						c.expect("ok")
						c.a.expect("ok", unlock[c.verb], "m")
					}
					return done
				})
				return len(waiting) == 0
			})
			a.expect("not locked", "rwmutex.unlock", "m")
			a.expect("not locked", "rwmutex.runlock", "m")
			a.expect("true", "rwmutex.try", "m")
		})
	})
	t.Run("W4 a timed lock fails after its time, and leaves nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			late := func(x *actor, verb string) {
				t.Helper()
				if got, took := x.timed(verb, "m", "100ms"); got != "deadline" || took < 100*time.Millisecond {
					t.Errorf("%s of 100 ms = %s after %v", verb, got, took)
				}
			}
			a.expect("ok", "rwmutex.lock", "m")
			for _, x := range []*actor{a, b} {
				late(x, "rwmutex.lock")
				late(x, "rwmutex.rlock")
			}
			a.expect("ok", "rwmutex.unlock", "m")
			b.expect("ok", "rwmutex.rlock", "m")
			late(a, "rwmutex.lock")
			a.expect("ok", "rwmutex.rlock", "m") // the writer is no more in its way
			a.expect("ok", "rwmutex.runlock", "m")
			b.expect("ok", "rwmutex.runlock", "m")
			b.expect("true", "rwmutex.try", "m")
		})
	})
	t.Run("W5 a wait that is cancelled ends, and lets in who waits behind it", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b, c := w.actor(), w.actor(), w.actor()
			a.expect("ok", "rwmutex.rlock", "m")
			write := b.begin("rwmutex.lock", "m")
			write.blocked()
			read := c.begin("rwmutex.rlock", "m")
			read.blocked()
			write.cancel()
			write.expect("canceled")
			read.expect("ok")
			a.expect("ok", "rwmutex.runlock", "m")
			b.expect("false", "rwmutex.try", "m")
			c.expect("ok", "rwmutex.runlock", "m")
			b.expect("true", "rwmutex.try", "m")
			read = c.begin("rwmutex.rlock", "m")
			read.blocked()
			read.cancel()
			read.expect("canceled")
			b.expect("ok", "rwmutex.unlock", "m")
			b.expect("true", "rwmutex.try", "m")
		})
	})
	t.Run("W6 what one does not hold one cannot unlock", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			for range 2 {
				a.expect("not locked", "rwmutex.unlock", "m")
				a.expect("not locked", "rwmutex.runlock", "m")
				a.expect("not locked", "rwmutex.mark", "m")
			}
			a.expect("ok", "rwmutex.rlock", "m")
			b.expect("not locked", "rwmutex.unlock", "m")
			if w.processes() {
				b.expect("not owner", "rwmutex.runlock", "m")
			}
			b.expect("false", "rwmutex.try", "m")
			a.expect("ok", "rwmutex.runlock", "m")
			a.expect("ok", "rwmutex.lock", "m")
			b.expect("not locked", "rwmutex.runlock", "m")
			if w.processes() {
				b.expect("not owner", "rwmutex.unlock", "m")
				b.expect("not owner", "rwmutex.mark", "m")
			}
			b.expect("false", "rwmutex.tryr", "m")
			a.expect("ok", "rwmutex.unlock", "m")
		})
	})
	t.Run("W7 what it guards is seen whole, and no write is lost", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			var cs []*call
			for range 4 {
				cs = append(cs, w.actor().begin("rwmutex.count", "m", "200"))
			}
			for _, c := range cs {
				c.expect("ok")
			}
			w.actor().expect("801", "value.add", "a")
		})
	})
}

func TestRWMutexDeaths(t *testing.T) {
	t.Run("D1 a writer's death is told to all, until somebody repairs", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			writer, a, b := w.actor(), w.actor(), w.actor()
			writer.expect("ok", "rwmutex.lock", "m")
			cs := []*call{a.begin("rwmutex.lock", "m"), b.begin("rwmutex.rlock", "m"), a.begin("rwmutex.rlock", "m", "60s")}
			for _, c := range cs {
				c.blocked()
			}
			writer.kill()
			for _, c := range cs {
				c.expect("owner died")
			}
			told := func(x *actor) {
				t.Helper()
				for _, verb := range []string{"lock", "rlock", "try", "tryr"} {
					x.expect("owner died", "rwmutex."+verb, "m")
				}
			}
			told(a)
			a.expect("none", "rwmutex.owner", "m")
			a.expect("suspect", "rwmutex.recover", "m")
			told(b)
			a.expect("ok", "rwmutex.unlock", "m") // without a repair
			told(b)
			b.expect("suspect", "rwmutex.recover", "m")
			b.expect("ok", "rwmutex.mark", "m")
			c := a.begin("rwmutex.rlock", "m")
			c.blocked()
			b.expect("ok", "rwmutex.unlock", "m")
			c.expect("ok")
		})
	})
	t.Run("D1 a dead reader just stops counting", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			reader, other, a, b := w.actor(), w.actor(), w.actor(), w.actor()
			reader.expect("ok", "rwmutex.rlock", "m")
			reader.expect("ok", "rwmutex.rlock", "m")
			other.expect("ok", "rwmutex.rlock", "m")
			write := a.begin("rwmutex.lock", "m")
			write.blocked()
			reader.kill()
			w.until("the dead one does not count", func() bool { return len(w.holders("m")) == 1 })
			write.stillBlocked() // another still reads
			other.expect("ok", "rwmutex.runlock", "m")
			write.expect("ok")
			a.expect("ok", "rwmutex.unlock", "m")
			b.expect("sound", "rwmutex.recover", "m")
		})
	})
	t.Run("D1 the death of one who waits is nobody's matter", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b, c := w.actor(), w.actor(), w.actor()
			a.expect("ok", "rwmutex.rlock", "m")
			b.begin("rwmutex.lock", "m").blocked() // it keeps readers out
			read := c.begin("rwmutex.rlock", "m")
			read.blocked()
			b.kill()
			read.expect("ok")
			a.expect("ok", "rwmutex.runlock", "m")
			c.expect("ok", "rwmutex.runlock", "m")
			a.expect("ok", "rwmutex.lock", "m")
			d := w.actor()
			d.begin("rwmutex.rlock", "m").blocked()
			d.kill()
			a.expect("ok", "rwmutex.unlock", "m")
			a.expect("true", "rwmutex.try", "m")
		})
	})
	t.Run("D1 a stopped reader, or writer, is not dead", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			t.Parallel() // it waits, most of the time
			reader, writer, b := w.actor(), w.actor(), w.actor()
			reader.expect("ok", "rwmutex.rlock", "r")
			writer.expect("ok", "rwmutex.lock", "w")
			reader.stop()
			writer.stop()
			write, read := b.begin("rwmutex.lock", "r", "3s"), b.begin("rwmutex.rlock", "w", "3s")
			for _, c := range []*call{write, read} {
				if got := c.answer(); got != "deadline" || c.took() < 3*time.Second {
					t.Errorf("%v, beside a stopped process = %s after %v", c, got, c.took())
				}
			}
			b.expect(fmt.Sprint(writer.pid), "rwmutex.owner", "w")
			reader.resume()
			writer.resume()
			reader.expect("ok", "rwmutex.runlock", "r")
			writer.expect("ok", "rwmutex.unlock", "w")
			b.expect("ok", "rwmutex.lock", "r")
			b.expect("ok", "rwmutex.rlock", "w")
		})
	})
}

// holders is who has a share of an object.
func (w *world) holders(object string) []shm.Holder {
	w.t.Helper()
	s, err := w.region.Snapshot()
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range s.Objects {
		if s.Objects[i].Name == object {
			return s.Objects[i].Holders
		}
	}
	return nil
}
