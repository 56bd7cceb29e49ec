package contract_test

import (
	"fmt"
	"testing"
	"time"

	"example.com/tandem/internal/testproc/actor"
)

// both runs a row by a plain and by a bounded semaphore.
func both(t *testing.T, body func(t *testing.T, w *world, s string)) {
	for _, s := range []string{"plain", "bounded"} {
		t.Run(s, func(t *testing.T) {
			ways(t, func(t *testing.T, w *world) { body(t, w, s) })
		})
	}
}

func TestSemaphore(t *testing.T) {
	t.Parallel()
	t.Run("S1 S2 S11 the count of all", func(t *testing.T) {
		both(t, func(t *testing.T, w *world, s string) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "semaphore.open", s, "2")
			b.Expect("ok", "semaphore.open", s, "7") // of no meaning: it is there
			b.Expect("2", "semaphore.value", s)
			a.Expect("ok", "semaphore.acquire", s)
			b.Expect("1", "semaphore.value", s)
			b.Expect("ok", "semaphore.acquire", s)
			a.Expect("0", "semaphore.value", s)
			a.Expect("false", "semaphore.try", s)
			b.Expect("false", "semaphore.try", s)
			a.Expect("0", "semaphore.value", s)
			a.Expect("ok", "semaphore.release", s, "1")
			b.Expect("1", "semaphore.value", s)
			b.Expect("ok", "semaphore.release", s, "1")
			a.Expect("2", "semaphore.value", s)
			a.Expect("true", "semaphore.try", s)
		})
	})
	t.Run("S3 a plain one rises above its first value", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "semaphore.open", "plain", "2")
			b.Expect("ok", "semaphore.release", "plain", "1")
			a.Expect("3", "semaphore.value", "plain")
			a.Expect("ok", "semaphore.release", "plain", "1")
			b.Expect("4", "semaphore.value", "plain")
		})
	})
	t.Run("S4 of none, attempts fail at once and timed ones in time", func(t *testing.T) {
		both(t, func(t *testing.T, w *world, s string) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "semaphore.open", s, "0")
			a.Expect("false", "semaphore.try", s)
			b.Expect("false", "semaphore.try", s)
			const d = 120 * time.Millisecond
			for _, x := range []*actor.Actor{a, b} {
				if got, took := x.Timed("semaphore.acquire", s, d.String()); got != "deadline" || took < d {
					t.Errorf("Acquire of none = %q after %v, want the deadline of %v", got, took, d)
				}
			}
			b.Expect("0", "semaphore.value", s)
		})
	})
	t.Run("S5 of 4 permits, one taken, ten attempts get three", func(t *testing.T) {
		both(t, func(t *testing.T, w *world, s string) {
			as := w.Actors(5)
			as[0].Expect("ok", "semaphore.open", s, "4")
			as[0].Expect("ok", "semaphore.acquire", s)
			var cs []*actor.Call
			for range 2 {
				for _, a := range as {
					cs = append(cs, a.Begin("semaphore.try", s))
				}
			}
			got := map[string]int{}
			for _, c := range cs {
				got[c.Answer()]++
			}
			if got["true"] != 3 || got["false"] != 7 {
				t.Errorf("attempts: %v, want 3 true and 7 false", got)
			}
			as[1].Expect("0", "semaphore.value", s)
		})
	})
	t.Run("S6 of ten acquirers as many pass as are released", func(t *testing.T) {
		both(t, func(t *testing.T, w *world, s string) {
			as, giver := w.Actors(5), w.Actor()
			giver.Expect("ok", "semaphore.open", s, "7")
			var waiting []*actor.Call
			for range 2 {
				for _, a := range as {
					waiting = append(waiting, a.Begin("semaphore.acquire", s))
				}
			}
			// passed waits until so many calls have passed and the others sleep.
			passed := func(n int) {
				t.Helper()
				var left []*actor.Call
				w.Until(fmt.Sprintf("%d pass", n), func() bool {
					left = left[:0]
					for _, c := range waiting {
						if !c.Done() {
							left = append(left, c)
						}
					}
					return len(left) <= len(waiting)-n
				})
				if len(left) != len(waiting)-n {
					t.Fatalf("%d of %d pass, want %d", len(waiting)-len(left), len(waiting), n)
				}
				for _, c := range waiting {
					if c.Done() {
						c.Expect("ok")
					} else {
						c.Blocked()
					}
				}
				waiting = left
				giver.Expect("0", "semaphore.value", s)
			}
			passed(7)
			giver.Expect("ok", "semaphore.release", s, "1")
			passed(1)
			giver.Expect("ok", "semaphore.release", s, "2")
			passed(2)
			giver.Expect("false", "semaphore.try", s)
			giver.Expect("ok", "semaphore.release", s, "7")
			giver.Expect("7", "semaphore.value", s)
		})
	})
	t.Run("S7 a bounded one does not rise above its first value", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "semaphore.open", "bounded", "2")
			b.Expect("over release", "semaphore.release", "bounded", "1")
			a.Expect("2", "semaphore.value", "bounded")
			a.Expect("ok", "semaphore.acquire", "bounded")
			b.Expect("ok", "semaphore.release", "bounded", "1") // by another
			a.Expect("over release", "semaphore.release", "bounded", "1")
			a.Expect("2", "semaphore.value", "bounded")
			a.Expect("ok", "semaphore.open", "bounded0", "0")
			b.Expect("over release", "semaphore.release", "bounded0", "1")
			a.Expect("0", "semaphore.value", "bounded0")
		})
	})
	t.Run("S8 of racing releases with one slot one succeeds", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.Actors(5)
			as[0].Expect("ok", "semaphore.open", "bounded", "3")
			for range 50 {
				as[0].Expect("ok", "semaphore.acquire", "bounded")
				var cs []*actor.Call
				for _, a := range as {
					cs = append(cs, a.Begin("semaphore.release", "bounded", "1"))
				}
				got := map[string]int{}
				for _, c := range cs {
					got[c.Answer()]++
				}
				if got["ok"] != 1 || got["over release"] != 4 {
					t.Fatalf("releases: %v, want one of five to succeed", got)
				}
				as[1].Expect("3", "semaphore.value", "bounded")
			}
		})
	})
	t.Run("S9 impossible counts", func(t *testing.T) {
		both(t, func(t *testing.T, w *world, s string) {
			const most = 16_777_215
			a, b := w.Actor(), w.Actor()
			a.Expect("invalid", "semaphore.open", s, "-2")
			a.Expect("invalid", "semaphore.open", s, fmt.Sprint(most+1))
			if got := a.Do("semaphore.open", s, "-1"); got == "ok" {
				t.Error("-1 makes a semaphore")
			}
			a.Expect("ok", "semaphore.open", s, fmt.Sprint(most))
			a.Expect("invalid", "semaphore.open", s, fmt.Sprint(most+1))
			b.Expect("over release", "semaphore.release", s, "1")
			b.Expect(fmt.Sprint(most), "semaphore.value", s)
			b.Expect("true", "semaphore.try", s)
			b.Expect("over release", "semaphore.release", s, "2")
			b.Expect("ok", "semaphore.release", s, "1")
			b.Expect(fmt.Sprint(most), "semaphore.value", s)
		})
	})
	t.Run("S10 several at once, all or nothing", func(t *testing.T) {
		both(t, func(t *testing.T, w *world, s string) {
			as, giver := w.Actors(3), w.Actor()
			giver.Expect("ok", "semaphore.open", s, "3")
			for range 3 {
				giver.Expect("true", "semaphore.try", s)
			}
			var cs []*actor.Call
			for _, a := range as {
				c := a.Begin("semaphore.acquire", s)
				c.Blocked()
				cs = append(cs, c)
			}
			for _, n := range []string{"0", "-1"} {
				giver.Expect("invalid", "semaphore.release", s, n)
			}
			if s == "bounded" {
				giver.Expect("over release", "semaphore.release", s, "4")
			}
			giver.Expect("0", "semaphore.value", s)
			for _, c := range cs {
				c.StillBlocked()
			}
			giver.Expect("ok", "semaphore.release", s, "3")
			for _, c := range cs {
				c.Expect("ok")
			}
			giver.Expect("0", "semaphore.value", s)
		})
	})
}

func TestSemaphoreDeaths(t *testing.T) {
	t.Parallel()
	t.Run("D1 a holder's permits come back to the next, whoever waits", func(t *testing.T) {
		for _, s := range []string{"plain", "bounded"} {
			t.Run(s, func(t *testing.T) {
				processes(t, func(t *testing.T, w *world) {
					holder, waiter, a, b := w.Actor(), w.Actor(), w.Actor(), w.Actor()
					a.Expect("ok", "semaphore.open", s, "3")
					holder.Expect("ok", "semaphore.acquire", s)
					holder.Expect("ok", "semaphore.acquire", s)
					b.Expect("ok", "semaphore.acquire", s)
					cs := []*actor.Call{waiter.Begin("semaphore.acquire", s), a.Begin("semaphore.acquire", s), b.Begin("semaphore.acquire", s)}
					for _, c := range cs {
						c.Blocked()
					}
					waiter.Kill() // takes nothing with it
					holder.Kill()
					cs[1].Expect("ok")
					cs[2].Expect("ok")
					a.Expect("false", "semaphore.try", s)
					a.Expect("ok", "semaphore.release", s, "1")
					b.Expect("ok", "semaphore.release", s, "2")
					a.Expect("3", "semaphore.value", s)
				})
			})
		}
	})
	t.Run("D1 signals that the dead one consumed stay consumed", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			dead, a := w.Actor(), w.Actor()
			a.Expect("ok", "semaphore.open", "plain", "0")
			a.Expect("ok", "semaphore.release", "plain", "5")
			for range 3 {
				dead.Expect("ok", "semaphore.acquire", "plain")
			}
			there := len(w.Region.Participants())
			dead.Kill()
			w.Until("the dead one is recovered", func() bool { return len(w.Region.Participants()) < there })
			a.Expect("2", "semaphore.value", "plain")
		})
	})
	t.Run("D1 a stopped holder keeps its permits", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			holder, a := w.Actor(), w.Actor()
			a.Expect("ok", "semaphore.open", "bounded", "1")
			holder.Expect("ok", "semaphore.acquire", "bounded")
			holder.Stop()
			a.Expect("deadline", "semaphore.acquire", "bounded", "3s")
			holder.Resume()
			holder.Expect("ok", "semaphore.release", "bounded", "1")
			a.Expect("ok", "semaphore.acquire", "bounded")
		})
	})
}
