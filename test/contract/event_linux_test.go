package contract_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/internal/testproc/actor/verbs"
)

// Waits so many times, and each time adds one to the number "woken".
var _ = actor.Verb("event.waits", func(e *actor.Env, args []string) string { // times
	ev, woken := verbs.Event(e, args[0]), verbs.Number(e, "woken")
	times, _ := strconv.Atoi(args[1])
	for range times {
		if err := ev.Wait(e.Ctx); err != nil {
			return actor.Outcome(err)
		}
		atomics.Add(woken, 1)
	}
	return "ok"
})

var _ = actor.Verb("event.woken", func(e *actor.Env, args []string) string { return fmt.Sprint(verbs.Number(e, "woken").Load()) })

// asleepOn has actors wait for "e", and returns when all sleep.
func asleepOn(as []*actor.Actor, timeout ...string) (calls []*actor.Call) {
	for _, a := range as {
		a.World.T.Helper()
		c := a.Begin("event.wait", append([]string{"e"}, timeout...)...)
		c.Blocked()
		calls = append(calls, c)
	}
	return calls
}

func TestEvent(t *testing.T) {
	t.Parallel()
	t.Run("E1 it begins unset, and Set and Clear twice are as once", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("false", "event.isset", "e")
			for _, x := range []*actor.Actor{a, b, b} {
				x.Expect("ok", "event.set", "e")
				a.Expect("true", "event.isset", "e")
				b.Expect("true", "event.isset", "e")
			}
			for _, x := range []*actor.Actor{b, a, a} {
				x.Expect("ok", "event.clear", "e")
				a.Expect("false", "event.isset", "e")
				b.Expect("false", "event.isset", "e")
			}
		})
	})
	t.Run("E2 Wait for one that is not set takes its time", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.Actor()
			a.Expect("deadline", "event.wait", "e", "0s")
			if got, took := a.Timed("event.wait", "e", "100ms"); got != "deadline" || took < 100*time.Millisecond {
				t.Errorf("a Wait of 100 ms = %s after %v", got, took)
			}
			c := a.Begin("event.wait", "e")
			c.Blocked()
			c.Cancel()
			c.Expect("canceled")
			a.Expect("false", "event.isset", "e")
		})
	})
	t.Run("E3 one that is set lets everybody through, again and again", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.Actors(2)
			as[0].Expect("ok", "event.set", "e")
			for range 3 {
				for _, a := range as {
					a.Expect("ok", "event.wait", "e")
					a.Expect("ok", "event.wait", "e", "60s")
				}
			}
			as[0].Expect("true", "event.isset", "e")
		})
	})
	t.Run("E4 Set wakes all five, twice each, and again after Clear", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as, setter := w.Actors(5), w.Actor()
			for range 3 {
				calls := asleepOn(as)
				setter.Expect("ok", "event.set", "e")
				expectAll(calls, "ok")
				for _, a := range as {
					a.Expect("ok", "event.wait", "e")
				}
				setter.Expect("ok", "event.clear", "e")
			}
		})
	})
	t.Run("E5 Clear at once after Set loses nobody", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as, setter := w.Actors(4), w.Actor()
			pulses := effort.Or(200, 50)
			for range pulses {
				calls := asleepOn(as)
				setter.Expect("ok", "event.pulse", "e")
				expectAll(calls, "ok")
			}
			setter.Expect("false", "event.isset", "e")
		})
	})
	t.Run("E6 Wait returns for a Set, or when its time is up", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			// Somebody waits with little time, again and again, while pulses come:
			// each Wait ends with its time up, or with a pulse.
			as, setter := w.Actors(3), w.Actor()
			const waits = 20
			var calls []*actor.Call
			for _, a := range as[:2] {
				calls = append(calls, a.Begin("event.waits", "e", fmt.Sprint(waits)))
			}
			woken, late := 0, 0
			for !calls[0].Done() || !calls[1].Done() {
				c := as[2].Begin("event.wait", "e", "2ms")
				setter.Expect("ok", "event.pulse", "e")
				switch got, took := c.Answer(), c.Took(); {
				case got == "ok":
					woken++
				case got == "deadline" && took >= 2*time.Millisecond:
					late++
				default:
					t.Fatalf("a Wait of 2 ms = %s after %v", got, took)
				}
			}
			expectAll(calls, "ok")
			setter.Expect(fmt.Sprint(2*waits), "event.woken", "e")
			t.Logf("of the timed ones %d woken, %d late", woken, late)
		})
	})
	t.Run("E7 a Set of another wakes", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.Actors(2)
			for i := range as {
				c := as[i].Begin("event.wait", "e", "60s")
				c.Blocked()
				as[1-i].Expect("ok", "event.set", "e")
				c.Expect("ok")
				as[i].Expect("ok", "event.clear", "e")
			}
		})
	})
	t.Run("E8 after Clear those who come wait", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as, setter := w.Actors(3), w.Actor()
			setter.Expect("ok", "event.set", "e")
			as[0].Expect("ok", "event.wait", "e")
			setter.Expect("ok", "event.clear", "e")
			calls := asleepOn(as)
			setter.Expect("ok", "event.clear", "e") // which is nothing to them
			for _, c := range calls {
				c.StillBlocked()
			}
			setter.Expect("ok", "event.set", "e")
			expectAll(calls, "ok")
		})
	})
	for _, how := range []string{"killed", "stopped"} {
		t.Run("D7 a waiter is "+how, func(t *testing.T) {
			processes(t, func(t *testing.T, w *world) {
				as, setter := w.Actors(3), w.Actor()
				setter.Expect("false", "event.isset", "e")
				calls := asleepOn(as)
				if how == "killed" {
					as[0].Kill()
				} else {
					as[0].Stop()
				}
				setter.Expect("ok", "event.pulse", "e") // while a stopped one is stopped
				expectAll(calls[1:], "ok")
				if how == "stopped" {
					as[0].Resume()
					calls[0].Expect("ok") // the pulse was its own, too
				}
				calls = asleepOn(as[1:])
				setter.Expect("ok", "event.set", "e")
				expectAll(calls, "ok")
			})
		})
	}
}
