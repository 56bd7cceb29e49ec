package sync_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/internal/testproc/actor/verbs"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// Does it: its fn says "runs", hears how it is to end, and ends so.
var _ = actor.Verb("once.told", func(e *actor.Env, args []string) string {
	err := verbs.Once(e, args[0]).Do(background, func(context.Context) error {
		e.Say("runs")
		switch e.Hear() {
		case "fail":
			return errBad
		case "close":
			testproc.Must(e.Region.Close())
		}
		return nil
	})
	return actor.Outcome(err)
})

// Does it, and dies.
var _ = actor.Verb("once.last", func(e *actor.Env, args []string) string {
	testproc.Must(verbs.Once(e, args[0]).Do(background, func(context.Context) error { return nil }))
	syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {}
})

// runs starts a process that runs o, and returns when it does.
func runs(t testing.TB, r *shm.Region) *actor.Call {
	t.Helper()
	c := actor.Start(t, r).Begin("once.told", "o")
	c.Hears("runs")
	return c
}

// One process runs it, the others wait for its end, or their turn.
func TestOnceInProcesses(t *testing.T) {
	r := shmtest.Region(t)
	once(t, r, "o")
	a, b, c := actor.Start(t, r), actor.Start(t, r), actor.Start(t, r)
	first := a.Begin("once.told", "o")
	first.Hears("runs")
	second := b.Begin("once.told", "o")
	shmtest.AwaitWaiting(t, r, "o", 1)
	first.Tell("fail")
	first.Expect(errBad.Error())
	second.Hears("runs")
	others := []*actor.Call{a.Begin("once.told", "o"), c.Begin("once.told", "o")}
	shmtest.AwaitWaiting(t, r, "o", 2)
	second.Tell("succeed")
	second.Expect("ok")
	for _, c := range others {
		c.Expect("ok") // one that ran would wait to be told how to end
	}
	if ran(t, once(t, r, "o")) {
		t.Error("it runs again")
	}
}

// A runner that dies, or closes, is followed by one who waits already, within
// 20 ms; one that had done it is not.
func TestOnceRunnerDies(t *testing.T) {
	r := shmtest.Region(t)
	o := once(t, r, "o")
	ctx := patience(t)
	waits := func() (inside chan time.Time, end func()) {
		inside = make(chan time.Time)
		out, told := make(chan bool), make(chan error)
		go func() {
			told <- o.Do(ctx, func(context.Context) error { inside <- time.Now(); <-out; return errBad })
		}()
		shmtest.AwaitWaiting(t, r, "o", 1)
		return inside, func() {
			t.Helper()
			out <- true
			if err := <-told; err != errBad {
				t.Errorf("Do of what fails = %v", err)
			}
		}
	}
	soon(t, func() time.Duration {
		c := runs(t, r)
		inside, end := waits()
		begin := time.Now()
		c.Actor.Signal(syscall.SIGKILL)
		took := (<-inside).Sub(begin)
		end()
		return took
	})
	c := runs(t, r)
	inside, end := waits()
	c.Tell("close")
	<-inside
	end()
	last := actor.Start(t, r)
	last.Begin("once.last", "o")
	last.Gone()
	if ran(t, o) {
		t.Error("it runs again after the death of who had done it")
	}
}

// A runner that is stopped is waited for.
func TestOnceRunnerStopped(t *testing.T) {
	r := shmtest.Region(t)
	o := once(t, r, "o")
	c := runs(t, r)
	c.Actor.Stop()
	var q onceQueue
	q.come(t, patience(t), r, "o", 2)
	short, cancel := context.WithTimeout(background, effort.Or(3*time.Second, time.Second))
	defer cancel()
	if err := o.Do(short, fails); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Do while a stopped process runs it = %v", err)
	}
	if n := q.runs.Load(); n != 0 {
		t.Errorf("%d run what a stopped process runs", n)
	}
	c.Actor.Resume()
	c.Tell("succeed")
	c.Expect("ok")
	for range 2 {
		must(t, <-q.ends)
	}
	if q.runs.Load() != 0 {
		t.Error("it runs again")
	}
}

// Waiters that are stopped or killed hold up nobody.
func TestOnceWaiterStoppedOrKilled(t *testing.T) {
	r := shmtest.Region(t)
	o := once(t, r, "o")
	for _, end := range []func(*actor.Actor){
		func(c *actor.Actor) { c.Stop() },
		func(c *actor.Actor) { c.Signal(syscall.SIGKILL) },
	} {
		finish := busy(t, o)
		c := actor.Start(t, r)
		c.Begin("once.told", "o")
		shmtest.AwaitWaiting(t, r, "o", 1)
		told := make(chan error, 1)
		go func() { told <- o.Do(patience(t), fails) }()
		shmtest.AwaitWaiting(t, r, "o", 2)
		end(c)
		finish(errBad)
		if err := <-told; err != errBad {
			t.Errorf("Do = %v", err)
		}
		c.Kill()
		awaitAlone(t, r, 1)
	}
	if !ran(t, o) {
		t.Error("it was done by nobody")
	}
}
