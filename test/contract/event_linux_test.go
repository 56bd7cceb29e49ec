package contract_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/sync"
)

func (e *env) event(name string) *sync.Event {
	return e.handle(name, func() any { return opened(sync.OpenEvent(e.region, name)) }).(*sync.Event)
}

var _ = verb("event.set", func(e *env, args []string) string { return outcome(e.event(args[0]).Set()) })
var _ = verb("event.clear", func(e *env, args []string) string { return outcome(e.event(args[0]).Clear()) })
var _ = verb("event.isset", func(e *env, args []string) string { return fmt.Sprint(e.event(args[0]).IsSet()) })

var _ = verb("event.pulse", func(e *env, args []string) string { // set, and clear at once
	ev := e.event(args[0])
	if err := ev.Set(); err != nil {
		return outcome(err)
	}
	return outcome(ev.Clear())
})

var _ = verb("event.wait", func(e *env, args []string) string { // [timeout]
	ev := e.event(args[0])
	ctx, cancel := e.within(args, 1)
	defer cancel()
	return outcome(ev.Wait(ctx))
})

// Waits so many times, and each time adds one to the number "woken".
var _ = verb("event.waits", func(e *env, args []string) string { // times
	ev, woken := e.event(args[0]), e.number("woken")
	times, _ := strconv.Atoi(args[1])
	for range times {
		if err := ev.Wait(e.ctx); err != nil {
			return outcome(err)
		}
		atomics.Add(woken, 1)
	}
	return "ok"
})

var _ = verb("event.woken", func(e *env, args []string) string { return fmt.Sprint(e.number("woken").Load()) })

// asleepOn has actors wait for "e", and returns when all sleep.
func asleepOn(as []*actor, timeout ...string) (calls []*call) {
	for _, a := range as {
		a.w.t.Helper()
		c := a.begin("event.wait", append([]string{"e"}, timeout...)...)
		c.blocked()
		calls = append(calls, c)
	}
	return calls
}

func TestEvent(t *testing.T) {
	t.Run("E1 it begins unset, and Set and Clear twice are as once", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.actor(), w.actor()
			a.expect("false", "event.isset", "e")
			for _, x := range []*actor{a, b, b} {
				x.expect("ok", "event.set", "e")
				a.expect("true", "event.isset", "e")
				b.expect("true", "event.isset", "e")
			}
			for _, x := range []*actor{b, a, a} {
				x.expect("ok", "event.clear", "e")
				a.expect("false", "event.isset", "e")
				b.expect("false", "event.isset", "e")
			}
		})
	})
	t.Run("E2 Wait for one that is not set takes its time", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.actor()
			a.expect("deadline", "event.wait", "e", "0s")
			if got, took := a.timed("event.wait", "e", "100ms"); got != "deadline" || took < 100*time.Millisecond {
				t.Errorf("a Wait of 100 ms = %s after %v", got, took)
			}
			c := a.begin("event.wait", "e")
			c.blocked()
			c.cancel()
			c.expect("canceled")
			a.expect("false", "event.isset", "e")
		})
	})
	t.Run("E3 one that is set lets everybody through, again and again", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.actors(2)
			as[0].expect("ok", "event.set", "e")
			for range 3 {
				for _, a := range as {
					a.expect("ok", "event.wait", "e")
					a.expect("ok", "event.wait", "e", "60s")
				}
			}
			as[0].expect("true", "event.isset", "e")
		})
	})
	t.Run("E4 Set wakes all five, twice each, and again after Clear", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as, setter := w.actors(5), w.actor()
			for range 3 {
				calls := asleepOn(as)
				setter.expect("ok", "event.set", "e")
				expectAll(calls, "ok")
				for _, a := range as {
					a.expect("ok", "event.wait", "e")
				}
				setter.expect("ok", "event.clear", "e")
			}
		})
	})
	t.Run("E5 Clear at once after Set loses nobody", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as, setter := w.actors(4), w.actor()
			pulses := effort.Or(200, 50)
			for range pulses {
				calls := asleepOn(as)
				setter.expect("ok", "event.pulse", "e")
				expectAll(calls, "ok")
			}
			setter.expect("false", "event.isset", "e")
		})
	})
	t.Run("E6 Wait returns for a Set, or when its time is up", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			// Somebody waits with little time, again and again, while pulses come:
			// each Wait ends with its time up, or with a pulse.
			as, setter := w.actors(3), w.actor()
			const waits = 20
			var calls []*call
			for _, a := range as[:2] {
				calls = append(calls, a.begin("event.waits", "e", fmt.Sprint(waits)))
			}
			woken, late := 0, 0
			for !calls[0].done() || !calls[1].done() {
				c := as[2].begin("event.wait", "e", "2ms")
				setter.expect("ok", "event.pulse", "e")
				switch got, took := c.answer(), c.took(); {
				case got == "ok":
					woken++
				case got == "deadline" && took >= 2*time.Millisecond:
					late++
				default:
					t.Fatalf("a Wait of 2 ms = %s after %v", got, took)
				}
			}
			expectAll(calls, "ok")
			setter.expect(fmt.Sprint(2*waits), "event.woken", "e")
			t.Logf("of the timed ones %d woken, %d late", woken, late)
		})
	})
	t.Run("E7 a Set of another wakes", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.actors(2)
			for i := range as {
				c := as[i].begin("event.wait", "e", "60s")
				c.blocked()
				as[1-i].expect("ok", "event.set", "e")
				c.expect("ok")
				as[i].expect("ok", "event.clear", "e")
			}
		})
	})
	t.Run("E8 after Clear those who come wait", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as, setter := w.actors(3), w.actor()
			setter.expect("ok", "event.set", "e")
			as[0].expect("ok", "event.wait", "e")
			setter.expect("ok", "event.clear", "e")
			calls := asleepOn(as)
			setter.expect("ok", "event.clear", "e") // which is nothing to them
			for _, c := range calls {
				c.stillBlocked()
			}
			setter.expect("ok", "event.set", "e")
			expectAll(calls, "ok")
		})
	})
	for _, how := range []string{"killed", "stopped"} {
		t.Run("D7 a waiter is "+how, func(t *testing.T) {
			processes(t, func(t *testing.T, w *world) {
				as, setter := w.actors(3), w.actor()
				setter.expect("false", "event.isset", "e")
				calls := asleepOn(as)
				if how == "killed" {
					as[0].kill()
				} else {
					as[0].stop()
				}
				setter.expect("ok", "event.pulse", "e") // while a stopped one is stopped
				expectAll(calls[1:], "ok")
				if how == "stopped" {
					as[0].resume()
					calls[0].expect("ok") // the pulse was its own, too
				}
				calls = asleepOn(as[1:])
				setter.expect("ok", "event.set", "e")
				expectAll(calls, "ok")
			})
		})
	}
}
