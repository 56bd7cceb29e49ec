package waitany

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/proc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"

	_ "example.com/tandem/internal/testproc/actor/verbs"
)

var sleeper = proc.Register("waitany.sleeper", func(ctx context.Context, code int) error {
	if code != 0 {
		os.Exit(code)
	}
	<-ctx.Done()
	return nil
})

// A child is ready when it has ended, however it did, and stays so.
func TestProcessEnds(t *testing.T) {
	r := shmtest.Region(t)
	e := event(t, r, "e")
	ctx := testproc.Watchdog(t)
	p := testproc.Get(sleeper.Start(ctx, 0, nil))(t)
	q := testproc.Get(sleeper.Start(ctx, 0, nil))(t)
	not(t, p, e, q)
	c := begin(t, r, "e", e, p, q)
	testproc.OK(t, q.Kill())
	want(t, c, 2, nil)
	if q.Alive() {
		t.Error("it is alive")
	}
	is(t, 2, e, p, q)
	not(t, p)
	testproc.OK(t, p.Terminate())
	is(t, 0, p) // of no region at all
	is(t, 0, p, q)
	if i, err := shm.WaitAny(ctx, new(proc.Process)); i != -1 || err == nil {
		t.Errorf("of no process: %d, %v", i, err)
	}
	p.Wait(ctx)
	q.Wait(ctx)
}

// Another process's Put, Set and Release wake, and its death does not.
func TestAcrossProcesses(t *testing.T) {
	r, far := shmtest.Region(t), second(t)
	e, s, q, one, no := event(t, r, "e"), semaphore(t, r, "s"), queue(t, r, "q"), spsc(t, r, "r"), event(t, far, "no")
	ws := []shm.Waitable{no, e, s, q, one}
	a, b := actor.Start(t, r), actor.Start(t, r)
	for round := range 10 {
		c := begin(t, r, "e", ws...)
		switch round % 4 {
		case 0:
			a.Expect("ok", "event.pulse", "e")
			want(t, c, 1, nil)
		case 1:
			a.Expect("ok", "semaphore.release", "s", "1")
			want(t, c, 2, nil)
			testproc.OK(t, s.Acquire(bg))
		case 2:
			a.Expect("ok", "queue.put", "q", "1")
			want(t, c, 3, nil)
			testproc.Get(q.TryGet())(t)
		case 3:
			a.Expect("ok", "spsc.put", "r", "1")
			want(t, c, 4, nil)
			testproc.Get(one.TryGet())(t)
		}
	}
	// Another process closes, or dies, while it waits for the same, and has the producer's
	// side: nothing is ready by that.
	c := begin(t, r, "e", ws...)
	w := b.Begin("any.wait", "e", "s", "q", "r")
	w.Blocked()
	a.Kill()
	b.Kill()
	time.Sleep(20 * time.Millisecond)
	select {
	case end := <-c:
		t.Fatalf("a death ended it: %v", end)
	default:
	}
	testproc.OK(t, one.Put(bg, 1)) // the side is free
	want(t, c, 4, nil)
}

// A WaitAny that is killed, or stopped, while it sleeps, or has been woken, takes nobody's
// wake-up with it.
func TestKilledAndStopped(t *testing.T) {
	r := shmtest.Region(t)
	q := queue(t, r, "q")
	semaphore(t, r, "s")
	ctx := testproc.Watchdog(t)
	stopped, takes := actor.Start(t, r), actor.Start(t, r)
	stopped.Begin("any.wait", "q", "s").Blocked()
	stopped.Stop()
	for round := range 6 {
		dies := actor.Start(t, r)
		dies.Begin("any.wait", "q", "s").Blocked()
		get := takes.Begin("queue.get", "q")
		get.Blocked()
		if round%2 == 0 {
			go dies.World.Region.Snapshot()
		}
		testproc.OK(t, q.Put(ctx, int64(round)))
		dies.Kill()
		get.Expect([]string{"0", "1", "2", "3", "4", "5"}[round])
	}
	stopped.Resume()
}

// A region is closed by the process that waits, as others see it: they go on.
func TestClosedElsewhere(t *testing.T) {
	r := shmtest.Region(t)
	q := queue(t, r, "q")
	semaphore(t, r, "s")
	a := actor.Start(t, r)
	w := a.Begin("any.wait", "q", "s")
	w.Blocked()
	c := begin(t, r, "q", q)
	a.Expect("ok", "actor.close")
	w.Expect("closed")
	testproc.OK(t, q.Put(bg, 1))
	want(t, c, 0, nil)
	if _, err := q.TryGet(); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
