package sync_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// A doer is another process that does the Once o as it is told: its fn says
// "runs", hears how it is to end, and ends so. Then it says what Do returned.
var doer = testproc.Role("once-doer", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	o := onceIn(r.Existing())
	testproc.Say("ready")
	for {
		line, ok := testproc.Hear()
		if !ok {
			return
		}
		switch line {
		case "do":
			err = o.Do(background, func(context.Context) error {
				testproc.Say("runs")
				switch how, _ := testproc.Hear(); how {
				case "fail":
					return errBad
				case "close":
					testproc.Must(r.Close())
				}
				return nil
			})
		case "die done":
			testproc.Must(o.Do(background, func(context.Context) error { return nil }))
			syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		}
		testproc.Say(outcome(err))
	}
})

func startDoer(t testing.TB, r *shm.Region) *testproc.Child {
	t.Helper()
	c := doer.Start(t, r.Name())
	c.Expect("ready")
	return c
}

// One process runs it, the others wait for its end, or their turn.
func TestOnceInProcesses(t *testing.T) {
	r := shmtest.Region(t)
	once(t, r, "o")
	a, b, c := startDoer(t, r), startDoer(t, r), startDoer(t, r)
	ask(t, a, "do", "runs")
	b.Say("do")
	shmtest.AwaitWaiting(t, r, "o", 1)
	ask(t, a, "fail", errBad.Error())
	b.Expect("runs")
	a.Say("do")
	c.Say("do")
	shmtest.AwaitWaiting(t, r, "o", 2)
	ask(t, b, "succeed", "ok")
	a.Expect("ok")
	c.Expect("ok")
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
		c := startDoer(t, r)
		ask(t, c, "do", "runs")
		inside, end := waits()
		begin := time.Now()
		c.Signal(syscall.SIGKILL)
		took := (<-inside).Sub(begin)
		end()
		return took
	})
	c := startDoer(t, r)
	ask(t, c, "do", "runs")
	inside, end := waits()
	c.Say("close")
	<-inside
	end()
	c = startDoer(t, r)
	c.Say("die done")
	c.Wait()
	if ran(t, o) {
		t.Error("it runs again after the death of who had done it")
	}
}

// A runner that is stopped is waited for.
func TestOnceRunnerStopped(t *testing.T) {
	r := shmtest.Region(t)
	o := once(t, r, "o")
	c := startDoer(t, r)
	ask(t, c, "do", "runs")
	stop(t, c)
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
	c.Signal(syscall.SIGCONT)
	ask(t, c, "succeed", "ok")
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
	for _, end := range []func(*testproc.Child){
		func(c *testproc.Child) { stop(t, c) },
		func(c *testproc.Child) { c.Signal(syscall.SIGKILL) },
	} {
		finish := busy(t, o)
		c := startDoer(t, r)
		c.Say("do")
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

func onceIn(r *shm.Region) *sync.Once {
	o, err := sync.OpenOnce(r, "o")
	testproc.Must(err)
	return o
}
