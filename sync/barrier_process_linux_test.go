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
	"example.com/tandem/sync"
)

// The barrier with an Action that does nothing: which others at it may run.
var _ = actor.Verb("barrier.join", func(e *actor.Env, args []string) string {
	actor.Handle(e, args[0], func() (*sync.Barrier, error) {
		return sync.OpenBarrier(e.Region, args[0], 0, &sync.BarrierOptions{Action: func() error { return nil }})
	})
	return "ok"
})

// Comes as one whose Action says so, and does not end.
var _ = actor.Verb("barrier.hang", func(e *actor.Env, args []string) string {
	act := func() error { e.Say("acting"); select {} }
	b := actor.Opened(sync.OpenBarrier(e.Region, args[0], 0, &sync.BarrierOptions{Action: act}))
	_, err := b.Wait(e.Ctx)
	return actor.Outcome(err)
})

// As many rounds as there are.
var _ = actor.Verb("barrier.all", func(e *actor.Env, args []string) string {
	b := verbs.Barrier(e, args[0])
	for {
		if _, err := b.Wait(e.Ctx); err != nil {
			return "over"
		}
	}
})

func startParty(t testing.TB, r *shm.Region) *actor.Actor {
	t.Helper()
	a := actor.Start(t, r)
	a.Expect("ok", "barrier.join", "b")
	return a
}

// All who wait are told of an arriver's death, and of its Close; who comes is
// told until Reset. Who does not wait breaks nothing.
func TestBarrierArriverKilled(t *testing.T) {
	r := shmtest.Region(t)
	b := barrier(t, r, "b", 4, nil)
	for _, how := range []string{"kill", "close"} {
		victim, other, idle := startParty(t, r), startParty(t, r), startParty(t, r)
		dies := victim.Begin("barrier.wait", "b")
		haveCome(t, b, 1)
		lives := other.Begin("barrier.wait", "b")
		done := comeTo(patience(t), b, 1)
		haveCome(t, b, 3)
		idle.Kill()
		for start := time.Now(); len(r.Participants()) > 3; time.Sleep(time.Millisecond) {
			if time.Since(start) > testproc.Patience {
				t.Fatal("the dead is not recovered")
			}
		}
		if b.Waiting() != 3 || b.Broken() {
			t.Errorf("after the death of one who does not wait: %d wait, broken %v", b.Waiting(), b.Broken())
		}
		if how == "kill" {
			victim.Kill()
		} else {
			victim.Expect("ok", "actor.close")
			dies.Expect("closed")
		}
		allBroken(t, done, 1)
		lives.Expect("broken")
		other.Expect("broken", "barrier.wait", "b")
		other.Kill()
		victim.Kill()
		must(t, b.Reset())
		passes(t, b)
	}
}

// The last dies in its Action: nobody passes.
func TestBarrierActorKilled(t *testing.T) {
	r := shmtest.Region(t)
	b := barrier(t, r, "b", 3, nil)
	victim := startParty(t, r)
	done := comeTo(patience(t), b, 2)
	haveCome(t, b, 2)
	victim.Begin("barrier.hang", "b").Hears("acting")
	if n := b.Waiting(); n != 3 || b.Broken() {
		t.Errorf("%d wait while the action runs, broken %v", n, b.Broken())
	}
	victim.Kill()
	allBroken(t, done, 2)
	must(t, b.Reset())
	passes(t, b)
}

// A survivor hears of an arriver's death within 20 ms, and can go on.
func TestBarrierToldSoon(t *testing.T) {
	r := shmtest.Region(t)
	b := barrier(t, r, "b", 3, nil)
	soon(t, func() time.Duration {
		c := startParty(t, r)
		c.Begin("barrier.wait", "b")
		haveCome(t, b, 1)
		done := comeTo(patience(t), b, 1)
		waiters(t, 1)
		begin := time.Now()
		c.Signal(syscall.SIGKILL)
		p := <-done
		took := time.Since(begin)
		if !errors.Is(p.err, sync.ErrBroken) {
			t.Fatalf("Wait with one who was killed = %v", p.err)
		}
		must(t, b.Reset())
		c.Kill()
		return took
	})
}

// One that is stopped is not dead: those who wait with it go on waiting, and
// pass when it comes.
func TestBarrierPartyStopped(t *testing.T) {
	for _, when := range []string{"before it comes", "waiting"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			r := shmtest.Region(t)
			b := barrier(t, r, "b", 3, nil)
			c := startParty(t, r)
			var waits *actor.Call
			if when == "waiting" {
				waits = c.Begin("barrier.wait", "b")
				haveCome(t, b, 1)
			}
			c.Stop()
			done := comeTo(patience(t), b, 1)
			select {
			case p := <-done:
				t.Errorf("Wait with a stopped process = %d, %v", p.index, p.err)
			case <-time.After(effort.Or(3*time.Second, time.Second)):
			}
			if b.Broken() {
				t.Error("a stopped process broke the barrier")
			}
			if when == "waiting" { // it is of the round, though it does not run
				haveCome(t, b, 2)
				if i, err := b.Wait(patience(t)); i != 2 || err != nil {
					t.Errorf("the last Wait = %d, %v", i, err)
				}
				if p := <-done; p.err != nil {
					t.Error(p.err)
				}
			}
			c.Resume()
			if when == "waiting" {
				waits.Expect("0")
				return
			}
			waits = c.Begin("barrier.wait", "b")
			also := comeTo(patience(t), b, 1)
			for _, d := range []<-chan passage{done, also} {
				if p := <-d; p.err != nil {
					t.Error(p.err)
				}
			}
			waits.Answer()
		})
	}
}

// One that is stopped before it has left a round is of no other, even if there
// are enough without it: the next but one waits for it. Others give up, or
// reset, and are not held.
func TestBarrierLeaverStopped(t *testing.T) {
	r := shmtest.Region(t)
	b := barrier(t, r, "b", 2, nil)
	c := startParty(t, r)
	waits := c.Begin("barrier.wait", "b")
	haveCome(t, b, 1)
	c.Stop()
	if i, err := b.Wait(patience(t)); i != 1 || err != nil {
		t.Fatal(i, err)
	}
	passes(t, b) // the other bank
	first := comeTo(patience(t), b, 1)
	waiters(t, 1)
	short, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	if _, err := b.Wait(short); !errors.Is(err, sync.ErrBroken) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait in a round that a stopped process holds up = %v", err)
	}
	allBroken(t, first, 1)
	must(t, b.Reset())
	passes(t, b)
	done := comeTo(patience(t), b, 2)
	c.Resume()
	waits.Expect("0")
	for range 2 {
		if p := <-done; p.err != nil {
			t.Error(p.err)
		}
	}
}

// A blocked waiter uses no processor.
func TestBarrierWaiterSleeps(t *testing.T) {
	r := shmtest.Region(t)
	b := barrier(t, r, "b", 2, nil)
	c := startParty(t, r)
	waits := c.Begin("barrier.wait", "b")
	haveCome(t, b, 1)
	asleep(t, c.PID)
	idle(t, c.PID)
	if _, err := b.Wait(patience(t)); err != nil {
		t.Error(err)
	}
	waits.Expect("0")
}

// Processes are killed at random times in rounds of all; who is left resets.
func TestBarrierStorm(t *testing.T) {
	deaths := effort.Or(10, 5)
	r := shmtest.Region(t)
	b := barrier(t, r, "b", 3, nil)
	for n := range deaths {
		victim, other := startParty(t, r), startParty(t, r)
		victim.Begin("barrier.all", "b")
		comes := other.Begin("barrier.all", "b")
		passed := 0
		for ; passed < n*n%37; passed++ {
			if _, err := b.Wait(patience(t)); err != nil {
				t.Fatal(err)
			}
		}
		victim.Signal(syscall.SIGKILL)
		// The victim may have died with no round of its own: then it is missed,
		// and the time is up.
		short, cancel := context.WithTimeout(background, 300*time.Millisecond)
		var err error
		for err == nil {
			_, err = b.Wait(short)
		}
		cancel()
		if !errors.Is(err, sync.ErrBroken) {
			t.Fatal(err)
		}
		victim.Kill()
		comes.Expect("over")
		other.Kill()
		must(t, b.Reset())
		passes(t, b)
	}
}

// What a snapshot shows.
func TestBarrierSnapshot(t *testing.T) {
	r := shmtest.Region(t)
	b := barrier(t, r, "b", 3, nil)
	c := startParty(t, r)
	waits := c.Begin("barrier.wait", "b")
	haveCome(t, b, 1)
	s, err := r.Snapshot()
	must(t, err)
	o := s.Objects[0]
	if o.Kind != "barrier" || o.Fields["parties"] != "3" || o.Len != 1 || o.Cap != 3 || len(o.Holders) != 1 ||
		o.Holders[0].PID != c.PID || o.Holders[0].What != "arrived" || o.Holders[0].N != 1 {
		t.Errorf("the snapshot shows %+v", o)
	}
	must(t, b.Abort())
	waits.Expect("broken")
	if s, err = r.Snapshot(); err != nil || s.Objects[0].State != "broken" || len(s.Objects[0].Holders) != 0 {
		t.Errorf("a broken one is shown as %+v, %v", s.Objects[0], err)
	}
}
