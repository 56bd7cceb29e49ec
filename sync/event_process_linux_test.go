package sync_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/internal/testproc/actor/verbs"
	"example.com/tandem/shm/shmtest"
)

// Sets and clears for ever, and says when it has begun.
var _ = actor.Verb("event.churn", func(e *actor.Env, args []string) string {
	ev := verbs.Event(e, args[0])
	e.Say("pulses")
	for {
		testproc.Must(ev.Set())
		testproc.Must(ev.Clear())
	}
})

// An error of Wait in its own words.
var _ = actor.Verb("event.says", func(e *actor.Env, args []string) string {
	return fmt.Sprint(verbs.Event(e, args[0]).Wait(e.Ctx))
})

// E7, and a handle that travels.
func TestEventInProcesses(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	a, b := actor.Start(t, r), actor.Start(t, r)
	waits := a.Begin("event.wait", "e")
	ends := waitsFor(t, patience(t), r, "e", 1)
	shmtest.AwaitWaiting(t, r, "e", 2)
	b.Expect("ok", "event.set", "e")
	waits.Expect("ok")
	must(t, <-ends)
	a.Expect("true", "event.isset", "e")
	must(t, e.Clear())
	a.Expect("false", "event.isset", "e")
	h, err := e.MarshalBinary()
	must(t, err)
	b.Expect("ok", "event.unmarshal", "arrived", fmt.Sprintf("%x", h))
	waits = a.Begin("event.wait", "e")
	shmtest.AwaitWaiting(t, r, "e", 1)
	b.Expect("ok", "event.set", "arrived")
	waits.Expect("ok")
}

// D7: whoever waits may be stopped, or dead: Set returns at once, and all others
// are released.
func TestEventSetsPastStoppedAndDead(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	stopped, lives := actor.Start(t, r), actor.Start(t, r)
	waits := stopped.Begin("event.wait", "e")
	shmtest.AwaitWaiting(t, r, "e", 1)
	stopped.Stop()
	released := false
	soon(t, func() time.Duration {
		dies := actor.Start(t, r)
		dies.Begin("event.wait", "e")
		survives := lives.Begin("event.wait", "e")
		ends := waitsFor(t, patience(t), r, "e", 1)
		shmtest.AwaitWaiting(t, r, "e", 4)
		dies.Signal(syscall.SIGKILL)
		begin := time.Now()
		must(t, e.Set())
		took := time.Since(begin)
		must(t, e.Clear())
		must(t, <-ends)
		survives.Expect("ok")
		dies.Kill()
		awaitAlone(t, r, 3) // or the dead one is counted among those who wait
		if !released {      // the stopped one was, with the first
			released = true
			stopped.Resume()
			waits.Expect("ok")
			waits = stopped.Begin("event.wait", "e")
			shmtest.AwaitWaiting(t, r, "e", 1)
			stopped.Stop()
		}
		return took
	})
	stopped.Resume()
	waits.Expect("ok")
}

// A waiter that is stopped keeps its wait for as long as it takes, and a set
// event stays set when who set it dies.
func TestEventStoppedAndSetterDead(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	c, setter := actor.Start(t, r), actor.Start(t, r)
	waits := c.Begin("event.wait", "e")
	shmtest.AwaitWaiting(t, r, "e", 1)
	c.Stop()
	people := len(r.Participants())
	setter.Expect("ok", "event.set", "e")
	setter.Kill()
	awaitAlone(t, r, people-1)
	for begin := time.Now(); time.Since(begin) < effort.Or(3*time.Second, time.Second); time.Sleep(50 * time.Millisecond) {
		if n := len(r.Participants()); n != people-1 || !e.IsSet() {
			t.Fatalf("%d participants, want %d; set: %v", n, people-1, e.IsSet())
		}
	}
	must(t, e.Clear())
	c.Resume()
	waits.Expect("ok")
}

// Who pulses without end is killed, again and again: an event is set or it is
// not, and nobody who was released sleeps.
func TestEventStorm(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	ctx := patience(t)
	for range 20 {
		c := actor.Start(t, r)
		c.Begin("event.churn", "e").Hears("pulses")
		for range 5 {
			must(t, e.Wait(ctx))
		}
		ends := make(chan error, 3)
		for range 3 {
			go func() { ends <- e.Wait(ctx) }()
		}
		c.Kill()
		must(t, e.Set())
		for range 3 {
			must(t, <-ends)
		}
		must(t, e.Clear())
	}
}

// Close in a process that waits ends its waits alone.
func TestEventWaiterCloses(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	ctx, cancel := context.WithCancel(patience(t))
	defer cancel()
	ends := waitsFor(t, ctx, r, "e", 1)
	c := actor.Start(t, r)
	c.Expect("false", "event.isset", "e") // it has the event, and then no more
	c.Expect("ok", "actor.close")
	c.Expect("event.Wait "+r.Name()+"/e: region is closed", "event.says", "e")
	must(t, e.Set())
	must(t, <-ends)
}
