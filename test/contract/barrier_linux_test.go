package contract_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc/actor"
)

// meets opens the barrier "b" in each of n new actors.
func meets(w *world, n int, action ...string) []*actor.Actor {
	w.T.Helper()
	as := w.Actors(n)
	for _, a := range as {
		a.Expect("ok", "barrier.open", append([]string{"b", fmt.Sprint(n)}, action...)...)
	}
	return as
}

// come has actors wait at "b", and returns when all sleep there.
func come(as []*actor.Actor, timeout ...string) (calls []*actor.Call) {
	for _, a := range as {
		a.World.T.Helper()
		c := a.Begin("barrier.wait", append([]string{"b"}, timeout...)...)
		c.Blocked()
		calls = append(calls, c)
	}
	return calls
}

// expectAll expects an answer of each call.
func expectAll(calls []*actor.Call, want string) {
	for _, c := range calls {
		c.Actor.World.T.Helper()
		c.Expect(want)
	}
}

// pass has all of them pass "b", in this order.
func pass(as []*actor.Actor) {
	as[0].World.T.Helper()
	first := come(as[:len(as)-1])
	as[len(as)-1].Expect(fmt.Sprint(len(as)-1), "barrier.wait", "b")
	for i, c := range first {
		c.Expect(fmt.Sprint(i))
	}
	as[0].Expect(fmt.Sprintf("0/%d", len(as)), "barrier.state", "b")
}

func TestBarrier(t *testing.T) {
	t.Parallel()
	t.Run("B1 nobody passes before all have come, ten times over", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 3)
			for range 10 {
				waiting := come(as[:2])
				for _, c := range waiting {
					c.StillBlocked()
				}
				as[2].Expect("2", "barrier.wait", "b")
				for _, c := range waiting {
					c.Answer()
				}
				as[1].Expect("0/3", "barrier.state", "b")
			}
		})
	})
	t.Run("B2 each index once a round, in order of arrival", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 4)
			pass(as)
			slices.Reverse(as)
			pass(as)
			for range 5 { // all at once
				var calls []*actor.Call
				for _, a := range as {
					calls = append(calls, a.Begin("barrier.wait", "b"))
				}
				var got []string
				for _, c := range calls {
					got = append(got, c.Answer())
				}
				slices.Sort(got)
				if !slices.Equal(got, []string{"0", "1", "2", "3"}) {
					t.Errorf("they came as %v", got)
				}
			}
		})
	})
	t.Run("B3 the action runs once, before anybody passes", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 3, "ok")
			for round := range 5 {
				var calls []*actor.Call
				for _, a := range as {
					calls = append(calls, a.Begin("barrier.acts", "b"))
				}
				expectAll(calls, fmt.Sprint(round+1))
			}
		})
	})
	t.Run("B4 an action that fails, or panics, breaks the barrier", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.Actors(3)
			as[0].Expect("ok", "barrier.open", "b", "3", "ok")
			as[1].Expect("ok", "barrier.open", "b", "3", "fail")
			as[2].Expect("ok", "barrier.open", "b", "3", "panic")
			for i, want := range []string{"2", "action failed+broken", "panic"} {
				last, others := as[i], slices.Delete(slices.Clone(as), i, i+1)
				calls := come(others)
				last.Expect(want, "barrier.wait", "b")
				if i == 0 {
					calls[0].Expect("0")
					calls[1].Expect("1")
					continue
				}
				expectAll(calls, "broken")
				last.Expect("0/3 broken", "barrier.state", "b")
				last.Expect("ok", "barrier.reset", "b")
			}
		})
	})
	t.Run("B5 Abort fails all who wait and all who come", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 3)
			calls := come(as[:2])
			as[2].Expect("ok", "barrier.abort", "b")
			expectAll(calls, "broken")
			for _, a := range as {
				a.Expect("0/3 broken", "barrier.state", "b")
				a.Expect("broken", "barrier.wait", "b")
			}
			as[0].Expect("ok", "barrier.abort", "b")
			as[1].Expect("broken", "barrier.wait", "b")
		})
	})
	t.Run("B6 Reset fails exactly those who wait, then all pass", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 3)
			calls := come(as[:2])
			as[2].Expect("2/3", "barrier.state", "b")
			as[2].Expect("ok", "barrier.reset", "b")
			expectAll(calls, "broken")
			as[0].Expect("0/3", "barrier.state", "b")
			pass(as)
		})
	})
	t.Run("B7 Reset mends a broken barrier and leaves an idle one", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 3)
			as[0].Expect("ok", "barrier.reset", "b")
			pass(as)
			as[0].Expect("ok", "barrier.reset", "b")
			pass(as)
			as[1].Expect("ok", "barrier.abort", "b")
			as[2].Expect("ok", "barrier.reset", "b")
			pass(as)
		})
	})
	t.Run("B8 a timeout breaks it for all, the late one too", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 3)
			calls := come(as[:1])
			got, took := as[1].Timed("barrier.wait", "b", "100ms")
			if got != "broken+deadline" || took < 100*time.Millisecond {
				t.Errorf("a Wait of 100 ms = %s after %v", got, took)
			}
			expectAll(calls, "broken")
			as[2].Expect("broken", "barrier.wait", "b")
			as[2].Expect("ok", "barrier.reset", "b")
			calls = come(as[:2])
			calls[0].Cancel()
			calls[0].Expect("broken+canceled")
			calls[1].Expect("broken")
		})
	})
	t.Run("B9 a Wait without time breaks it at once", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 2)
			calls := come(as[:1])
			as[1].Expect("broken+deadline", "barrier.wait", "b", "0s")
			expectAll(calls, "broken")
			as[0].Expect("0/2 broken", "barrier.state", "b")
		})
	})
	t.Run("B10 one party never blocks", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 1)
			for range 5 {
				as[0].Expect("0", "barrier.wait", "b", "10s")
			}
			as[0].Expect("0/1", "barrier.state", "b")
		})
	})
	t.Run("B11 five stay in step for thousands of rounds", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			rounds := effort.Or(3000, 500)
			if w.Way == "unrelated" {
				rounds = effort.Or(15_000, 2000)
			}
			inStep(t, w, rounds)
		})
	})
	t.Run("B12 how many wait, of how many, and whether it is broken", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 3)
			looker := w.Actor()
			looker.Expect("ok", "barrier.open", "b", "0")
			looker.Expect("mismatch", "barrier.open", "b", "4")
			var calls []*actor.Call
			for n := range 3 {
				looker.Expect(fmt.Sprintf("%d/3", n), "barrier.state", "b")
				if n < 2 {
					calls = append(calls, come(as[n:n+1])...)
				}
			}
			as[2].Expect("2", "barrier.wait", "b")
			expectAll(calls[:1], "0")
			expectAll(calls[1:], "1")
			looker.Expect("0/3", "barrier.state", "b")
			looker.Expect("ok", "barrier.abort", "b")
			looker.Expect("0/3 broken", "barrier.state", "b")
		})
	})
	t.Run("B13 who comes again at once takes nobody's place", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.Actors(5)
			var calls []*actor.Call
			for _, a := range as {
				a.Expect("ok", "barrier.open", "b", "2")
			}
			rounds := effort.Or(1000, 200)
			for _, a := range as {
				calls = append(calls, a.Begin("barrier.tickets", "b", fmt.Sprint(2*rounds)))
			}
			expectAll(calls, "ok")
			as[0].Expect(fmt.Sprint([]int{rounds, rounds}), "barrier.came", "b", "2")
			as[0].Expect("0/2", "barrier.state", "b")
		})
	})
	t.Run("B14 no parties are invalid", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.Actor()
			for _, n := range []string{"0", "-1", "-1048577", "1048577"} {
				a.Expect("invalid", "barrier.open", "b", n)
			}
			a.Expect("ok", "barrier.open", "b", "1")
			a.Expect("invalid", "barrier.open", "b", "-1")
		})
	})
	t.Run("D8 a waiter is killed", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			as := meets(w, 3)
			come(as[:1])
			other := as[1].Begin("barrier.wait", "b")
			other.Blocked()
			as[0].Kill()
			other.Expect("broken")
			as[2].Expect("broken", "barrier.wait", "b")
			as[2].Expect("ok", "barrier.reset", "b")
			calls := come(as[1:])
			third := w.Actor()
			third.Expect("ok", "barrier.open", "b", "3")
			third.Expect("2", "barrier.wait", "b")
			calls[0].Expect("0")
			calls[1].Expect("1")
		})
	})
}

// inStep has five processes, or goroutines, meet so many times.
func inStep(t *testing.T, w *world, rounds int) {
	as := meets(w, 5)
	begin := time.Now()
	for from := 1; from <= rounds; from += 250 { // each within the harness's patience
		var calls []*actor.Call
		for me, a := range as {
			calls = append(calls, a.Begin("barrier.rounds", "b", fmt.Sprint(me), fmt.Sprint(from), fmt.Sprint(min(from+250, rounds+1))))
		}
		expectAll(calls, "ok")
		if t.Failed() {
			return
		}
	}
	as[0].Expect("0/5", "barrier.state", "b")
	t.Logf("%d rounds in %v", rounds, time.Since(begin).Round(time.Millisecond))
}
