package contract_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/sync"
)

func (e *env) once(name string) *sync.Once {
	return e.handle(name, func() any { return opened(sync.OpenOnce(e.region, name)) }).(*sync.Once)
}

var errOnce = errors.New("it did not work")

var _ = sentinel("failed", errOnce)

// Does it, in a way, and adds one to the numbers "begun" and "ended". A slow
// one goes on until the number "go" is 1.
var _ = verb("once.do", func(e *env, args []string) (answer string) { // way [timeout]
	o, begun, ended, goes := e.once(args[0]), e.number("begun"), e.number("ended"), e.number("go")
	ctx, cancel := e.within(args, 2)
	defer cancel()
	defer func() {
		if p := recover(); p == errOnce {
			answer = "panic"
		} else if p != nil {
			panic(p)
		}
	}()
	return outcome(o.Do(ctx, func(ctx context.Context) error {
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

var _ = verb("once.goon", func(e *env, args []string) string { e.number("go").Store(1); return "ok" })

var _ = verb("once.counts", func(e *env, args []string) string { // begun/ended
	return fmt.Sprintf("%d/%d", e.number("begun").Load(), e.number("ended").Load())
})

// runs has an actor be at it, slowly, and the others asleep behind it.
func (w *world) runs(runner *actor, others []*actor, way string) (run *call, calls []*call) {
	w.t.Helper()
	run = runner.begin("once.do", "o", "slow")
	w.until("it runs", func() bool { return others[0].do("once.counts", "o") == "1/0" })
	for _, a := range others {
		c := a.begin("once.do", "o", way)
		c.blocked()
		calls = append(calls, c)
	}
	return run, calls
}

// CPython has none.
func TestOnce(t *testing.T) {
	t.Run("O1 it is done once, whoever asks", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.actors(3)
			var calls []*call
			for range 5 {
				for _, a := range as {
					calls = append(calls, a.begin("once.do", "o", "ok"))
				}
			}
			expectAll(calls, "ok")
			as[0].expect("1/1", "once.counts", "o")
			as[1].expect("ok", "once.do", "p", "ok") // another is another
			as[0].expect("2/2", "once.counts", "o")
		})
	})
	t.Run("O2 who comes while it is done returns when it has been", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.actors(4)
			run, calls := w.runs(as[0], as[1:], "ok")
			for _, c := range calls {
				c.stillBlocked()
			}
			as[1].expect("ok", "once.goon", "o")
			run.expect("ok")
			expectAll(calls, "ok")
			as[0].expect("1/1", "once.counts", "o")
		})
	})
	t.Run("O3 an error is its caller's own, and another does it", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.actors(3)
			as[0].expect("failed", "once.do", "o", "fail")
			as[1].expect("failed", "once.do", "o", "fail")
			as[2].expect("ok", "once.do", "o", "ok")
			as[0].expect("ok", "once.do", "o", "fail")
			as[0].expect("3/1", "once.counts", "o")
		})
	})
	t.Run("O4 a panic goes on, and another does it", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.actors(2)
			as[0].expect("panic", "once.do", "o", "panic")
			as[1].expect("ok", "once.do", "o", "ok")
			as[0].expect("2/1", "once.counts", "o")
		})
	})
	t.Run("O5 after an error one who waits does it", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.actors(3)
			run, calls := w.runs(as[0], as[1:], "ok")
			run.cancel() // its fn returns that
			run.expect("canceled")
			expectAll(calls, "ok")
			as[0].expect("2/1", "once.counts", "o")
		})
	})
	t.Run("O6 Do while another is at it takes its time", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.actors(3)
			run, calls := w.runs(as[0], as[1:2], "ok")
			as[2].expect("deadline", "once.do", "o", "ok", "0s")
			if got, took := as[2].timed("once.do", "o", "ok", "100ms"); got != "deadline" || took < 100*time.Millisecond {
				t.Errorf("a Do of 100 ms = %s after %v", got, took)
			}
			calls[0].cancel()
			calls[0].expect("canceled")
			as[1].expect("ok", "once.goon", "o")
			run.expect("ok")
			as[1].expect("1/1", "once.counts", "o")
		})
	})
	t.Run("O7 who does it is killed, and one who waits does it", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			as := w.actors(3)
			_, calls := w.runs(as[0], as[1:], "ok")
			as[0].kill()
			expectAll(calls, "ok")
			as[1].expect("2/1", "once.counts", "o")
			as[2].expect("ok", "once.do", "o", "fail")
		})
	})
	t.Run("O8 a waiter is killed, and it is nobody's matter", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			as := w.actors(3)
			run, calls := w.runs(as[0], as[1:], "fail")
			as[1].kill()
			as[2].expect("ok", "once.goon", "o")
			run.expect("ok")
			calls[1].expect("ok")
			as[2].expect("1/1", "once.counts", "o")
		})
	})
	t.Run("O9 who is stopped at it is waited for", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			t.Parallel() // it waits, most of the time
			as := w.actors(3)
			run, calls := w.runs(as[0], as[1:2], "ok")
			as[0].stop()
			as[1].expect("ok", "once.goon", "o")
			if got, took := as[2].timed("once.do", "o", "ok", "3s"); got != "deadline" || took < 3*time.Second {
				t.Errorf("Do while a stopped process is at it = %s after %v", got, took)
			}
			calls[0].stillBlocked()
			as[0].resume()
			run.expect("ok")
			calls[0].expect("ok")
			as[2].expect("1/1", "once.counts", "o")
		})
	})
}
