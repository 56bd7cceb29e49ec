package sync_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
	"example.com/tandem/test/stepkill"
)

// A victim is killed after every instruction of what a Cond can do.

// onCond names what a victim does with the Cond c and a holder of its own lock.
// It is rehearsed on another Cond, all of whose waits are ended.
func onCond(name string, do func(c *sync.Cond, h *sync.Holder) error) stepkill.Op {
	return onCondIn(name, func(_ *shm.Region, c *sync.Cond, h *sync.Holder) error { return do(c, h) })
}

func onCondIn(name string, do func(r *shm.Region, c *sync.Cond, h *sync.Holder) error) stepkill.Op {
	return stepkill.Rehearsed("cond/"+name, "c", func(r *shm.Region, name string) (func() error, error) {
		c, err := sync.OpenCond(r, name, nil)
		if err != nil {
			return nil, err
		}
		h := c.Holder()
		run := func() error { return do(r, c, h) }
		if name == stepkill.Rehearsal {
			return func() error { return besideNotifier(c, run) }, nil
		}
		return run, nil
	})
}

// besideNotifier runs with somebody beside it who notifies all, again and again.
func besideNotifier(c *sync.Cond, run func() error) error {
	over, ended := make(chan bool), make(chan error)
	go func() {
		h := c.Holder()
		for {
			err := errors.Join(lockCond(background, h), c.NotifyAll(), h.Unlock())
			select {
			case <-over:
				ended <- err
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	err := run()
	close(over)
	return errors.Join(err, <-ended)
}

// waitCond waits, and repairs what it is told of.
func waitCond(ctx context.Context, c *sync.Cond, h *sync.Holder) error {
	err := lockCond(ctx, h)
	if err == nil {
		if err = c.Wait(ctx); errors.Is(err, sync.ErrOwnerDied) {
			err = h.MarkConsistent()
		}
		err = errors.Join(err, h.Unlock())
	}
	return err
}

func notifyCond(n int) func(c *sync.Cond, h *sync.Holder) error {
	return func(c *sync.Cond, h *sync.Holder) error {
		err := lockCond(background, h)
		if err == nil {
			if err = c.Notify(n); err == nil {
				stepkill.Note(itHolds)
			}
			err = errors.Join(err, h.Unlock())
		}
		return err
	}
}

var (
	condWaits = onCond("wait", func(c *sync.Cond, h *sync.Holder) error {
		return waitCond(background, c, h)
	})
	condGivesUp = onCondIn("wait-cancelled", func(r *shm.Region, c *sync.Cond, h *sync.Holder) error {
		ctx, cancel := context.WithCancel(background)
		defer cancel()
		if err := lockCond(background, h); err != nil {
			return err
		}
		over := make(chan bool)
		defer close(over)
		go cancelAsleep(r, cancel, over)
		if err := c.Wait(ctx); err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		stepkill.Note(itHeld)
		return h.Unlock()
	})
	condNotifies = onCond("notify", notifyCond(2))
	condHeals    = onCond("heal", notifyCond(0))
	// peers, at full speed
	condPeer  = onCond("peer waits", func(c *sync.Cond, h *sync.Holder) error { return waitCond(background, c, h) })
	condPeers = onCond("two of a peer wait", func(c *sync.Cond, h *sync.Holder) error {
		told := make(chan error)
		go func() { told <- waitCond(background, c, c.Holder()) }()
		return errors.Join(waitCond(background, c, h), <-told)
	})
)

// cancelAsleep calls cancel when this process has somebody asleep, unless it
// is over before.
func cancelAsleep(r *shm.Region, cancel func(), over chan bool) {
	for {
		select {
		case <-over:
			return
		case <-time.After(time.Millisecond):
		}
		s, err := r.Snapshot()
		testproc.Must(err)
		for _, o := range s.Objects {
			for _, w := range o.Waits {
				if w.Index == r.Self().Index {
					cancel()
					return
				}
			}
		}
	}
}

// waitsHere has a goroutine of this process wait; told is what came of it.
func waitsHere(t *testing.T, s *stepkill.Stage, c *sync.Cond, before int) (told chan error) {
	t.Helper()
	told = make(chan error, 1)
	ctx := stepkill.Watchdog(t)
	go func() { told <- waitCond(ctx, c, c.Holder()) }()
	awaitWaiting(t, s.Region, "c", before+1)
	shmtest.AwaitWaiting(t, s.Region, "c", before+1)
	return told
}

// over is what must hold after a death: the lock can be had, all who wait can
// be told, and nothing is left of anybody.
func over(t *testing.T, s *stepkill.Stage, c *sync.Cond, d stepkill.Death, told ...chan error) {
	t.Helper()
	tell(t, s, c, d, told...)
	nothingLeft(t, s, c, d)
}

func tell(t *testing.T, s *stepkill.Stage, c *sync.Cond, d stepkill.Death, told ...chan error) {
	t.Helper()
	buried(t, s.Region)
	ctx := stepkill.Watchdog(t)
	h := c.Holder()
	if err := lockCond(ctx, h); err != nil {
		t.Fatalf("after a death %v: %v", d, err)
	}
	must(t, errors.Join(c.NotifyAll(), h.Unlock()))
	for _, told := range told {
		if err := <-told; err != nil {
			t.Fatalf("after a death %v one who waits is told %v", d, err)
		}
	}
}

func nothingLeft(t *testing.T, s *stepkill.Stage, c *sync.Cond, d stepkill.Death) {
	t.Helper()
	ctx := stepkill.Watchdog(t)
	h := c.Holder()
	must(t, lockCond(ctx, h))
	must(t, c.Notify(0)) // heals
	if n, notified := condWaiting(t, s.Region, "c"); n != 0 || notified != 0 {
		t.Errorf("after a death %v, %d wait and %d are notified", d, n, notified)
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if err := c.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after a death %v, and nobody's Notify, Wait = %v", d, err)
	}
	must(t, h.Unlock())
}

// buried waits until all participants live, the dead having been recovered.
func buried(t testing.TB, r *shm.Region) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		dead := 0
		for _, p := range r.Participants() {
			if syscall.Kill(p.PID, 0) != nil {
				dead++
			}
		}
		if dead == 0 {
			return
		}
		if time.Since(begin) > testproc.Patience {
			t.Fatalf("%d dead are not recovered", dead)
		}
	}
}

// A waiter: alone, beside one of this process, and one of another.
func TestCondWaitKilledAnywhere(t *testing.T) {
	for name, others := range map[string]int{"alone": 0, "with others": 1} {
		t.Run(name, func(t *testing.T) {
			stepkill.Every(t, condWaits, func(t *testing.T, s *stepkill.Stage) {
				c := cond(t, s.Region, "c", nil)
				var told []chan error
				var peer *stepkill.Peer
				if others > 0 {
					peer = s.StartBlocked(condPeer)
					peer.Asleep()
					told = append(told, waitsHere(t, s, c, 1))
				}
				d := s.Die(func() {
					h := c.Holder()
					if err := errors.Join(h.Lock(stepkill.Watchdog(t)), c.Notify(1+2*others), h.Unlock()); err != nil {
						t.Error(err)
					}
				})
				tell(t, s, c, d, told...)
				if peer != nil {
					peer.Wait()
				}
				nothingLeft(t, s, c, d)
			})
		})
	}
}

// One who gives up, while others wait.
func TestCondGivesUpKilledAnywhere(t *testing.T) {
	stepkill.Every(t, condGivesUp, func(t *testing.T, s *stepkill.Stage) {
		c := cond(t, s.Region, "c", nil)
		told := waitsHere(t, s, c, 0)
		d := s.Die(func() {}) // it wakes by itself
		if d.Returned && d.Note != itHeld {
			t.Errorf("it died %v, and has not given up", d)
		}
		over(t, s, c, d, told)
	})
}

// A notifier, of one here and one in another process. What it has said is so.
func TestCondNotifyKilledAnywhere(t *testing.T) {
	stepkill.Every(t, condNotifies, func(t *testing.T, s *stepkill.Stage) {
		c := cond(t, s.Region, "c", nil)
		peer := s.StartBlocked(condPeer)
		peer.Asleep()
		told := waitsHere(t, s, c, 1)
		d := s.Die(nil)
		if d.Note == itHolds {
			must(t, <-told)
			peer.Wait()
			over(t, s, c, d)
			return
		}
		tell(t, s, c, d, told)
		peer.Wait()
		nothingLeft(t, s, c, d)
	})
}

// One who deals what a dead one had been granted to others, who are stopped
// meanwhile: they get it, without another word, wherever the healer dies.
func TestCondHealKilledAnywhere(t *testing.T) {
	stepkill.Every(t, condHeals, func(t *testing.T, s *stepkill.Stage) {
		c := cond(t, s.Region, "c", nil)
		two := s.StartBlocked(condPeers)
		awaitWaiting(t, s.Region, "c", 2)
		shmtest.AwaitWaiting(t, s.Region, "c", 2)
		one := s.StartBlocked(condPeer)
		awaitWaiting(t, s.Region, "c", 3)
		shmtest.AwaitWaiting(t, s.Region, "c", 3)
		pids := map[int]int{} // how many wait in a process
		for _, w := range condHolders(t, s.Region) {
			must(t, syscall.Kill(w.PID, syscall.SIGSTOP))
			pids[w.PID] = w.N
			for begin := time.Now(); strings.Trim(testproc.Threads(w.PID), "T") != ""; time.Sleep(time.Millisecond) {
				if time.Since(begin) > testproc.Patience {
					t.Fatalf("process %d does not stop", w.PID)
				}
			}
		}
		h := c.Holder()
		must(t, h.Lock(background))
		must(t, c.Notify(2)) // one in each process
		must(t, h.Unlock())
		one.Kill()
		for begin := time.Now(); ; time.Sleep(time.Millisecond) { // until it is taken out
			if n, _ := condWaiting(t, s.Region, "c"); n == 2 {
				break
			} else if time.Since(begin) > testproc.Patience {
				t.Fatalf("%d wait, want 2", n)
			}
		}
		d := s.Die(nil)
		for pid, n := range pids {
			if n == 2 {
				must(t, syscall.Kill(pid, syscall.SIGCONT))
			}
		}
		two.Wait()
		over(t, s, c, d)
	})
}

// condHolders are the processes that wait on c.
func condHolders(t testing.TB, r *shm.Region) (hs []shm.Holder) {
	t.Helper()
	s, err := r.Snapshot()
	must(t, err)
	for _, o := range s.Objects {
		if o.Name == "c" {
			hs = o.Holders
		}
	}
	return hs
}
