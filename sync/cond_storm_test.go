package sync_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	gosync "sync"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// condCrowd is a process whose goroutines wait on c for short times, count how
// often they were notified, and with "storm" notify, too.
var condCrowd = testproc.Role("cond-crowd", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	c, err := sync.OpenCond(r.Existing(), "c", nil)
	testproc.Must(err)
	told, err := atomics.OpenValue(r.Existing(), "told", 0)
	testproc.Must(err)
	over, err := atomics.OpenValue(r.Existing(), "over", false)
	testproc.Must(err)
	var wg gosync.WaitGroup
	for range 2 {
		wg.Go(func() {
			h := c.Holder()
			for !over.Load() {
				testproc.Must(lockCond(background, h))
				if args[1] == "storm" && rand.IntN(2) == 0 {
					testproc.Must(c.Notify(1 + rand.IntN(2)))
				} else if notified(c, h, time.Duration(rand.IntN(1000))*time.Microsecond) {
					atomics.Add(told, 1)
				}
				testproc.Must(h.Unlock())
			}
		})
	}
	testproc.Say("ready")
	wg.Wait()
	testproc.Say("over")
})

// lockCond locks, and repairs if a death is reported.
func lockCond(ctx context.Context, h *sync.Holder) error {
	_, err := lockOver(ctx, h)
	return err
}

// notified is one Wait of at most d, in a child. It repairs what it is told of.
func notified(c *sync.Cond, h *sync.Holder, d time.Duration) bool {
	ctx, cancel := context.WithTimeout(background, d)
	defer cancel()
	err := c.Wait(ctx)
	if errors.Is(err, sync.ErrOwnerDied) {
		testproc.Must(h.MarkConsistent())
	} else if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		testproc.Must(err)
	}
	return err == nil
}

// crowdValues are what a crowd counts, and looks at for its end.
func crowdValues(t testing.TB, r *shm.Region) (told *atomics.Value[int], over *atomics.Value[bool]) {
	t.Helper()
	told, err := atomics.OpenValue(r, "told", 0)
	must(t, err)
	over, err = atomics.OpenValue(r, "over", false)
	must(t, err)
	return told, over
}

func startCrowd(t testing.TB, r *shm.Region, how string) *testproc.Child {
	t.Helper()
	c := condCrowd.Start(t, r.Name(), how)
	c.Expect("ready")
	return c
}

// C15 between processes: as many are notified as were promised.
func TestCondCrowd(t *testing.T) {
	r := shmtest.Region(t)
	c := cond(t, r, "c", nil)
	told, over := crowdValues(t, r)
	var others []*testproc.Child
	for range 3 {
		others = append(others, startCrowd(t, r, "waits"))
	}
	h := c.Holder()
	promised := 0
	var ctx context.Context
	for n := 0; n < 3000 || promised == 0; n++ {
		if n >= 3000 {
			if ctx == nil {
				ctx = patience(t)
			}
			must(t, ctx.Err())
		}
		must(t, h.Lock(background))
		all, notified := condWaiting(t, r, "c")
		k := n % 4
		promised += min(k, all-notified)
		must(t, c.Notify(k))
		must(t, h.Unlock())
	}
	over.Store(true)
	for _, x := range others {
		x.Expect("over")
	}
	if told.Load() != promised || promised == 0 {
		t.Errorf("%d were notified, by %d notifications", told.Load(), promised)
	}
	if n, notified := condWaiting(t, r, "c"); n != 0 || notified != 0 {
		t.Errorf("%d wait, %d are notified", n, notified)
	}
}

// One after another of those who wait, notify and hold the lock is killed at a
// random time. Who lives goes on, and at the end nothing is left of anybody.
func TestCondStorm(t *testing.T) {
	r := shmtest.Region(t)
	c := cond(t, r, "c", nil)
	crowdValues(t, r)
	h := c.Holder()
	var cs [3]*testproc.Child
	for i := range cs {
		cs[i] = startCrowd(t, r, "storm")
	}
	repairs := 0
	for n := range 40 {
		ctx := patience(t)
		must(t, lockCond(ctx, h))
		if err := c.Wait(ctx); errors.Is(err, sync.ErrOwnerDied) { // somebody notifies, or dies with the lock
			must(t, h.MarkConsistent())
			repairs++
		} else {
			must(t, err)
		}
		must(t, h.Unlock())
		i := n % len(cs)
		cs[i].Kill()
		cs[i] = startCrowd(t, r, "storm")
	}
	for _, c := range cs {
		c.Kill()
	}
	ctx := patience(t)
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		must(t, lockCond(ctx, h))
		must(t, c.Notify(math.MaxInt))
		must(t, h.Unlock())
		if n, notified := condWaiting(t, r, "c"); n == 0 && notified == 0 && len(r.Participants()) == 1 {
			break
		} else if time.Since(begin) > testproc.Patience {
			t.Fatalf("%d wait, %d are notified", n, notified)
		}
	}
	t.Logf("%d Waits were told of a dead holder", repairs)
}
