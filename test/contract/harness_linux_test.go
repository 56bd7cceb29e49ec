package contract_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var _ = verb("harness.echo", func(e *env, args []string) string { return strings.Join(args, "|") })
var _ = verb("harness.pid", func(e *env, args []string) string { return fmt.Sprint(os.Getpid()) })
var _ = verb("harness.self", func(e *env, args []string) string { return fmt.Sprintf("%d %s", e.region.Self().Index, e.way) })
var _ = verb("harness.wait", func(e *env, args []string) string {
	ctx, cancel := e.within(args, 0)
	defer cancel()
	<-ctx.Done()
	return outcome(ctx.Err())
})

// The harness: who the actors are, that calls go on beside each other, and end.
func TestHarness(t *testing.T) {
	ways(t, func(t *testing.T, w *world) {
		as := w.actors(3)
		pids, selves := map[string]bool{}, map[string]bool{}
		for _, a := range as {
			a.expect("a b|\"\n|ü", "harness.echo", "a b", "\"\n", "ü")
			a.expect(fmt.Sprint(a.pid), "harness.pid")
			pids[a.do("harness.pid")] = true
			self := a.do("harness.self")
			selves[self] = true
			if !strings.HasSuffix(self, " "+w.way) {
				t.Errorf("an actor of %s says it is %s", w.way, self)
			}
		}
		want := 3
		if !w.processes() {
			want = 1
		}
		if len(pids) != want || len(selves) != want || pids[fmt.Sprint(os.Getpid())] == w.processes() {
			t.Errorf("pids %v, participants %v: want %d", pids, selves, want)
		}
		if got, took := as[0].timed("harness.wait", "20ms"); got != "deadline" || took < 20*time.Millisecond {
			t.Errorf("a wait of 20 ms = %s after %v", got, took)
		}
		c, d := as[0].begin("harness.wait"), as[0].begin("harness.wait")
		as[0].expect("", "harness.echo")
		c.cancel()
		c.expect("canceled")
		if d.done() {
			t.Error("another call was cancelled, too")
		}
		as[1].expect("no verb harness.none", "harness.none") // d is ended by its actor's end
	})
}

// Processes die and stop when they are told to.
func TestHarnessProcesses(t *testing.T) {
	processes(t, func(t *testing.T, w *world) {
		a, b := w.actor(), w.actor()
		a.begin("harness.wait")
		a.expect("", "harness.echo")
		b.expect("", "harness.echo")
		b.stop()
		c := b.begin("harness.echo", "x")
		a.kill()
		if c.done() {
			t.Error("a stopped actor answers")
		}
		b.resume()
		c.expect("x")
		w.until("two participants are left", func() bool { return len(w.region.Participants()) == 2 })
	})
}

// blocked returns when the call sleeps, and not before.
func TestHarnessBlocked(t *testing.T) {
	ways(t, func(t *testing.T, w *world) {
		a, b := w.actor(), w.actor()
		a.expect("ok", "mutex.lock", "m")
		b.expect("ok", "mutex.lock", "n")
		var on, other []*call
		for _, x := range []*actor{a, b, b} {
			on = append(on, x.begin("mutex.lock", "m"))
			other = append(other, x.begin("mutex.lock", "n"))
		}
		for i := range on {
			on[i].blocked()
			other[i].blocked()
		}
		for _, calls := range [][]*call{on, other} {
			for _, c := range calls {
				if c.done() {
					t.Errorf("%v = %q, and was blocked", c, c.answer())
				}
				c.cancel()
				c.expect("canceled")
			}
		}
	})
}
