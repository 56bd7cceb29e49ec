package sync_test

import (
	"context"
	"errors"
	"fmt"
	gosync "sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/internal/testproc/actor/verbs"
	"example.com/tandem/shm/shmtest"
)

// Takes and gives one for ever, and says when it begins.
var _ = actor.Verb("semaphore.churn", func(e *actor.Env, args []string) string {
	s := verbs.Semaphore(e, args[0])
	e.Say("takes")
	for {
		testproc.Must(s.Acquire(background))
		testproc.Must(s.Release(1))
	}
})

// comesTo waits until the semaphore's value is want.
func comesTo(t testing.TB, s permits, want int) {
	t.Helper()
	for start := time.Now(); s.Value() != want; time.Sleep(time.Millisecond) {
		if time.Since(start) > testproc.Patience {
			t.Fatalf("value %d, want %d", s.Value(), want)
		}
	}
}

// Counts are everybody's, a permit may be given by who has not taken it, and a
// handle may be an argument.
func TestSemaphoreInProcesses(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		r := shmtest.Region(t)
		s := k.in(t, r, k.name, 2)
		a, b := actor.Start(t, r), actor.Start(t, r)
		a.Expect("ok", "semaphore.acquire", k.name)
		b.Expect("1", "semaphore.value", k.name)
		b.Expect("true", "semaphore.try", k.name)
		wantTry(t, s, false)
		a.Expect("false", "semaphore.try", k.name)
		done := make(chan error)
		go func() { done <- s.Acquire(patience(t)) }()
		shmtest.AwaitWaiting(t, r, k.name, 1)
		a.Expect("ok", "semaphore.release", k.name, "1")
		must(t, <-done)
		waits := a.Begin("semaphore.acquire", k.name)
		waits.Blocked()
		must(t, s.Release(1))
		waits.Expect("ok")
		must(t, s.Release(1)) // a's
		must(t, s.Release(1)) // b's
		if k.bounded {
			a.Expect("over release", "semaphore.release", k.name, "1")
			b.Expect("over release", "semaphore.release", k.name, "2")
		}
		b.Expect("2", "semaphore.value", k.name)
		h, err := s.MarshalBinary()
		must(t, err)
		arrived := k.name + " arrived"
		b.Expect("ok", "semaphore.unmarshal", arrived, fmt.Sprintf("%x", h))
		b.Expect("ok", "semaphore.acquire", arrived)
		wantValue(t, s, 1)
	})
}

// D1: what a holder had comes back, by its death or by its Close, to those who
// wait and to those who come.
func TestSemaphoreHolderDies(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		r := shmtest.Region(t)
		s := k.in(t, r, k.name, 3)
		for _, end := range []string{"kill", "close"} {
			c, other := actor.Start(t, r), actor.Start(t, r)
			for range 3 {
				c.Expect("ok", "semaphore.acquire", k.name)
			}
			c.Expect("ok", "semaphore.release", k.name, "1")
			other.Expect("ok", "semaphore.acquire", k.name)
			done := make(chan error)
			for range 2 {
				go func() { done <- s.Acquire(patience(t)) }()
			}
			shmtest.AwaitWaiting(t, r, k.name, 2)
			if end == "kill" {
				c.Signal(syscall.SIGKILL)
			} else {
				c.Expect("ok", "actor.close")
			}
			for range 2 {
				must(t, <-done)
			}
			wantValue(t, s, 0) // the other has its own
			must(t, s.Release(2))
			other.Expect("ok", "semaphore.release", k.name, "1")
			wantValue(t, s, 3)
			c.Kill()
			other.Kill()
		}
	})
}

// Signals that a dead process has consumed stay consumed, and those that it
// gave stay given.
func TestSemaphoreSignals(t *testing.T) {
	r := shmtest.Region(t)
	k := semaphoreKinds[0]
	s := k.in(t, r, k.name, 0)
	giver, consumer := actor.Start(t, r), actor.Start(t, r)
	giver.Expect("ok", "semaphore.release", k.name, "9")
	for range 4 {
		consumer.Expect("ok", "semaphore.acquire", k.name)
	}
	people := len(r.Participants())
	consumer.Kill()
	giver.Kill()
	for start := time.Now(); len(r.Participants()) > people-2; time.Sleep(time.Millisecond) {
		if time.Since(start) > testproc.Patience {
			t.Fatal("the dead are not recovered")
		}
	}
	wantValue(t, s, 5)
}

// A survivor gets what a dead holder had within 20 ms.
func TestSemaphoreBackSoon(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		r := shmtest.Region(t)
		s := k.in(t, r, k.name, 1)
		ctx := patience(t)
		soon(t, func() time.Duration {
			c := actor.Start(t, r)
			c.Expect("ok", "semaphore.acquire", k.name)
			had := make(chan error)
			go func() { had <- s.Acquire(ctx) }()
			shmtest.AwaitWaiting(t, r, k.name, 1)
			begin := time.Now()
			c.Signal(syscall.SIGKILL)
			must(t, <-had)
			took := time.Since(begin)
			must(t, s.Release(1))
			return took
		})
	})
}

// A stopped holder keeps its permits; one that is killed while stopped does not.
func TestSemaphoreHolderStopped(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		t.Parallel()
		r := shmtest.Region(t)
		s := k.in(t, r, k.name, 2)
		c := actor.Start(t, r)
		c.Expect("ok", "semaphore.acquire", k.name)
		c.Expect("ok", "semaphore.acquire", k.name)
		c.Stop()
		short, cancel := context.WithTimeout(background, effort.Or(3*time.Second, time.Second))
		defer cancel()
		if err := s.Acquire(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Acquire of what a stopped process holds = %v", err)
		}
		wantValue(t, s, 0)
		c.Resume()
		c.Expect("ok", "semaphore.release", k.name, "1")
		wantTry(t, s, true)
		c.Stop()
		c.Signal(syscall.SIGKILL)
		must(t, s.Acquire(patience(t)))
	})
}

// A sleeper that is stopped, or dies, does not take a permit's wake-up with it
// for ever.
func TestSemaphoreWaiterStoppedOrKilled(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		r := shmtest.Region(t)
		s := k.in(t, r, k.name, 1)
		for _, end := range []func(*actor.Actor){
			func(c *actor.Actor) { c.Stop() },
			func(c *actor.Actor) { c.Signal(syscall.SIGKILL) },
		} {
			must(t, s.Acquire(background))
			c := actor.Start(t, r)
			c.Begin("semaphore.acquire", k.name)
			shmtest.AwaitWaiting(t, r, k.name, 1)
			done := make(chan error)
			go func() { done <- s.Acquire(patience(t)) }()
			shmtest.AwaitWaiting(t, r, k.name, 2)
			end(c)
			must(t, s.Release(1))
			must(t, <-done) // or, if the dead one took it first, after its recovery
			must(t, s.Release(1))
			c.Kill()
			comesTo(t, s, 1)
		}
	})
}

// Processes that take and give all the time, of which one after another is
// killed: no permit is lost, and none is one too many.
func TestSemaphoreStorm(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		const n = 2
		r := shmtest.Region(t)
		s := k.in(t, r, k.name, n)
		churn := func() *actor.Actor {
			c := actor.Start(t, r)
			c.Begin("semaphore.churn", k.name).Hears("takes")
			return c
		}
		var cs [3]*actor.Actor
		for i := range cs {
			cs[i] = churn()
		}
		for i := range 30 {
			ctx := patience(t)
			var wg gosync.WaitGroup
			for range 2 {
				wg.Go(func() {
					for range i % 7 * 20 {
						if err := s.Acquire(ctx); err != nil {
							t.Error(err)
							return
						}
						if err := s.Release(1); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			cs[i%len(cs)].Kill()
			cs[i%len(cs)] = churn()
			wg.Wait()
		}
		for _, c := range cs {
			c.Kill()
		}
		for range n {
			must(t, s.Acquire(patience(t)))
		}
		wantTry(t, s, false)
		must(t, s.Release(n))
		wantValue(t, s, n)
	})
}
