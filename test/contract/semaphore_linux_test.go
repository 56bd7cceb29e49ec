package contract_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

var _ = sentinel("over release", sync.ErrOverRelease)

// refusal is outcome, of what may be refused for its arguments.
func refusal(err error) string {
	switch {
	case errors.Is(err, fs.ErrInvalid):
		return "invalid"
	case errors.Is(err, shm.ErrMismatch):
		return "mismatch"
	}
	return outcome(err)
}

// permits are what semaphores of both kinds can do.
type permits interface {
	Acquire(context.Context) error
	TryAcquire() (bool, error)
	Release(int) error
	Value() int
}

// permits is the actor's semaphore of a name, which is there. It is a bounded
// one if its name begins with "bounded".
func (e *env) permits(name string) permits {
	return e.handle(name, func() any {
		if strings.HasPrefix(name, "bounded") {
			return opened(sync.OpenBoundedSemaphore(e.region, name, -1))
		}
		return opened(sync.OpenSemaphore(e.region, name, -1))
	}).(permits)
}

var _ = verb("semaphore.open", func(e *env, args []string) string { // initial
	initial, err := strconv.Atoi(args[1])
	if err != nil {
		return err.Error()
	}
	if strings.HasPrefix(args[0], "bounded") {
		_, err = sync.OpenBoundedSemaphore(e.region, args[0], initial)
	} else {
		_, err = sync.OpenSemaphore(e.region, args[0], initial)
	}
	return refusal(err)
})

var _ = verb("semaphore.acquire", func(e *env, args []string) string { // [timeout]
	ctx, cancel := e.within(args, 1)
	defer cancel()
	return outcome(e.permits(args[0]).Acquire(ctx))
})

var _ = verb("semaphore.try", func(e *env, args []string) string { // "true", or "false", or an error
	ok, err := e.permits(args[0]).TryAcquire()
	if err != nil {
		return outcome(err)
	}
	return fmt.Sprint(ok)
})

var _ = verb("semaphore.release", func(e *env, args []string) string { // n
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err.Error()
	}
	return refusal(e.permits(args[0]).Release(n))
})

var _ = verb("semaphore.value", func(e *env, args []string) string {
	return fmt.Sprint(e.permits(args[0]).Value())
})

// both runs a row by a plain and by a bounded semaphore.
func both(t *testing.T, body func(t *testing.T, w *world, s string)) {
	for _, s := range []string{"plain", "bounded"} {
		t.Run(s, func(t *testing.T) {
			ways(t, func(t *testing.T, w *world) { body(t, w, s) })
		})
	}
}

func TestSemaphore(t *testing.T) {
	t.Run("S1 S2 S11 the count of all", func(t *testing.T) {
		both(t, func(t *testing.T, w *world, s string) {
			a, b := w.actor(), w.actor()
			a.expect("ok", "semaphore.open", s, "2")
			b.expect("ok", "semaphore.open", s, "7") // of no meaning: it is there
			b.expect("2", "semaphore.value", s)
			a.expect("ok", "semaphore.acquire", s)
			b.expect("1", "semaphore.value", s)
			b.expect("ok", "semaphore.acquire", s)
			a.expect("0", "semaphore.value", s)
			a.expect("false", "semaphore.try", s)
			b.expect("false", "semaphore.try", s)
			a.expect("0", "semaphore.value", s)
			a.expect("ok", "semaphore.release", s, "1")
			b.expect("1", "semaphore.value", s)
			b.expect("ok", "semaphore.release", s, "1")
			a.expect("2", "semaphore.value", s)
			a.expect("true", "semaphore.try", s)
		})
	})
	t.Run("S3 a plain one rises above its first value", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("ok", "semaphore.open", "plain", "2")
			b.expect("ok", "semaphore.release", "plain", "1")
			a.expect("3", "semaphore.value", "plain")
			a.expect("ok", "semaphore.release", "plain", "1")
			b.expect("4", "semaphore.value", "plain")
		})
	})
	t.Run("S4 of none, attempts fail at once and timed ones in time", func(t *testing.T) {
		both(t, func(t *testing.T, w *world, s string) {
			a, b := w.actor(), w.actor()
			a.expect("ok", "semaphore.open", s, "0")
			a.expect("false", "semaphore.try", s)
			b.expect("false", "semaphore.try", s)
			const d = 120 * time.Millisecond
			for _, x := range []*actor{a, b} {
				if got, took := x.timed("semaphore.acquire", s, d.String()); got != "deadline" || took < d {
					t.Errorf("Acquire of none = %q after %v, want the deadline of %v", got, took, d)
				}
			}
			b.expect("0", "semaphore.value", s)
		})
	})
	t.Run("S5 of 4 permits, one taken, ten attempts get three", func(t *testing.T) {
		both(t, func(t *testing.T, w *world, s string) {
			as := w.actors(5)
			as[0].expect("ok", "semaphore.open", s, "4")
			as[0].expect("ok", "semaphore.acquire", s)
			var cs []*call
			for range 2 {
				for _, a := range as {
					cs = append(cs, a.begin("semaphore.try", s))
				}
			}
			got := map[string]int{}
			for _, c := range cs {
				got[c.answer()]++
			}
			if got["true"] != 3 || got["false"] != 7 {
				t.Errorf("attempts: %v, want 3 true and 7 false", got)
			}
			as[1].expect("0", "semaphore.value", s)
		})
	})
	t.Run("S6 of ten acquirers as many pass as are released", func(t *testing.T) {
		both(t, func(t *testing.T, w *world, s string) {
			as, giver := w.actors(5), w.actor()
			giver.expect("ok", "semaphore.open", s, "7")
			var waiting []*call
			for range 2 {
				for _, a := range as {
					waiting = append(waiting, a.begin("semaphore.acquire", s))
				}
			}
			// passed waits until so many calls have passed and the others sleep.
			passed := func(n int) {
				t.Helper()
				var left []*call
				w.until(fmt.Sprintf("%d pass", n), func() bool {
					left = left[:0]
					for _, c := range waiting {
						if !c.done() {
							left = append(left, c)
						}
					}
					return len(left) <= len(waiting)-n
				})
				if len(left) != len(waiting)-n {
					t.Fatalf("%d of %d pass, want %d", len(waiting)-len(left), len(waiting), n)
				}
				for _, c := range waiting {
					if c.done() {
						c.expect("ok")
					} else {
						c.blocked()
					}
				}
				waiting = left
				giver.expect("0", "semaphore.value", s)
			}
			passed(7)
			giver.expect("ok", "semaphore.release", s, "1")
			passed(1)
			giver.expect("ok", "semaphore.release", s, "2")
			passed(2)
			giver.expect("false", "semaphore.try", s)
			giver.expect("ok", "semaphore.release", s, "7")
			giver.expect("7", "semaphore.value", s)
		})
	})
	t.Run("S7 a bounded one does not rise above its first value", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("ok", "semaphore.open", "bounded", "2")
			b.expect("over release", "semaphore.release", "bounded", "1")
			a.expect("2", "semaphore.value", "bounded")
			a.expect("ok", "semaphore.acquire", "bounded")
			b.expect("ok", "semaphore.release", "bounded", "1") // by another
			a.expect("over release", "semaphore.release", "bounded", "1")
			a.expect("2", "semaphore.value", "bounded")
			a.expect("ok", "semaphore.open", "bounded0", "0")
			b.expect("over release", "semaphore.release", "bounded0", "1")
			a.expect("0", "semaphore.value", "bounded0")
		})
	})
	t.Run("S8 of racing releases with one slot one succeeds", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.actors(5)
			as[0].expect("ok", "semaphore.open", "bounded", "3")
			for range 50 {
				as[0].expect("ok", "semaphore.acquire", "bounded")
				var cs []*call
				for _, a := range as {
					cs = append(cs, a.begin("semaphore.release", "bounded", "1"))
				}
				got := map[string]int{}
				for _, c := range cs {
					got[c.answer()]++
				}
				if got["ok"] != 1 || got["over release"] != 4 {
					t.Fatalf("releases: %v, want one of five to succeed", got)
				}
				as[1].expect("3", "semaphore.value", "bounded")
			}
		})
	})
	t.Run("S9 impossible counts", func(t *testing.T) {
		both(t, func(t *testing.T, w *world, s string) {
			const most = 16_777_215
			a, b := w.actor(), w.actor()
			a.expect("invalid", "semaphore.open", s, "-2")
			a.expect("invalid", "semaphore.open", s, fmt.Sprint(most+1))
			if got := a.do("semaphore.open", s, "-1"); got == "ok" {
				t.Error("-1 makes a semaphore")
			}
			a.expect("ok", "semaphore.open", s, fmt.Sprint(most))
			a.expect("invalid", "semaphore.open", s, fmt.Sprint(most+1))
			b.expect("over release", "semaphore.release", s, "1")
			b.expect(fmt.Sprint(most), "semaphore.value", s)
			b.expect("true", "semaphore.try", s)
			b.expect("over release", "semaphore.release", s, "2")
			b.expect("ok", "semaphore.release", s, "1")
			b.expect(fmt.Sprint(most), "semaphore.value", s)
		})
	})
	t.Run("S10 several at once, all or nothing", func(t *testing.T) {
		both(t, func(t *testing.T, w *world, s string) {
			as, giver := w.actors(3), w.actor()
			giver.expect("ok", "semaphore.open", s, "3")
			for range 3 {
				giver.expect("true", "semaphore.try", s)
			}
			var cs []*call
			for _, a := range as {
				c := a.begin("semaphore.acquire", s)
				c.blocked()
				cs = append(cs, c)
			}
			for _, n := range []string{"0", "-1"} {
				giver.expect("invalid", "semaphore.release", s, n)
			}
			if s == "bounded" {
				giver.expect("over release", "semaphore.release", s, "4")
			}
			giver.expect("0", "semaphore.value", s)
			for _, c := range cs {
				c.stillBlocked()
			}
			giver.expect("ok", "semaphore.release", s, "3")
			for _, c := range cs {
				c.expect("ok")
			}
			giver.expect("0", "semaphore.value", s)
		})
	})
}

func TestSemaphoreDeaths(t *testing.T) {
	t.Run("D1 a holder's permits come back to the next, whoever waits", func(t *testing.T) {
		for _, s := range []string{"plain", "bounded"} {
			t.Run(s, func(t *testing.T) {
				processes(t, func(t *testing.T, w *world) {
					holder, waiter, a, b := w.actor(), w.actor(), w.actor(), w.actor()
					a.expect("ok", "semaphore.open", s, "3")
					holder.expect("ok", "semaphore.acquire", s)
					holder.expect("ok", "semaphore.acquire", s)
					b.expect("ok", "semaphore.acquire", s)
					cs := []*call{waiter.begin("semaphore.acquire", s), a.begin("semaphore.acquire", s), b.begin("semaphore.acquire", s)}
					for _, c := range cs {
						c.blocked()
					}
					waiter.kill() // takes nothing with it
					holder.kill()
					cs[1].expect("ok")
					cs[2].expect("ok")
					a.expect("false", "semaphore.try", s)
					a.expect("ok", "semaphore.release", s, "1")
					b.expect("ok", "semaphore.release", s, "2")
					a.expect("3", "semaphore.value", s)
				})
			})
		}
	})
	t.Run("D1 signals that the dead one consumed stay consumed", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			dead, a := w.actor(), w.actor()
			a.expect("ok", "semaphore.open", "plain", "0")
			a.expect("ok", "semaphore.release", "plain", "5")
			for range 3 {
				dead.expect("ok", "semaphore.acquire", "plain")
			}
			there := len(w.region.Participants())
			dead.kill()
			w.until("the dead one is recovered", func() bool { return len(w.region.Participants()) < there })
			a.expect("2", "semaphore.value", "plain")
		})
	})
	t.Run("D1 a stopped holder keeps its permits", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			holder, a := w.actor(), w.actor()
			a.expect("ok", "semaphore.open", "bounded", "1")
			holder.expect("ok", "semaphore.acquire", "bounded")
			holder.stop()
			a.expect("deadline", "semaphore.acquire", "bounded", "3s")
			holder.resume()
			holder.expect("ok", "semaphore.release", "bounded", "1")
			a.expect("ok", "semaphore.acquire", "bounded")
		})
	})
}
