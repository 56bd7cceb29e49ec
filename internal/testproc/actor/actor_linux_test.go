package actor_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
	_ "example.com/tandem/internal/testproc/actor/verbs"
	"example.com/tandem/proc"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0") // else each actor of a -race run takes a second to exit
	}
	proc.Main()
	testproc.Main(m)
}

var _ = actor.Verb("harness.echo", func(e *actor.Env, args []string) string { return strings.Join(args, "|") })
var _ = actor.Verb("harness.PID", func(e *actor.Env, args []string) string { return fmt.Sprint(os.Getpid()) })
var _ = actor.Verb("harness.self", func(e *actor.Env, args []string) string { return fmt.Sprintf("%d %s", e.Region.Self().Index, e.Way) })
var _ = actor.Verb("harness.wait", func(e *actor.Env, args []string) string {
	ctx, cancel := e.Within(args, 0)
	defer cancel()
	<-ctx.Done()
	return actor.Outcome(ctx.Err())
})

// Says its first argument, what it is told, and the rest of its arguments.
var _ = actor.Verb("harness.talk", func(e *actor.Env, args []string) string {
	e.Say(args[0])
	e.Say(e.Hear())
	e.Say(e.Hear())
	for _, arg := range args[1:] {
		e.Say(arg)
	}
	return "over"
})

// Who the actors are, that calls go on beside each other, and end.
func TestHarness(t *testing.T) {
	actor.Ways(t, func(t *testing.T, w *actor.World) {
		as := w.Actors(3)
		pids, selves := map[string]bool{}, map[string]bool{}
		for _, a := range as {
			a.Expect("a b|\"\n|ü", "harness.echo", "a b", "\"\n", "ü")
			a.Expect(fmt.Sprint(a.PID), "harness.PID")
			pids[a.Do("harness.PID")] = true
			self := a.Do("harness.self")
			selves[self] = true
			if !strings.HasSuffix(self, " "+w.Way) {
				t.Errorf("an actor of %s says it is %s", w.Way, self)
			}
		}
		want := 3
		if !w.Processes() {
			want = 1
		}
		if len(pids) != want || len(selves) != want || pids[fmt.Sprint(os.Getpid())] == w.Processes() {
			t.Errorf("pids %v, participants %v: want %d", pids, selves, want)
		}
		if got, took := as[0].Timed("harness.wait", "20ms"); got != "deadline" || took < 20*time.Millisecond {
			t.Errorf("a wait of 20 ms = %s after %v", got, took)
		}
		c, d := as[0].Begin("harness.wait"), as[0].Begin("harness.wait")
		as[0].Expect("", "harness.echo")
		c.Cancel()
		c.Expect("canceled")
		if d.Done() {
			t.Error("another call was cancelled, too")
		}
		as[1].Expect("no verb harness.none", "harness.none") // d is ended by its actor's end
	})
}

// Processes die and stop when they are told to.
func TestHarnessProcesses(t *testing.T) {
	actor.Processes(t, func(t *testing.T, w *actor.World) {
		a, b := w.Actor(), w.Actor()
		a.Begin("harness.wait")
		a.Expect("", "harness.echo")
		b.Expect("", "harness.echo")
		b.Stop()
		c := b.Begin("harness.echo", "x")
		a.Kill()
		if c.Done() {
			t.Error("a stopped actor answers")
		}
		b.Resume()
		c.Expect("x")
		w.Until("two participants are left", func() bool { return len(w.Region.Participants()) == 2 })
	})
}

// blocked returns when the call sleeps, and not before.
func TestHarnessBlocked(t *testing.T) {
	actor.Ways(t, func(t *testing.T, w *actor.World) {
		a, b := w.Actor(), w.Actor()
		a.Expect("ok", "mutex.lock", "m")
		b.Expect("ok", "mutex.lock", "n")
		var on, other []*actor.Call
		for _, x := range []*actor.Actor{a, b, b} {
			on = append(on, x.Begin("mutex.lock", "m"))
			other = append(other, x.Begin("mutex.lock", "n"))
		}
		for i := range on {
			on[i].Blocked()
			other[i].Blocked()
		}
		for _, calls := range [][]*actor.Call{on, other} {
			for _, c := range calls {
				if c.Done() {
					t.Errorf("%v = %q, and was blocked", c, c.Answer())
				}
				c.Cancel()
				c.Expect("canceled")
			}
		}
	})
}

// A verb and the test talk before the answer; what was said is heard also when
// the answer is there.
func TestHarnessTalks(t *testing.T) {
	actor.Ways(t, func(t *testing.T, w *actor.World) {
		a := w.Actor()
		c, other := a.Begin("harness.talk", "x", "y"), a.Begin("harness.talk", "z")
		other.Hears("z")
		c.Hears("x")
		c.Tell("1")
		c.Hears("1")
		c.Tell("")
		c.Expect("over")
		c.Hears("")
		c.Hears("y")
		if other.Done() {
			t.Error("another call heard what was told to this one")
		}
	})
}

// An actor of Start finds what there is, and makes nothing.
func TestHarnessStart(t *testing.T) {
	r := shmtest.Region(t)
	m, err := sync.OpenMutex(r, "m")
	if err != nil {
		t.Fatal(err)
	}
	a := actor.Start(t, r)
	if n := len(r.Participants()); n != 2 {
		t.Errorf("%d participants when it has started", n)
	}
	a.Expect("ok", "mutex.lock", "m")
	if p, _ := m.Owner(); p.PID != a.PID {
		t.Errorf("%+v has locked it, not %d", p, a.PID)
	}
	if got := a.Do("mutex.lock", "typo"); !strings.Contains(got, "not exist") {
		t.Errorf("it locks what was not there: %s", got)
	}
	a.Expect("ok", "actor.close")
	a.Expect("closed", "mutex.lock", "m")
}
