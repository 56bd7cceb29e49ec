package contract_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// condWaiters has n actors wait, each once.
func condWaiters(w *world, n int, more ...string) (cs []*call) {
	w.t.Helper()
	before, _ := w.counts("c")
	for i := range n {
		cs = append(cs, w.actor().begin("cond.waiter", append([]string{"c", "own"}, more...)...))
		w.waitOn("c", before+i+1)
	}
	return cs
}

// answers waits until n of the calls that were not answered yet are.
func answers(w *world, cs []*call, n int) (left []*call) {
	w.t.Helper()
	w.until(fmt.Sprintf("%d are answered", n), func() bool {
		left = nil
		for _, c := range cs {
			if !c.done() {
				left = append(left, c)
			}
		}
		return len(left) <= len(cs)-n
	})
	for _, c := range cs {
		if c.done() {
			c.expect("ok")
		}
	}
	return left
}

func TestCondition(t *testing.T) {
	t.Run("C1 a lock of its own, a mutex, or a reentrant lock", func(t *testing.T) {
		for _, kind := range []string{"own", "mutex", "holder"} {
			t.Run(kind, func(t *testing.T) {
				ways(t, func(t *testing.T, w *world) {
					a, b := w.actor(), w.actor()
					a.expect("ok", "cond.lock", "c", kind)
					b.expect("deadline", "cond.lock", "c", kind, "20ms")
					c := a.begin("cond.wait", "c", kind)
					c.blocked()
					b.expect("ok", "cond.lock", "c", kind, "60s")
					b.expect("ok", "cond.notify", "c", kind, "1")
					b.expect("ok", "cond.unlock", "c", kind)
					c.expect("ok")
					b.expect("deadline", "cond.lock", "c", kind, "20ms")
					a.expect("ok", "cond.unlock", "c", kind)
					b.expect("ok", "cond.lock", "c", kind)
				})
			})
		}
	})
	t.Run("C2 misuse is an error and changes nothing", func(t *testing.T) {
		for _, kind := range []string{"own", "mutex", "holder"} {
			t.Run(kind, func(t *testing.T) {
				ways(t, func(t *testing.T, w *world) {
					a, b := w.actor(), w.actor()
					all := [][]string{{"cond.wait"}, {"cond.notify", "1"}, {"cond.notifyall"}}
					for _, v := range all {
						a.expect("not locked", v[0], append([]string{"c", kind}, v[1:]...)...)
					}
					b.expect("ok", "cond.lock", "c", kind)
					for _, v := range all {
						if kind != "holder" && !w.processes() {
							continue // such a lock is the process's, as far as Wait and Notify can tell
						}
						got := a.do(v[0], append([]string{"c", kind}, v[1:]...)...)
						if !strings.Contains(got, "not locked") || !strings.Contains(got, "not owner") {
							t.Errorf("%s while another has the lock = %s", v[0], got)
						}
					}
					b.expect("ok", "cond.unlock", "c", kind)
				})
			})
		}
	})
	t.Run("C3 a timed Wait, notified or not", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("deadline", "cond.waiter", "c", "own", "0s")
			if got, took := a.timed("cond.waiter", "c", "own", "100ms"); got != "deadline" || took < 100*time.Millisecond {
				t.Errorf("a Wait of 100 ms = %s after %v", got, took)
			}
			c := a.begin("cond.waiter", "c", "own", "60s")
			w.waitOn("c", 1)
			b.expect("ok", "cond.tell", "c", "own", "1")
			c.expect("ok")
		})
	})
	t.Run("C4 Wait gives up the lock to its full depth and takes it back", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			for range 3 {
				a.expect("ok", "cond.lock", "c", "own")
			}
			for _, end := range []string{"ok", "deadline", "canceled"} {
				d := "60s"
				if end == "deadline" {
					d = "50ms"
				}
				c := a.begin("cond.wait", "c", "own", d)
				b.expect("ok", "cond.lock", "c", "own", "60s")
				a.expect("0", "cond.depth", "c", "own")
				switch end {
				case "ok":
					b.expect("ok", "cond.notify", "c", "own", "1")
				case "canceled":
					c.cancel()
				}
				b.expect("ok", "cond.unlock", "c", "own")
				c.expect(end)
				a.expect("3", "cond.depth", "c", "own")
				b.expect("deadline", "cond.lock", "c", "own", "5ms")
			}
		})
	})
	t.Run("C5 one Notify wakes one, whoever it is, a second the other", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			cs := condWaiters(w, 2)
			for _, c := range cs {
				if c.done() {
					t.Error("one returns before anybody notifies")
				}
			}
			b := w.actor()
			b.expect("ok", "cond.tell", "c", "own", "1")
			left := answers(w, cs, 1)
			w.waitOn("c", 1)
			if len(left) != 1 {
				t.Fatalf("%d of 2 are left", len(left))
			}
			b.expect("ok", "cond.tell", "c", "own", "1")
			left[0].expect("ok")
		})
	})
	t.Run("C6 NotifyAll wakes all six", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			three, b := w.actor(), w.actor()
			cs := condWaiters(w, 3)
			for range 3 { // and three of one actor
				cs = append(cs, three.begin("cond.waiter", "c", "own"))
			}
			w.waitOn("c", 6)
			b.expect("ok", "cond.tell", "c", "own", "all")
			for _, c := range cs {
				c.expect("ok")
			}
			w.waitOn("c", 0)
		})
	})
	t.Run("C7 Notify wakes as many as it says, and is not remembered", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			b := w.actor()
			b.expect("ok", "cond.tell", "c", "own", "3")
			cs := condWaiters(w, 6)
			b.expect("ok", "cond.tell", "c", "own", "0")
			for _, n := range []int{2, 4} {
				b.expect("ok", "cond.tell", "c", "own", fmt.Sprint(n))
				was := len(cs)
				cs = answers(w, cs, n)
				w.waitOn("c", was-n)
				if len(cs) != was-n {
					t.Errorf("%d of %d have returned after Notify(%d)", was-len(cs), was, n)
				}
			}
			b.expect("ok", "cond.tell", "c", "own", "3")
			b.expect("deadline", "cond.waiter", "c", "own", "20ms")
			b.expect("ok", "cond.lock", "c", "own")
			if got := b.do("cond.notify", "c", "own", "-1"); !strings.Contains(got, "invalid") {
				t.Errorf("Notify(-1) = %s", got)
			}
		})
	})
	t.Run("C8 six time out, six new ones are all woken", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as, b := w.actors(3), w.actor()
			for range 20 { // a thousand are in package sync's own tests
				var cs []*call
				for _, d := range []string{"1ms", "2ms"} {
					for _, a := range as {
						cs = append(cs, a.begin("cond.waiter", "c", "own", d))
					}
				}
				for _, c := range cs {
					c.expect("deadline")
				}
				cs = nil
				for i := range 6 {
					cs = append(cs, as[i%3].begin("cond.waiter", "c", "own"))
				}
				w.waitOn("c", 6)
				b.expect("ok", "cond.tell", "c", "own", "all")
				for _, c := range cs {
					c.expect("ok")
				}
				w.waitOn("c", 0)
			}
		})
	})
	t.Run("C9 who comes late takes nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			cs := condWaiters(w, 1)
			b := w.actor()
			b.expect("ok", "cond.lock", "c", "own")
			b.expect("ok", "cond.notify", "c", "own", "1")
			b.expect("deadline", "cond.wait", "c", "own", "50ms") // before the other has the lock
			b.expect("ok", "cond.unlock", "c", "own")
			cs[0].expect("ok")
		})
	})
	t.Run("C10 nobody wakes for nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.actor()
			var cs []*call
			for range 5 {
				cs = append(cs, a.begin("cond.waiter", "c", "own", "700ms")) // longer than a sleep may last
			}
			for _, c := range cs {
				if c.expect("deadline"); c.took() < 700*time.Millisecond {
					t.Errorf("a Wait of 700 ms took %v", c.took())
				}
			}
		})
	})
	t.Run("C11 C13 WaitFor asks first, again when told, and at the end, with the lock", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("ok 1", "cond.waitfor", "c", "own", "0", "0s")
			a.expect("deadline 1", "cond.waitfor", "c", "own", "1", "0s")
			c := a.begin("cond.waitfor", "c", "own", "1")
			w.waitOn("c", 1)
			c.cancel()
			c.expect("canceled 2")
			c = a.begin("cond.waitfor", "c", "own", "2")
			for level := range 3 {
				w.waitOn("c", 1)
				b.expect("ok", "cond.raise", "c", "own", fmt.Sprint(level))
			}
			c.expect("ok 4")
		})
	})
	t.Run("C12 WaitFor's timeout is one for all", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			c := a.begin("cond.waitfor", "c", "own", "1", "200ms")
			for !c.done() {
				b.expect("ok", "cond.tell", "c", "own", "all")
			}
			if got := c.answer(); !strings.HasPrefix(got, "deadline ") || c.took() < 200*time.Millisecond {
				t.Errorf("WaitFor = %s after %v", got, c.took())
			}
		})
	})
	t.Run("C14 a cancelled Wait returns with the lock", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("ok", "cond.lock", "c", "own")
			c := a.begin("cond.wait", "c", "own")
			c.blocked()
			c.cancel()
			c.expect("canceled")
			b.expect("deadline", "cond.lock", "c", "own", "5ms")
			a.expect("ok", "cond.unlock", "c", "own")
		})
	})
	t.Run("C15 a notification that races with a timeout is neither lost nor doubled", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			for n := range 60 {
				timed := a.begin("cond.waiter", "c", "own", fmt.Sprintf("%dus", 500+20*n))
				patient := a.begin("cond.waiter", "c", "own", "60s")
				w.until("one waits for long", func() bool {
					timedOut := timed.done() // asked first, so that a single one who waits is the patient one
					waiting, _ := w.counts("c")
					return waiting == 2 || waiting == 1 && timedOut
				})
				b.expect("ok", "cond.tell", "c", "own", "1")
				if timed.answer() == "ok" {
					if patient.done() {
						t.Error("one Notify has woken two")
					}
					w.waitOn("c", 1)
					b.expect("ok", "cond.tell", "c", "own", "1")
				}
				patient.expect("ok")
			}
		})
	})
	t.Run("C16 D6 Notify waits for nobody, stopped or dead", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			stopped, killed, b := w.actor(), w.actor(), w.actor()
			s, k := stopped.begin("cond.waiter", "c", "own"), killed.begin("cond.waiter", "c", "own")
			s.blocked()
			k.blocked()
			stopped.stop()
			killed.kill()
			b.expect("ok", "cond.tell", "c", "own", "1") // while it is stopped
			b.expect("ok", "cond.tell", "c", "own", "all")
			// Only the stopped one is left, and it keeps what it was given.
			w.until("the dead one is gone", func() bool { waiting, notified := w.counts("c"); return waiting == 1 && notified == 1 })
			b.expect("deadline", "cond.waiter", "c", "own", "300ms")
			stopped.resume()
			s.expect("ok")
			w.waitOn("c", 0)
		})
	})
	t.Run("D6 what a dead one was given comes to another who waits", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			b, other := w.actor(), w.actor()
			victim := w.actor()
			victim.begin("cond.waiter", "c", "own").blocked()
			victim.stop()
			for {
				c := other.begin("cond.waiter", "c", "own")
				w.waitOn("c", 2)
				b.expect("ok", "cond.tell", "c", "own", "1")
				if waiting, notified := w.counts("c"); waiting == 2 && notified == 1 {
					victim.kill()
					c.expect("ok")
					return
				}
				c.expect("ok") // it was its turn
			}
		})
	})
	t.Run("D6 a notifier that dies with the lock is told of", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			notifier, a := w.actor(), w.actor()
			a.expect("ok", "cond.lock", "c", "own")
			c := a.begin("cond.wait", "c", "own")
			c.blocked()
			notifier.expect("ok", "cond.lock", "c", "own")
			notifier.expect("ok", "cond.notify", "c", "own", "1")
			notifier.kill()
			c.expect("owner died") // and held
			a.expect("ok", "cond.repair", "c", "own")
			a.expect("ok", "cond.unlock", "c", "own")
			a.expect("ok", "cond.lock", "c", "own")
		})
	})
	t.Run("D6 so is one that dies with the lock and has notified nobody", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			holder, a, b := w.actor(), w.actor(), w.actor()
			a.expect("ok", "cond.lock", "c", "own")
			c := a.begin("cond.wait", "c", "own")
			c.blocked()
			holder.expect("ok", "cond.lock", "c", "own")
			holder.kill()
			c.expect("owner died") // and held
			b.expect("owner died", "cond.lock", "c", "own")
			a.expect("ok", "cond.repair", "c", "own")
			c = a.begin("cond.wait", "c", "own")
			b.expect("ok", "cond.lock", "c", "own", "60s")
			b.expect("ok", "cond.notify", "c", "own", "1")
			b.expect("ok", "cond.unlock", "c", "own")
			c.expect("ok")
		})
	})
}
