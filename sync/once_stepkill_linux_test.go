package sync_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
	"example.com/tandem/test/stepkill"
)

// A task is a Once and what it does: to add one to a value, perhaps not before
// the event gate is set. Peers come when the event start is.
type task struct {
	o           *sync.Once
	gate, start *sync.Event
	ends        *atomics.Value[int64]
}

func openTask(r *shm.Region, name string) (x task, err error) {
	if x.o, err = sync.OpenOnce(r, name); err != nil {
		return x, err
	}
	if x.gate, err = sync.OpenEvent(r, name+"-gate"); err != nil {
		return x, err
	}
	if x.start, err = sync.OpenEvent(r, name+"-start"); err != nil {
		return x, err
	}
	x.ends, err = atomics.OpenValue(r, name+"-ends", int64(0))
	return x, err
}

// do does the task at once, and reports whether it was this call that did.
func (x task) do(ctx context.Context) (did bool, err error) {
	err = x.o.Do(ctx, func(context.Context) error {
		did = true
		atomics.Add(x.ends, 1)
		return nil
	})
	return did, err
}

func (x task) once() error {
	_, err := x.do(background)
	return err
}

var errTask = errors.New("the task fails")

// fails is a Do that fails, unless it has been done.
func (x task) fails(wild bool) (err error) {
	defer func() {
		if p := recover(); p != nil && p != errTask {
			panic(p)
		}
	}()
	err = x.o.Do(background, func(context.Context) error {
		if wild {
			panic(errTask)
		}
		return errTask
	})
	if err == errTask {
		return nil
	}
	return err
}

// gated does it when the gate is open, and then fails with failure.
func (x task) gated(failure error) error {
	err := x.o.Do(background, func(context.Context) error {
		if err := x.gate.Wait(background); err != nil {
			return err
		}
		if failure == nil {
			atomics.Add(x.ends, 1)
		}
		return failure
	})
	if err == errTask {
		return nil
	}
	return err
}

// onOnce names what a victim does to the task "o". It is rehearsed on another,
// whose gate is open.
func onOnce(name string, do func(x task) error) stepkill.Op {
	return stepkill.Rehearsed("once/"+name, "o", func(r *shm.Region, name string) (func() error, error) {
		x, err := openTask(r, name)
		if err == nil && name == stepkill.Rehearsal {
			err = errors.Join(x.gate.Set(), x.start.Set())
		}
		return func() error { return do(x) }, err
	})
}

var (
	victimDoes   = onOnce("do", task.once)
	victimErrs   = onOnce("do-fails", func(x task) error { return x.fails(false) })
	victimPanics = onOnce("do-panics", func(x task) error { return x.fails(true) })
	victimGated  = onOnce("do-gated", func(x task) error { return x.gated(nil) })
	victimGatedF = onOnce("do-gated-fails", func(x task) error { return x.gated(errTask) })
	peerDoes     = onOnce("peer-does", func(x task) error { return errors.Join(x.start.Wait(background), x.once()) })
)

// over has this process do the task, if nobody has, and looks at how often it
// was done: it was, by somebody; and if the victim's own Do returned nil, by
// the victim or by who did it before it, and not again.
func (x task) over(t *testing.T, d stepkill.Death, victim bool) {
	t.Helper()
	before := x.ends.Load()
	did, err := x.do(stepkill.Watchdog(t))
	must(t, err)
	n := x.ends.Load()
	if n < 1 || n > 2 || did != (n > before) {
		t.Errorf("after a death %v it was done %d times, and then by this process: %v", d, n, did)
	}
	if d.Returned && victim && (did || n != 1) {
		t.Errorf("after a death %v, when it had been done, it was done %d times", d, n)
	}
	if again, err := x.do(stepkill.Watchdog(t)); again || err != nil {
		t.Errorf("what this process did it did again: %v, %v", again, err)
	}
}

// Nobody else is there; and it has been done before.
func TestLoneOnceKilledAnywhere(t *testing.T) {
	for _, op := range stepkill.Some(t, victimDoes, victimErrs, victimPanics) {
		stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
			x, err := openTask(s.Region, "o")
			must(t, err)
			d := s.Die(nil)
			x.over(t, d, op == victimDoes)
		})
	}
	t.Run("done", func(t *testing.T) {
		stepkill.Every(t, victimErrs, func(t *testing.T, s *stepkill.Stage) {
			x, err := openTask(s.Region, "o")
			must(t, err)
			must(t, x.once())
			x.over(t, s.Die(nil), true)
			if n := x.ends.Load(); n != 1 {
				t.Errorf("done %d times", n)
			}
		})
	})
}

// begun waits until somebody is at the task, and sleeps at its gate; it reports
// false if the third process of the region is gone instead.
func begun(t *testing.T, r *shm.Region) bool {
	for end := time.Now().Add(testproc.Patience); shmtest.Waiting(r, "o-gate") == 0; time.Sleep(time.Millisecond) {
		if len(r.Participants()) < 3 {
			return false
		}
		if time.Now().After(end) {
			t.Error("nobody begins the task")
			return false
		}
	}
	return true
}

// The victim is at it when others come, here and in another process; and ends
// it, or fails. One of them follows it, or all hear that it has been done.
func TestOnceRunnerKilledAnywhere(t *testing.T) {
	for _, op := range []stepkill.Op{victimGated, victimGatedF} {
		stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
			x, err := openTask(s.Region, "o")
			must(t, err)
			ctx := stepkill.Watchdog(t)
			here := make(chan error, 1)
			peer := s.StartBlocked(peerDoes)
			d := s.Die(func() {
				if !begun(t, s.Region) { // what it blocked in was something else, and it died soon after
					return
				}
				go func() { _, err := x.do(ctx); here <- err }()
				if err := x.start.Set(); err != nil {
					t.Error(err)
				}
				shmtest.AwaitWaiting(t, s.Region, "o", 2)
				if err := x.gate.Set(); err != nil {
					t.Error(err)
				}
			})
			if x.start.IsSet() {
				if err := <-here; err != nil {
					t.Errorf("after a death %v one who waited = %v", d, err)
				}
			}
			must(t, x.start.Set())
			peer.Wait()
			if n := x.ends.Load(); n < 1 || n > 1 && (op == victimGatedF || d.Returned) {
				t.Errorf("after a death %v it was done %d times", d, n)
			}
			x.over(t, d, op == victimGated)
		})
	}
}

// This process is at it when the victim comes, alone or beside others; and ends
// it, or fails.
func TestOnceWaiterKilledAnywhere(t *testing.T) {
	for _, tt := range stepkill.Some(t, []struct {
		name    string
		peers   int
		failure error
	}{
		{"done", 0, nil},
		{"failed", 0, errTask},
		{"failed, beside others", 1, errTask},
	}...) {
		t.Run(tt.name, func(t *testing.T) {
			stepkill.Every(t, victimDoes, func(t *testing.T, s *stepkill.Stage) {
				x, err := openTask(s.Region, "o")
				must(t, err)
				must(t, x.start.Set())
				run := make(chan error, 1)
				go func() { run <- x.gated(tt.failure) }()
				shmtest.AwaitWaiting(t, s.Region, "o-gate", 1)
				var peers []*stepkill.Peer
				for range tt.peers {
					peers = append(peers, s.StartBlocked(peerDoes))
				}
				shmtest.AwaitWaiting(t, s.Region, "o", tt.peers)
				opened := false
				open := func() {
					opened = true
					if err := x.gate.Set(); err != nil {
						t.Error(err)
					}
				}
				d := s.Die(open)
				if !opened {
					if d.Returned {
						t.Errorf("the victim did not wait for who is at it: %v", d)
					}
					open()
				}
				if err := <-run; err != nil {
					t.Errorf("after a death %v of one who waited, Do = %v", d, err)
				}
				for _, p := range peers {
					p.Wait()
				}
				x.over(t, d, true)
			})
		})
	}
}

// Recovery: of one that is at one task, with others of its own waiting, and has
// done a second.
var (
	oncesLeft = stepkill.Register("once/peer leaves", func(r *shm.Region) (func() error, error) {
		xs, err := openTasks(r)
		return func() error {
			for range 3 {
				go xs[0].gated(nil)
			}
			for shmtest.Waiting(r, "o0") != 2 || shmtest.Waiting(r, "o0-gate") != 1 {
				time.Sleep(time.Millisecond)
			}
			return xs[1].once()
		}, err
	})
	oncesOpen = stepkill.RegisterOpen("open recovers onces")
	oncesHeal = stepkill.RegisterGuard("guard recovers onces", func(r *shm.Region) error {
		_, err := openTasks(r)
		return err
	})
)

func openTasks(r *shm.Region) (xs [2]task, err error) {
	for i := range xs {
		if xs[i], err = openTask(r, "o"+string(rune('0'+i))); err != nil {
			break
		}
	}
	return xs, err
}

func TestOnceRecoveryKilledAnywhere(t *testing.T) {
	for _, op := range []stepkill.Op{oncesOpen, oncesHeal} {
		records := 8
		if op == oncesOpen {
			if records = 1; os.Getenv("TANDEM_STEPKILL") != "all" { // it steps through all of an Open, as a Barrier's does
				continue
			}
		}
		stepkill.EveryRecovery(t, op, records, func(t *testing.T, r *shm.Region) {
			_, err := openTasks(r)
			must(t, err)
		}, oncesLeft, func(t *testing.T, r *shm.Region, d stepkill.Death) {
			xs, err := openTasks(r)
			must(t, err)
			awaitAlone(t, r, 1)
			for i, x := range xs {
				if did, err := x.do(stepkill.Watchdog(t)); did != (i == 0) || err != nil {
					t.Errorf("after a death %v, task %d was to be done: %v, %v", d, i, did, err)
				}
				x.over(t, d, false)
			}
		})
	}
}
