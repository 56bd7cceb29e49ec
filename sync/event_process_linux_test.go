package sync_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// A pulser is another process that does to the event e what it is told, and
// answers with what came of it.
var pulser = testproc.Role("event-pulser", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	e, err := sync.OpenEvent(r.Existing(), "e")
	testproc.Must(err)
	testproc.Say("ready")
	for {
		line, ok := testproc.Hear()
		if !ok {
			return
		}
		err = nil
		switch what, arg, _ := strings.Cut(line, " "); what {
		case "wait":
			err = e.Wait(background)
		case "set":
			err = e.Set()
		case "clear":
			err = e.Clear()
		case "isset":
			testproc.Say(e.IsSet())
		case "arrive": // with a handle
			b, bad := hex.DecodeString(arg)
			testproc.Must(bad)
			e = new(sync.Event)
			err = e.UnmarshalBinary(b)
		case "close":
			err = r.Close()
		case "pulse": // for ever, and say so
			testproc.Say("ok")
			for {
				testproc.Must(e.Set())
				testproc.Must(e.Clear())
			}
		}
		testproc.Say(outcome(err))
	}
})

func startPulser(t testing.TB, r *shm.Region) *testproc.Child {
	t.Helper()
	c := pulser.Start(t, r.Name())
	c.Expect("ready")
	return c
}

// E7, and a handle that travels.
func TestEventInProcesses(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	a, b := startPulser(t, r), startPulser(t, r)
	a.Say("wait")
	ends := waitsFor(t, patience(t), r, "e", 1)
	shmtest.AwaitWaiting(t, r, "e", 2)
	ask(t, b, "set", "ok")
	a.Expect("ok")
	must(t, <-ends)
	ask(t, a, "isset", "true", "ok")
	must(t, e.Clear())
	ask(t, a, "isset", "false", "ok")
	h, err := e.MarshalBinary()
	must(t, err)
	ask(t, b, fmt.Sprintf("arrive %x", h), "ok")
	a.Say("wait")
	shmtest.AwaitWaiting(t, r, "e", 1)
	ask(t, b, "set", "ok")
	a.Expect("ok")
}

// D7: whoever waits may be stopped, or dead: Set returns at once, and all others
// are released.
func TestEventSetsPastStoppedAndDead(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	stopped, lives := startPulser(t, r), startPulser(t, r)
	stopped.Say("wait")
	shmtest.AwaitWaiting(t, r, "e", 1)
	stop(t, stopped)
	released := false
	soon(t, func() time.Duration {
		dies := startPulser(t, r)
		dies.Say("wait")
		lives.Say("wait")
		ends := waitsFor(t, patience(t), r, "e", 1)
		shmtest.AwaitWaiting(t, r, "e", 4)
		dies.Signal(syscall.SIGKILL)
		begin := time.Now()
		must(t, e.Set())
		took := time.Since(begin)
		must(t, e.Clear())
		must(t, <-ends)
		lives.Expect("ok")
		dies.Kill()
		awaitAlone(t, r, 3) // or the dead one is counted among those who wait
		if !released {      // the stopped one was, with the first
			released = true
			stopped.Signal(syscall.SIGCONT)
			stopped.Expect("ok")
			stopped.Say("wait")
			shmtest.AwaitWaiting(t, r, "e", 1)
			stop(t, stopped)
		}
		return took
	})
	stopped.Signal(syscall.SIGCONT)
	stopped.Expect("ok")
}

// A waiter that is stopped keeps its wait for as long as it takes, and a set
// event stays set when who set it dies.
func TestEventStoppedAndSetterDead(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	c, setter := startPulser(t, r), startPulser(t, r)
	c.Say("wait")
	shmtest.AwaitWaiting(t, r, "e", 1)
	stop(t, c)
	people := len(r.Participants())
	ask(t, setter, "set", "ok")
	setter.Kill()
	awaitAlone(t, r, people-1)
	for begin := time.Now(); time.Since(begin) < effort.Or(3*time.Second, time.Second); time.Sleep(50 * time.Millisecond) {
		if n := len(r.Participants()); n != people-1 || !e.IsSet() {
			t.Fatalf("%d participants, want %d; set: %v", n, people-1, e.IsSet())
		}
	}
	must(t, e.Clear())
	c.Signal(syscall.SIGCONT)
	c.Expect("ok")
}

// Who pulses without end is killed, again and again: an event is set or it is
// not, and nobody who was released sleeps.
func TestEventStorm(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	ctx := patience(t)
	for range 20 {
		c := startPulser(t, r)
		ask(t, c, "pulse", "ok")
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
	c := startPulser(t, r)
	ask(t, c, "close", "ok")
	ask(t, c, "wait", "event.Wait "+r.Name()+"/e: region is closed")
	must(t, e.Set())
	must(t, <-ends)
}
