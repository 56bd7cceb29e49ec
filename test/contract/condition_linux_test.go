package contract_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/testproc/actor"
)

// condWaiters has n actors wait, each once.
func condWaiters(w *world, n int, more ...string) (cs []*actor.Call) {
	w.T.Helper()
	before, _ := w.counts("c")
	for i := range n {
		cs = append(cs, w.Actor().Begin("cond.waiter", append([]string{"c", "own"}, more...)...))
		w.waitOn("c", before+i+1)
	}
	return cs
}

// answers waits until n of the calls that were not answered yet are.
func answers(w *world, cs []*actor.Call, n int) (left []*actor.Call) {
	w.T.Helper()
	w.Until(fmt.Sprintf("%d are answered", n), func() bool {
		left = nil
		for _, c := range cs {
			if !c.Done() {
				left = append(left, c)
			}
		}
		return len(left) <= len(cs)-n
	})
	for _, c := range cs {
		if c.Done() {
			c.Expect("ok")
		}
	}
	return left
}

func TestCondition(t *testing.T) {
	t.Parallel()
	t.Run("C1 a lock of its own, a mutex, or a reentrant lock", func(t *testing.T) {
		for _, kind := range []string{"own", "mutex", "holder"} {
			t.Run(kind, func(t *testing.T) {
				ways(t, func(t *testing.T, w *world) {
					a, b := w.Actor(), w.Actor()
					a.Expect("ok", "cond.lock", "c", kind)
					b.Expect("deadline", "cond.lock", "c", kind, "20ms")
					c := a.Begin("cond.wait", "c", kind)
					c.Blocked()
					b.Expect("ok", "cond.lock", "c", kind, "60s")
					b.Expect("ok", "cond.notify", "c", kind, "1")
					b.Expect("ok", "cond.unlock", "c", kind)
					c.Expect("ok")
					b.Expect("deadline", "cond.lock", "c", kind, "20ms")
					a.Expect("ok", "cond.unlock", "c", kind)
					b.Expect("ok", "cond.lock", "c", kind)
				})
			})
		}
	})
	t.Run("C2 misuse is an error and changes nothing", func(t *testing.T) {
		for _, kind := range []string{"own", "mutex", "holder"} {
			t.Run(kind, func(t *testing.T) {
				ways(t, func(t *testing.T, w *world) {
					a, b := w.Actor(), w.Actor()
					all := [][]string{{"cond.wait"}, {"cond.notify", "1"}, {"cond.notifyall"}}
					for _, v := range all {
						a.Expect("not locked", v[0], append([]string{"c", kind}, v[1:]...)...)
					}
					b.Expect("ok", "cond.lock", "c", kind)
					for _, v := range all {
						if kind != "holder" && !w.Processes() {
							continue // such a lock is the process's, as far as Wait and Notify can tell
						}
						got := a.Do(v[0], append([]string{"c", kind}, v[1:]...)...)
						if !strings.Contains(got, "not locked") || !strings.Contains(got, "not owner") {
							t.Errorf("%s while another has the lock = %s", v[0], got)
						}
					}
					b.Expect("ok", "cond.unlock", "c", kind)
				})
			})
		}
	})
	t.Run("C3 a timed Wait, notified or not", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("deadline", "cond.waiter", "c", "own", "0s")
			if got, took := a.Timed("cond.waiter", "c", "own", "100ms"); got != "deadline" || took < 100*time.Millisecond {
				t.Errorf("a Wait of 100 ms = %s after %v", got, took)
			}
			c := a.Begin("cond.waiter", "c", "own", "60s")
			w.waitOn("c", 1)
			b.Expect("ok", "cond.tell", "c", "own", "1")
			c.Expect("ok")
		})
	})
	t.Run("C4 Wait gives up the lock to its full depth and takes it back", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for range 3 {
				a.Expect("ok", "cond.lock", "c", "own")
			}
			for _, end := range []string{"ok", "deadline", "canceled"} {
				var c *actor.Call
				if end == "deadline" {
					c = waitAndLose(a, b)
				} else {
					c = a.Begin("cond.wait", "c", "own", "60s")
					b.Expect("ok", "cond.lock", "c", "own", "60s")
				}
				a.Expect("0", "cond.depth", "c", "own")
				switch end {
				case "ok":
					b.Expect("ok", "cond.notify", "c", "own", "1")
				case "canceled":
					c.Cancel()
				}
				b.Expect("ok", "cond.unlock", "c", "own")
				c.Expect(end)
				a.Expect("3", "cond.depth", "c", "own")
				b.Expect("deadline", "cond.lock", "c", "own", "5ms")
			}
		})
	})
	t.Run("C5 one Notify wakes one, whoever it is, a second the other", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			cs := condWaiters(w, 2)
			for _, c := range cs {
				if c.Done() {
					t.Error("one returns before anybody notifies")
				}
			}
			b := w.Actor()
			b.Expect("ok", "cond.tell", "c", "own", "1")
			left := answers(w, cs, 1)
			w.waitOn("c", 1)
			if len(left) != 1 {
				t.Fatalf("%d of 2 are left", len(left))
			}
			b.Expect("ok", "cond.tell", "c", "own", "1")
			left[0].Expect("ok")
		})
	})
	t.Run("C6 NotifyAll wakes all six", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			three, b := w.Actor(), w.Actor()
			cs := condWaiters(w, 3)
			for range 3 { // and three of one actor
				cs = append(cs, three.Begin("cond.waiter", "c", "own"))
			}
			w.waitOn("c", 6)
			b.Expect("ok", "cond.tell", "c", "own", "all")
			for _, c := range cs {
				c.Expect("ok")
			}
			w.waitOn("c", 0)
		})
	})
	t.Run("C7 Notify wakes as many as it says, and is not remembered", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			b := w.Actor()
			b.Expect("ok", "cond.tell", "c", "own", "3")
			cs := condWaiters(w, 6)
			b.Expect("ok", "cond.tell", "c", "own", "0")
			for _, n := range []int{2, 4} {
				b.Expect("ok", "cond.tell", "c", "own", fmt.Sprint(n))
				was := len(cs)
				cs = answers(w, cs, n)
				w.waitOn("c", was-n)
				if len(cs) != was-n {
					t.Errorf("%d of %d have returned after Notify(%d)", was-len(cs), was, n)
				}
			}
			b.Expect("ok", "cond.tell", "c", "own", "3")
			b.Expect("deadline", "cond.waiter", "c", "own", "20ms")
			b.Expect("ok", "cond.lock", "c", "own")
			if got := b.Do("cond.notify", "c", "own", "-1"); !strings.Contains(got, "invalid") {
				t.Errorf("Notify(-1) = %s", got)
			}
		})
	})
	t.Run("C8 six time out, six new ones are all woken", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as, b := w.Actors(3), w.Actor()
			for range 20 { // a thousand are in package sync's own tests
				var cs []*actor.Call
				for _, d := range []string{"1ms", "2ms"} {
					for _, a := range as {
						cs = append(cs, a.Begin("cond.waiter", "c", "own", d))
					}
				}
				for _, c := range cs {
					c.Expect("deadline")
				}
				cs = nil
				for i := range 6 {
					cs = append(cs, as[i%3].Begin("cond.waiter", "c", "own"))
				}
				w.waitOn("c", 6)
				b.Expect("ok", "cond.tell", "c", "own", "all")
				for _, c := range cs {
					c.Expect("ok")
				}
				w.waitOn("c", 0)
			}
		})
	})
	t.Run("C9 who comes late takes nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			cs := condWaiters(w, 1)
			b := w.Actor()
			b.Expect("ok", "cond.lock", "c", "own")
			b.Expect("ok", "cond.notify", "c", "own", "1")
			b.Expect("deadline", "cond.wait", "c", "own", "50ms") // before the other has the lock
			b.Expect("ok", "cond.unlock", "c", "own")
			cs[0].Expect("ok")
		})
	})
	t.Run("C10 nobody wakes for nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.Actor()
			var cs []*actor.Call
			for range 5 {
				cs = append(cs, a.Begin("cond.waiter", "c", "own", "700ms")) // longer than a sleep may last
			}
			for _, c := range cs {
				if c.Expect("deadline"); c.Took() < 700*time.Millisecond {
					t.Errorf("a Wait of 700 ms took %v", c.Took())
				}
			}
		})
	})
	t.Run("C11 C13 WaitFor asks first, again when told, and at the end, with the lock", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok 1", "cond.waitfor", "c", "own", "0", "0s")
			a.Expect("deadline 1", "cond.waitfor", "c", "own", "1", "0s")
			c := a.Begin("cond.waitfor", "c", "own", "1")
			w.waitOn("c", 1)
			c.Cancel()
			c.Expect("canceled 2")
			c = a.Begin("cond.waitfor", "c", "own", "2")
			for level := range 3 {
				w.waitOn("c", 1)
				b.Expect("ok", "cond.raise", "c", "own", fmt.Sprint(level))
			}
			c.Expect("ok 4")
		})
	})
	t.Run("C12 WaitFor's timeout is one for all", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			c := a.Begin("cond.waitfor", "c", "own", "1", "200ms")
			for !c.Done() {
				b.Expect("ok", "cond.tell", "c", "own", "all")
			}
			if got := c.Answer(); !strings.HasPrefix(got, "deadline ") || c.Took() < 200*time.Millisecond {
				t.Errorf("WaitFor = %s after %v", got, c.Took())
			}
		})
	})
	t.Run("C14 a cancelled Wait returns with the lock", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "cond.lock", "c", "own")
			c := a.Begin("cond.wait", "c", "own")
			c.Blocked()
			c.Cancel()
			c.Expect("canceled")
			b.Expect("deadline", "cond.lock", "c", "own", "5ms")
			a.Expect("ok", "cond.unlock", "c", "own")
		})
	})
	t.Run("C15 a notification that races with a timeout is neither lost nor doubled", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for n := range 60 {
				timed := a.Begin("cond.waiter", "c", "own", fmt.Sprintf("%dus", 500+20*n))
				patient := a.Begin("cond.waiter", "c", "own", "60s")
				w.Until("one waits for long", func() bool {
					timedOut := timed.Done() // asked first, so that a single one who waits is the patient one
					waiting, _ := w.counts("c")
					return waiting == 2 || waiting == 1 && timedOut
				})
				b.Expect("ok", "cond.tell", "c", "own", "1")
				if timed.Answer() == "ok" {
					if patient.Done() {
						t.Error("one Notify has woken two")
					}
					w.waitOn("c", 1)
					b.Expect("ok", "cond.tell", "c", "own", "1")
				}
				patient.Expect("ok")
			}
		})
	})
	t.Run("C16 D6 Notify waits for nobody, stopped or dead", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			stopped, killed, b := w.Actor(), w.Actor(), w.Actor()
			s, k := stopped.Begin("cond.waiter", "c", "own"), killed.Begin("cond.waiter", "c", "own")
			w.waitOn("c", 2) // none of them sleeps because the other has the lock
			s.Blocked()
			k.Blocked()
			stopped.Stop()
			killed.Kill()
			b.Expect("ok", "cond.tell", "c", "own", "1") // while it is stopped
			b.Expect("ok", "cond.tell", "c", "own", "all")
			// Only the stopped one is left, and it keeps what it was given.
			w.Until("the dead one is gone", func() bool { waiting, notified := w.counts("c"); return waiting == 1 && notified == 1 })
			b.Expect("deadline", "cond.waiter", "c", "own", "300ms")
			stopped.Resume()
			s.Expect("ok")
			w.waitOn("c", 0)
		})
	})
	t.Run("D6 what a dead one was given comes to another who waits", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			b, other := w.Actor(), w.Actor()
			victim := w.Actor()
			victim.Begin("cond.waiter", "c", "own").Blocked()
			victim.Stop()
			for {
				c := other.Begin("cond.waiter", "c", "own")
				w.waitOn("c", 2)
				b.Expect("ok", "cond.tell", "c", "own", "1")
				if waiting, notified := w.counts("c"); waiting == 2 && notified == 1 {
					victim.Kill()
					c.Expect("ok")
					return
				}
				c.Expect("ok") // it was its turn
			}
		})
	})
	t.Run("D6 a notifier that dies with the lock is told of", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			notifier, a := w.Actor(), w.Actor()
			a.Expect("ok", "cond.lock", "c", "own")
			c := a.Begin("cond.wait", "c", "own")
			c.Blocked()
			notifier.Expect("ok", "cond.lock", "c", "own")
			notifier.Expect("ok", "cond.notify", "c", "own", "1")
			notifier.Kill()
			c.Expect("owner died") // and held
			a.Expect("ok", "cond.repair", "c", "own")
			a.Expect("ok", "cond.unlock", "c", "own")
			a.Expect("ok", "cond.lock", "c", "own")
		})
	})
	t.Run("D6 so is one that dies with the lock and has notified nobody", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			holder, a, b := w.Actor(), w.Actor(), w.Actor()
			a.Expect("ok", "cond.lock", "c", "own")
			c := a.Begin("cond.wait", "c", "own")
			c.Blocked()
			holder.Expect("ok", "cond.lock", "c", "own")
			holder.Kill()
			c.Expect("owner died") // and held
			b.Expect("owner died", "cond.lock", "c", "own")
			a.Expect("ok", "cond.repair", "c", "own")
			c = a.Begin("cond.wait", "c", "own")
			b.Expect("ok", "cond.lock", "c", "own", "60s")
			b.Expect("ok", "cond.notify", "c", "own", "1")
			b.Expect("ok", "cond.unlock", "c", "own")
			c.Expect("ok")
		})
	})
}

// waitAndLose has a wait on c with a deadline, for as long as b needs to lock it
// meanwhile: a Wait that ends before that has the lock again.
func waitAndLose(a, b *actor.Actor) *actor.Call {
	for d := 50 * time.Millisecond; ; d *= 2 {
		c := a.Begin("cond.wait", "c", "own", d.String())
		if b.Do("cond.lock", "c", "own", d.String()) == "ok" {
			return c
		}
		c.Expect("deadline")
	}
}
