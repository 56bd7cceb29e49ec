package sync_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	gosync "sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// A taker is another process that does to the semaphore s, of the kind it is
// told, what it is told, and answers with what came of it.
var taker = testproc.Role("taker", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	k := semaphoreKinds[slices.IndexFunc(semaphoreKinds, func(k semaphoreKind) bool { return k.name == args[1] })]
	s, err := k.open(r.Existing(), "s", -1)
	testproc.Must(err)
	testproc.Say("ready")
	for {
		line, ok := testproc.Hear()
		if !ok {
			return
		}
		err = nil
		switch what, arg, _ := strings.Cut(line, " "); what {
		case "acquire":
			err = s.Acquire(background)
		case "try":
			ok, err = s.TryAcquire()
			testproc.Say(ok)
		case "release":
			n, e := strconv.Atoi(arg)
			testproc.Must(e)
			err = s.Release(n)
		case "value":
			testproc.Say(s.Value())
		case "arrive": // with a handle
			b, e := hex.DecodeString(arg)
			testproc.Must(e)
			s = k.zero()
			err = s.UnmarshalBinary(b)
		case "close":
			err = r.Close()
		case "churn": // for ever, and say so
			testproc.Say("ok")
			for {
				testproc.Must(s.Acquire(background))
				testproc.Must(s.Release(1))
			}
		}
		if errors.Is(err, sync.ErrOverRelease) {
			testproc.Say("over release")
		} else {
			testproc.Say(outcome(err))
		}
	}
})

func (k semaphoreKind) taker(t testing.TB, r *shm.Region) *testproc.Child {
	t.Helper()
	c := taker.Start(t, r.Name(), k.name)
	c.Expect("ready")
	return c
}

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
		s := k.in(t, r, "s", 2)
		a, b := k.taker(t, r), k.taker(t, r)
		ask(t, a, "acquire", "ok")
		ask(t, b, "value", "1", "ok")
		ask(t, b, "try", "true", "ok")
		wantTry(t, s, false)
		ask(t, a, "try", "false", "ok")
		done := make(chan error)
		go func() { done <- s.Acquire(patience(t)) }()
		shmtest.AwaitWaiting(t, r, "s", 1)
		ask(t, a, "release 1", "ok")
		must(t, <-done)
		a.Say("acquire")
		shmtest.AwaitWaiting(t, r, "s", 1)
		must(t, s.Release(1))
		a.Expect("ok")
		must(t, s.Release(1)) // a's
		must(t, s.Release(1)) // b's
		if k.bounded {
			ask(t, a, "release 1", "over release")
			ask(t, b, "release 2", "over release")
		}
		ask(t, b, "value", "2", "ok")
		h, err := s.MarshalBinary()
		must(t, err)
		ask(t, b, fmt.Sprintf("arrive %x", h), "ok")
		ask(t, b, "acquire", "ok")
		wantValue(t, s, 1)
	})
}

// D1: what a holder had comes back, by its death or by its Close, to those who
// wait and to those who come.
func TestSemaphoreHolderDies(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		r := shmtest.Region(t)
		s := k.in(t, r, "s", 3)
		for _, end := range []string{"kill", "close"} {
			c, other := k.taker(t, r), k.taker(t, r)
			for range 3 {
				ask(t, c, "acquire", "ok")
			}
			ask(t, c, "release 1", "ok")
			ask(t, other, "acquire", "ok")
			done := make(chan error)
			for range 2 {
				go func() { done <- s.Acquire(patience(t)) }()
			}
			shmtest.AwaitWaiting(t, r, "s", 2)
			if end == "kill" {
				c.Signal(syscall.SIGKILL)
			} else {
				ask(t, c, "close", "ok")
			}
			for range 2 {
				must(t, <-done)
			}
			wantValue(t, s, 0) // the other has its own
			must(t, s.Release(2))
			ask(t, other, "release 1", "ok")
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
	s := k.in(t, r, "s", 0)
	giver, consumer := k.taker(t, r), k.taker(t, r)
	ask(t, giver, "release 9", "ok")
	for range 4 {
		ask(t, consumer, "acquire", "ok")
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
		s := k.in(t, r, "s", 1)
		ctx := patience(t)
		soon(t, func() time.Duration {
			c := k.taker(t, r)
			ask(t, c, "acquire", "ok")
			had := make(chan error)
			go func() { had <- s.Acquire(ctx) }()
			shmtest.AwaitWaiting(t, r, "s", 1)
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
		s := k.in(t, r, "s", 2)
		c := k.taker(t, r)
		ask(t, c, "acquire", "ok")
		ask(t, c, "acquire", "ok")
		stop(t, c)
		short, cancel := context.WithTimeout(background, effort.Or(3*time.Second, time.Second))
		defer cancel()
		if err := s.Acquire(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Acquire of what a stopped process holds = %v", err)
		}
		wantValue(t, s, 0)
		c.Signal(syscall.SIGCONT)
		ask(t, c, "release 1", "ok")
		wantTry(t, s, true)
		stop(t, c)
		c.Signal(syscall.SIGKILL)
		must(t, s.Acquire(patience(t)))
	})
}

// A sleeper that is stopped, or dies, does not take a permit's wake-up with it
// for ever.
func TestSemaphoreWaiterStoppedOrKilled(t *testing.T) {
	both(t, func(t *testing.T, k semaphoreKind) {
		r := shmtest.Region(t)
		s := k.in(t, r, "s", 1)
		for _, end := range []func(*testproc.Child){
			func(c *testproc.Child) { stop(t, c) },
			func(c *testproc.Child) { c.Signal(syscall.SIGKILL) },
		} {
			must(t, s.Acquire(background))
			c := k.taker(t, r)
			c.Say("acquire")
			shmtest.AwaitWaiting(t, r, "s", 1)
			done := make(chan error)
			go func() { done <- s.Acquire(patience(t)) }()
			shmtest.AwaitWaiting(t, r, "s", 2)
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
		s := k.in(t, r, "s", n)
		ctx := patience(t)
		churn := func() *testproc.Child {
			c := k.taker(t, r)
			ask(t, c, "churn", "ok")
			return c
		}
		var cs [3]*testproc.Child
		for i := range cs {
			cs[i] = churn()
		}
		for i := range 30 {
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
			must(t, s.Acquire(ctx))
		}
		wantTry(t, s, false)
		must(t, s.Release(n))
		wantValue(t, s, n)
	})
}
