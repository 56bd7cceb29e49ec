package contract_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/internal/testproc/actor/verbs"
)

var errOnce = errors.New("it did not work")

var _ = actor.Sentinel("failed", errOnce)

// Does it, in a way, and adds one to the numbers "begun" and "ended". A slow
// one goes on until the number "go" is 1.
var _ = actor.Verb("once.do", func(e *actor.Env, args []string) (answer string) { // way [timeout]
	o, begun, ended, goes := verbs.Once(e, args[0]), verbs.Number(e, "begun"), verbs.Number(e, "ended"), verbs.Number(e, "go")
	ctx, cancel := e.Within(args, 2)
	defer cancel()
	defer func() {
		if p := recover(); p == errOnce {
			answer = "panic"
		} else if p != nil {
			panic(p)
		}
	}()
	return actor.Outcome(o.Do(ctx, func(ctx context.Context) error {
		atomics.Add(begun, 1)
		switch args[1] {
		case "fail":
			return errOnce
		case "panic":
			panic(errOnce)
		case "slow":
			for goes.Load() == 0 {
				if err := ctx.Err(); err != nil {
					return err
				}
				time.Sleep(100 * time.Microsecond)
			}
		}
		atomics.Add(ended, 1)
		return nil
	}))
})

var _ = actor.Verb("once.goon", func(e *actor.Env, args []string) string { verbs.Number(e, "go").Store(1); return "ok" })

var _ = actor.Verb("once.counts", func(e *actor.Env, args []string) string { // begun/ended
	return fmt.Sprintf("%d/%d", verbs.Number(e, "begun").Load(), verbs.Number(e, "ended").Load())
})

// runs has an actor be at it, slowly, and the others asleep behind it.
func (w *world) runs(runner *actor.Actor, others []*actor.Actor, way string) (run *actor.Call, calls []*actor.Call) {
	w.T.Helper()
	run = runner.Begin("once.do", "o", "slow")
	w.Until("it runs", func() bool { return others[0].Do("once.counts", "o") == "1/0" })
	for _, a := range others {
		c := a.Begin("once.do", "o", way)
		c.Blocked()
		calls = append(calls, c)
	}
	return run, calls
}

// CPython has none.
func TestOnce(t *testing.T) {
	t.Parallel()
	t.Run("O1 it is done once, whoever asks", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.Actors(3)
			var calls []*actor.Call
			for range 5 {
				for _, a := range as {
					calls = append(calls, a.Begin("once.do", "o", "ok"))
				}
			}
			expectAll(calls, "ok")
			as[0].Expect("1/1", "once.counts", "o")
			as[1].Expect("ok", "once.do", "p", "ok") // another is another
			as[0].Expect("2/2", "once.counts", "o")
		})
	})
	t.Run("O2 who comes while it is done returns when it has been", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.Actors(4)
			run, calls := w.runs(as[0], as[1:], "ok")
			for _, c := range calls {
				c.StillBlocked()
			}
			as[1].Expect("ok", "once.goon", "o")
			run.Expect("ok")
			expectAll(calls, "ok")
			as[0].Expect("1/1", "once.counts", "o")
		})
	})
	t.Run("O3 an error is its caller's own, and another does it", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.Actors(3)
			as[0].Expect("failed", "once.do", "o", "fail")
			as[1].Expect("failed", "once.do", "o", "fail")
			as[2].Expect("ok", "once.do", "o", "ok")
			as[0].Expect("ok", "once.do", "o", "fail")
			as[0].Expect("3/1", "once.counts", "o")
		})
	})
	t.Run("O4 a panic goes on, and another does it", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.Actors(2)
			as[0].Expect("panic", "once.do", "o", "panic")
			as[1].Expect("ok", "once.do", "o", "ok")
			as[0].Expect("2/1", "once.counts", "o")
		})
	})
	t.Run("O5 after an error one who waits does it", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.Actors(3)
			run, calls := w.runs(as[0], as[1:], "ok")
			run.Cancel() // its fn returns that
			run.Expect("canceled")
			expectAll(calls, "ok")
			as[0].Expect("2/1", "once.counts", "o")
		})
	})
	t.Run("O6 Do while another is at it takes its time", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.Actors(3)
			run, calls := w.runs(as[0], as[1:2], "ok")
			as[2].Expect("deadline", "once.do", "o", "ok", "0s")
			if got, took := as[2].Timed("once.do", "o", "ok", "100ms"); got != "deadline" || took < 100*time.Millisecond {
				t.Errorf("a Do of 100 ms = %s after %v", got, took)
			}
			calls[0].Cancel()
			calls[0].Expect("canceled")
			as[1].Expect("ok", "once.goon", "o")
			run.Expect("ok")
			as[1].Expect("1/1", "once.counts", "o")
		})
	})
	t.Run("O7 who does it is killed, and one who waits does it", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			as := w.Actors(3)
			_, calls := w.runs(as[0], as[1:], "ok")
			as[0].Kill()
			expectAll(calls, "ok")
			as[1].Expect("2/1", "once.counts", "o")
			as[2].Expect("ok", "once.do", "o", "fail")
		})
	})
	t.Run("O8 a waiter is killed, and it is nobody's matter", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			as := w.Actors(3)
			run, calls := w.runs(as[0], as[1:], "fail")
			as[1].Kill()
			as[2].Expect("ok", "once.goon", "o")
			run.Expect("ok")
			calls[1].Expect("ok")
			as[2].Expect("1/1", "once.counts", "o")
		})
	})
	t.Run("O9 who is stopped at it is waited for", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			t.Parallel() // it waits, most of the time
			as := w.Actors(3)
			run, calls := w.runs(as[0], as[1:2], "ok")
			as[0].Stop()
			as[1].Expect("ok", "once.goon", "o")
			if got, took := as[2].Timed("once.do", "o", "ok", "3s"); got != "deadline" || took < 3*time.Second {
				t.Errorf("Do while a stopped process is at it = %s after %v", got, took)
			}
			calls[0].StillBlocked()
			as[0].Resume()
			run.Expect("ok")
			calls[0].Expect("ok")
			as[2].Expect("1/1", "once.counts", "o")
		})
	})
}
