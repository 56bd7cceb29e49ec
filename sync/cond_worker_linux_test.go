package sync_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// A condWorker is another process that uses the Cond c, of a lock of its own,
// of the mutex l, or of a holder of the rmutex l, as it is told.
var condWorker = testproc.Role("cond", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	var l sync.Lock
	switch args[1] {
	case "mutex":
		l, err = sync.OpenMutex(r.Existing(), "l")
	case "holder":
		var m *sync.RMutex
		if m, err = sync.OpenRMutex(r.Existing(), "l"); err == nil {
			l = m.NewHolder()
		}
	}
	testproc.Must(err)
	c, err := sync.OpenCond(r.Existing(), "c", l)
	testproc.Must(err)
	if l == nil {
		l = c.Holder()
	}
	testproc.Say("ready")
	for {
		line, ok := testproc.Hear()
		if !ok {
			return
		}
		what, arg, _ := strings.Cut(line, " ")
		n, limit := 0, time.Hour
		if fmt.Sscan(arg, &n); what == "wait" && arg != "" {
			limit, err = time.ParseDuration(arg)
			testproc.Must(err)
		}
		ctx, cancel := context.WithTimeout(background, limit)
		err = nil
		switch h, _ := l.(*sync.Holder); what {
		case "lock":
			err = l.Lock(ctx)
		case "trylock":
			ok, err = h.TryLock()
			testproc.Say(ok)
		case "recover":
			ok, err = h.Recover(ctx)
			testproc.Say(ok)
		case "mark":
			err = h.MarkConsistent()
		case "unlock":
			err = l.Unlock()
		case "depth":
			testproc.Say(h.Depth())
		case "wait":
			err = c.Wait(ctx)
		case "notify":
			err = c.Notify(n)
		case "rounds": // each: time out, say so, wait, say how it ended
			for k := 0; k < n && err == nil; k++ {
				err = condRound(c, l, func() { testproc.Say("timed out") })
				testproc.Say(condOutcome(err))
			}
		}
		cancel()
		testproc.Say(condOutcome(err))
	}
})

func condOutcome(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "deadline"
	}
	return outcome(err)
}

// condRound waits till a context ends, and then for a notification.
func condRound(c *sync.Cond, l sync.Lock, timedOut func()) error {
	if err := l.Lock(background); err != nil {
		return err
	}
	short, cancel := context.WithTimeout(background, 100*time.Microsecond)
	defer cancel()
	if err := c.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("a Wait that nobody notified: %w", err)
	}
	timedOut()
	err := c.Wait(background)
	return errors.Join(err, l.Unlock())
}

func startCond(t testing.TB, r *shm.Region, lock string) *testproc.Child {
	t.Helper()
	c := condWorker.Start(t, r.Name(), lock)
	c.Expect("ready")
	return c
}

// startWaiter starts a process that waits on c.
func startWaiter(t testing.TB, r *shm.Region, lock string, before int) *testproc.Child {
	t.Helper()
	c := startCond(t, r, lock)
	ask(t, c, "lock", "ok")
	c.Say("wait")
	awaitWaiting(t, r, "c", before+1)
	asleep(t, c.PID())
	return c
}

// soon is for what shall take at most 20 ms.
func soon(t *testing.T, f func() time.Duration) {
	t.Helper()
	effort.Median(t, 20*time.Millisecond, 20, f)
}
