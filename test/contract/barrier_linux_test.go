package contract_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
)

// meets opens the barrier "b" in each of n new actors.
func meets(w *world, n int, action ...string) []*actor {
	w.t.Helper()
	as := w.actors(n)
	for _, a := range as {
		a.expect("ok", "barrier.open", append([]string{"b", fmt.Sprint(n)}, action...)...)
	}
	return as
}

// come has actors wait at "b", and returns when all sleep there.
func come(as []*actor, timeout ...string) (calls []*call) {
	for _, a := range as {
		a.w.t.Helper()
		c := a.begin("barrier.wait", append([]string{"b"}, timeout...)...)
		c.blocked()
		calls = append(calls, c)
	}
	return calls
}

// expectAll expects an answer of each call.
func expectAll(calls []*call, want string) {
	for _, c := range calls {
		c.a.w.t.Helper()
		c.expect(want)
	}
}

// pass has all of them pass "b", in this order.
func pass(as []*actor) {
	as[0].w.t.Helper()
	first := come(as[:len(as)-1])
	as[len(as)-1].expect(fmt.Sprint(len(as)-1), "barrier.wait", "b")
	for i, c := range first {
		c.expect(fmt.Sprint(i))
	}
	as[0].expect(fmt.Sprintf("0/%d", len(as)), "barrier.state", "b")
}

func TestBarrier(t *testing.T) {
	t.Run("B1 nobody passes before all have come, ten times over", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 3)
			for range 10 {
				waiting := come(as[:2])
				for _, c := range waiting {
					c.stillBlocked()
				}
				as[2].expect("2", "barrier.wait", "b")
				for _, c := range waiting {
					c.answer()
				}
				as[1].expect("0/3", "barrier.state", "b")
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
				var calls []*call
				for _, a := range as {
					calls = append(calls, a.begin("barrier.wait", "b"))
				}
				var got []string
				for _, c := range calls {
					got = append(got, c.answer())
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
				var calls []*call
				for _, a := range as {
					calls = append(calls, a.begin("barrier.acts", "b"))
				}
				expectAll(calls, fmt.Sprint(round+1))
			}
		})
	})
	t.Run("B4 an action that fails, or panics, breaks the barrier", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.actors(3)
			as[0].expect("ok", "barrier.open", "b", "3", "ok")
			as[1].expect("ok", "barrier.open", "b", "3", "fail")
			as[2].expect("ok", "barrier.open", "b", "3", "panic")
			for i, want := range []string{"2", "action failed+broken", "panic"} {
				last, others := as[i], slices.Delete(slices.Clone(as), i, i+1)
				calls := come(others)
				last.expect(want, "barrier.wait", "b")
				if i == 0 {
					calls[0].expect("0")
					calls[1].expect("1")
					continue
				}
				expectAll(calls, "broken")
				last.expect("0/3 broken", "barrier.state", "b")
				last.expect("ok", "barrier.reset", "b")
			}
		})
	})
	t.Run("B5 Abort fails all who wait and all who come", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 3)
			calls := come(as[:2])
			as[2].expect("ok", "barrier.abort", "b")
			expectAll(calls, "broken")
			for _, a := range as {
				a.expect("0/3 broken", "barrier.state", "b")
				a.expect("broken", "barrier.wait", "b")
			}
			as[0].expect("ok", "barrier.abort", "b")
			as[1].expect("broken", "barrier.wait", "b")
		})
	})
	t.Run("B6 Reset fails exactly those who wait, then all pass", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 3)
			calls := come(as[:2])
			as[2].expect("2/3", "barrier.state", "b")
			as[2].expect("ok", "barrier.reset", "b")
			expectAll(calls, "broken")
			as[0].expect("0/3", "barrier.state", "b")
			pass(as)
		})
	})
	t.Run("B7 Reset mends a broken barrier and leaves an idle one", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 3)
			as[0].expect("ok", "barrier.reset", "b")
			pass(as)
			as[0].expect("ok", "barrier.reset", "b")
			pass(as)
			as[1].expect("ok", "barrier.abort", "b")
			as[2].expect("ok", "barrier.reset", "b")
			pass(as)
		})
	})
	t.Run("B8 a timeout breaks it for all, the late one too", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 3)
			calls := come(as[:1])
			got, took := as[1].timed("barrier.wait", "b", "100ms")
			if got != "broken+deadline" || took < 100*time.Millisecond {
				t.Errorf("a Wait of 100 ms = %s after %v", got, took)
			}
			expectAll(calls, "broken")
			as[2].expect("broken", "barrier.wait", "b")
			as[2].expect("ok", "barrier.reset", "b")
			calls = come(as[:2])
			calls[0].cancel()
			calls[0].expect("broken+canceled")
			calls[1].expect("broken")
		})
	})
	t.Run("B9 a Wait without time breaks it at once", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 2)
			calls := come(as[:1])
			as[1].expect("broken+deadline", "barrier.wait", "b", "0s")
			expectAll(calls, "broken")
			as[0].expect("0/2 broken", "barrier.state", "b")
		})
	})
	t.Run("B10 one party never blocks", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 1)
			for range 5 {
				as[0].expect("0", "barrier.wait", "b", "10s")
			}
			as[0].expect("0/1", "barrier.state", "b")
		})
	})
	t.Run("B11 five stay in step for thousands of rounds", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			rounds := effort.Or(5000, 500)
			if w.way == "unrelated" {
				rounds = effort.Or(100_000, 2000)
			}
			inStep(t, w, rounds)
		})
	})
	t.Run("B12 how many wait, of how many, and whether it is broken", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := meets(w, 3)
			looker := w.actor()
			looker.expect("ok", "barrier.open", "b", "0")
			looker.expect("mismatch", "barrier.open", "b", "4")
			var calls []*call
			for n := range 3 {
				looker.expect(fmt.Sprintf("%d/3", n), "barrier.state", "b")
				if n < 2 {
					calls = append(calls, come(as[n:n+1])...)
				}
			}
			as[2].expect("2", "barrier.wait", "b")
			expectAll(calls[:1], "0")
			expectAll(calls[1:], "1")
			looker.expect("0/3", "barrier.state", "b")
			looker.expect("ok", "barrier.abort", "b")
			looker.expect("0/3 broken", "barrier.state", "b")
		})
	})
	t.Run("B13 who comes again at once takes nobody's place", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.actors(5)
			var calls []*call
			for _, a := range as {
				a.expect("ok", "barrier.open", "b", "2")
			}
			const rounds = 1000
			for _, a := range as {
				calls = append(calls, a.begin("barrier.tickets", "b", fmt.Sprint(2*rounds)))
			}
			expectAll(calls, "ok")
			as[0].expect(fmt.Sprint([]int{rounds, rounds}), "barrier.came", "b", "2")
			as[0].expect("0/2", "barrier.state", "b")
		})
	})
	t.Run("B14 no parties are invalid", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.actor()
			for _, n := range []string{"0", "-1", "-1048577", "1048577"} {
				a.expect("invalid", "barrier.open", "b", n)
			}
			a.expect("ok", "barrier.open", "b", "1")
			a.expect("invalid", "barrier.open", "b", "-1")
		})
	})
	t.Run("D8 a waiter is killed", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			as := meets(w, 3)
			come(as[:1])
			other := as[1].begin("barrier.wait", "b")
			other.blocked()
			as[0].kill()
			other.expect("broken")
			as[2].expect("broken", "barrier.wait", "b")
			as[2].expect("ok", "barrier.reset", "b")
			calls := come(as[1:])
			third := w.actor()
			third.expect("ok", "barrier.open", "b", "3")
			third.expect("2", "barrier.wait", "b")
			calls[0].expect("0")
			calls[1].expect("1")
		})
	})
}

// inStep has five processes, or goroutines, meet so many times, a multiple of
// 1000.
func inStep(t *testing.T, w *world, rounds int) {
	as := meets(w, 5)
	begin := time.Now()
	for from := 1; from < rounds; from += 1000 { // each within the harness's patience
		var calls []*call
		for me, a := range as {
			calls = append(calls, a.begin("barrier.rounds", "b", fmt.Sprint(me), fmt.Sprint(from), fmt.Sprint(from+1000)))
		}
		expectAll(calls, "ok")
		if t.Failed() {
			return
		}
	}
	as[0].expect("0/5", "barrier.state", "b")
	t.Logf("%d rounds in %v", rounds, time.Since(begin).Round(time.Millisecond))
}
