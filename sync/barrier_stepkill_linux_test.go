package sync_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
	"example.com/tandem/test/stepkill"
)

// onBarrier names what a victim does at the barrier b, which others have made.
// It is rehearsed at another, of one party.
func onBarrier(name string, action func() error, do func(b *sync.Barrier) error) stepkill.Op {
	o := &sync.BarrierOptions{Action: action}
	return stepkill.Rehearsed("barrier/"+name, "b", func(r *shm.Region, name string) (func() error, error) {
		if name != stepkill.Rehearsal {
			b, err := sync.OpenBarrier(r, name, 0, o)
			return func() error { return do(b) }, err
		}
		b, err := sync.OpenBarrier(r, name, 1, o)
		return func() error { return errors.Join(do(b), b.Reset()) }, err
	})
}

func waitOnce(b *sync.Barrier) error {
	_, err := b.Wait(background)
	return err
}

// untilBroken waits, and to be told ErrBroken is well.
func untilBroken(b *sync.Barrier) error {
	if err := waitOnce(b); !errors.Is(err, sync.ErrBroken) {
		return err
	}
	return nil
}

var (
	victimComes = onBarrier("wait", nil, waitOnce)
	victimActs  = onBarrier("wait-action", func() error { return nil }, waitOnce)
	victimFails = onBarrier("wait-action-fails", func() error { return errors.New("bad") }, untilBroken)
	victimTwice = onBarrier("wait-wait", nil, func(b *sync.Barrier) error { return errors.Join(waitOnce(b), waitOnce(b)) })
	victimTired = onBarrier("wait-timeout", nil, func(b *sync.Barrier) error {
		ctx, cancel := context.WithTimeout(background, 2*time.Millisecond)
		defer cancel()
		if _, err := b.Wait(ctx); !errors.Is(err, sync.ErrBroken) {
			return err // alone it passes
		}
		return nil
	})
	victimAborts = onBarrier("abort", nil, (*sync.Barrier).Abort)
	victimResets = onBarrier("reset", nil, (*sync.Barrier).Reset)
	peerComes    = onBarrier("peer-waits", nil, untilBroken)
	victimLeaves = stepkill.Register("barrier/close the region beside a Wait", func(r *shm.Region) (func() error, error) {
		b, err := sync.OpenBarrier(r, "b", 0, nil)
		if err != nil {
			return nil, err
		}
		others := b.Waiting()
		go b.Wait(background)
		for b.Waiting() == others {
			time.Sleep(time.Millisecond)
		}
		return r.Close, nil
	})
)

// atBarrier makes b, and has some sleep there: one here, the others processes
// of their own.
type atBarrier struct {
	t     *testing.T
	s     *stepkill.Stage
	b     *sync.Barrier
	here  <-chan passage
	peers []*stepkill.Peer
}

func sleepAt(t *testing.T, s *stepkill.Stage, parties, peers int) *atBarrier {
	t.Helper()
	x := &atBarrier{t: t, s: s, b: barrier(t, s.Region, "b", parties, nil)}
	x.come(peers)
	return x
}

func (x *atBarrier) come(peers int) {
	x.t.Helper()
	if peers < 0 {
		return
	}
	x.here = comeTo(stepkill.Watchdog(x.t), x.b, 1)
	for range peers {
		x.peers = append(x.peers, x.s.StartBlocked(peerComes))
	}
	shmtest.AwaitWaiting(x.t, x.s.Region, "b", 1+peers)
}

// told waits until the sleepers have been sent home, and returns what the one
// here was told.
func (x *atBarrier) told() error {
	x.t.Helper()
	p := <-x.here
	for _, q := range x.peers {
		q.Wait()
	}
	return p.err
}

// over waits until the dead is recovered. Then, after a Reset where the barrier
// is broken, a whole round passes.
func (x *atBarrier) over(d stepkill.Death) {
	x.t.Helper()
	awaitAlone(x.t, x.s.Region, 1+len(x.peers))
	if d.Returned && x.b.Waiting() != 0 {
		x.t.Errorf("after a death %v, %d wait", d, x.b.Waiting())
	}
	if x.b.Broken() {
		must(x.t, x.b.Reset())
	}
	passes(x.t, x.b)
	if n := x.b.Waiting(); n != 0 || x.b.Broken() {
		x.t.Errorf("after a death %v and a whole round %d wait, broken %v", d, n, x.b.Broken())
	}
}

// Alone: what a whole round is made of.
func TestLoneBarrierKilledAnywhere(t *testing.T) {
	for _, op := range stepkill.Some(t, victimComes, victimActs, victimFails, victimTwice, victimTired, victimAborts, victimResets) {
		stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
			x := sleepAt(t, s, 1, -1)
			d := s.Die(nil)
			if broken := op == victimFails || op == victimAborts; d.Returned && x.b.Broken() != broken && op != victimTired {
				t.Errorf("after a death %v: broken %v", d, x.b.Broken())
			}
			x.over(d)
		})
	}
}

// With others asleep, the victim comes last; or aborts; or resets. They are
// told, or wait on for who still comes.
func TestLastAtBarrierKilledAnywhere(t *testing.T) {
	for _, op := range stepkill.Some(t, victimComes, victimActs, victimFails) {
		stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
			x := sleepAt(t, s, 3, 1)
			d := s.Die(nil)
			awaitAlone(t, s.Region, 2)
			came := !x.b.Broken() && x.b.Waiting() == 2
			if came { // the victim had not come: somebody else may
				if d.Returned {
					t.Errorf("after a death %v the others still wait", d)
				}
				must(t, waitOnce(x.b))
			}
			switch err := x.told(); {
			case err == nil && op == victimFails && !came:
				t.Errorf("after a death %v the others pass, without the action", d)
			case err != nil && (came || d.Returned && op != victimFails || !errors.Is(err, sync.ErrBroken)):
				t.Errorf("after a death %v a sleeper is told %v", d, err)
			}
			x.over(d)
		})
	}
}

func TestUpsetBarrierKilledAnywhere(t *testing.T) {
	for _, op := range stepkill.Some(t, victimAborts, victimResets, victimTired) {
		stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
			x := sleepAt(t, s, 4, 1)
			d := s.Die(nil)
			awaitAlone(t, s.Region, 2)
			if waits := !x.b.Broken() && x.b.Waiting() == 2; waits {
				if d.Returned {
					t.Errorf("after a death %v the others still wait", d)
				}
				must(t, x.b.Abort())
			}
			if err := x.told(); !errors.Is(err, sync.ErrBroken) {
				t.Errorf("after a death %v a sleeper is told %v", d, err)
			}
			x.over(d)
		})
	}
}

// With others asleep, a process that one of the parties is of leaves: they are told, by it or
// who recovers it.
func TestLeaveBarrierKilledAnywhere(t *testing.T) {
	stepkill.Every(t, victimLeaves, func(t *testing.T, s *stepkill.Stage) {
		x := sleepAt(t, s, 4, 1)
		d := s.Die(nil)
		awaitAlone(t, s.Region, 2)
		if err := x.told(); !errors.Is(err, sync.ErrBroken) {
			t.Errorf("after a death %v a sleeper is told %v", d, err)
		}
		x.over(d)
	})
}

// The victim comes first, sleeps, and is woken by the last, by Abort or by Reset.
func TestFirstAtBarrierKilledAnywhere(t *testing.T) {
	t.Run("passed", func(t *testing.T) {
		for _, op := range []stepkill.Op{victimComes, victimTwice} {
			stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
				x := sleepAt(t, s, 2, -1)
				var again <-chan passage
				d := s.Die(func() {
					if err := untilBroken(x.b); err != nil {
						t.Error(err)
					}
					if op == victimTwice { // it comes last
						again = comeTo(stepkill.Watchdog(t), x.b, 1)
					}
				})
				awaitAlone(t, s.Region, 1)
				if again != nil && !d.Returned {
					must(t, x.b.Abort()) // it has not come, perhaps
				}
				if again != nil {
					if p := <-again; p.err != nil && (d.Returned || !errors.Is(p.err, sync.ErrBroken)) {
						t.Errorf("after a death %v the other is told %v", d, p.err)
					}
				}
				x.over(d)
			})
		}
	})
	for name, end := range map[string]func(*sync.Barrier) error{"aborted": (*sync.Barrier).Abort, "reset": (*sync.Barrier).Reset} {
		t.Run(name, func(t *testing.T) {
			stepkill.Every(t, peerComes, func(t *testing.T, s *stepkill.Stage) {
				x := sleepAt(t, s, 4, 1)
				d := s.Die(func() { must(t, end(x.b)) })
				awaitAlone(t, s.Region, 2)
				if !x.b.Broken() && x.b.Waiting() != 0 {
					must(t, end(x.b))
				}
				if err := x.told(); !errors.Is(err, sync.ErrBroken) {
					t.Errorf("after a death %v a sleeper is told %v", d, err)
				}
				x.over(d)
			})
		})
	}
}

// One too many: the round is full and its Action runs; the victim waits for
// the next.
func TestExtraAtBarrierKilledAnywhere(t *testing.T) {
	stepkill.Every(t, victimComes, func(t *testing.T, s *stepkill.Stage) {
		x := sleepAt(t, s, 1, -1)
		in, out := make(chan bool), make(chan bool)
		acts := barrier(t, s.Region, "b", 1, func() error { in <- true; <-out; return nil })
		done := comeTo(stepkill.Watchdog(t), acts, 1)
		<-in
		ended := false
		end := func() {
			if !ended {
				ended = true
				out <- true
				if p := <-done; p.err != nil {
					t.Errorf("a round that the victim is not of is told %v", p.err)
				}
			}
		}
		d := s.Die(end)
		end()
		x.over(d)
	})
}

// Recovery: of one who waits twice at one barrier, acts at a second, and has
// others waiting with it at a third, which is broken.
var (
	barrierLeft = stepkill.Register("barrier/peer leaves", func(r *shm.Region) (func() error, error) {
		bs, err := openBarriers(r)
		return func() error {
			acting := make(chan bool)
			acts, err := sync.OpenBarrier(r, "b1", 1, &sync.BarrierOptions{Action: func() error { acting <- true; select {} }})
			if err != nil {
				return err
			}
			go acts.Wait(background)
			<-acting
			for range 2 {
				go bs[0].Wait(background)
			}
			go bs[2].Wait(background)
			for bs[0].Waiting() != 2 || bs[2].Waiting() != 1 {
				time.Sleep(time.Millisecond)
			}
			return bs[2].Abort()
		}, err
	})
	barrierOpens = stepkill.RegisterOpen("open recovers barriers")
	barrierHeals = stepkill.RegisterGuard("guard recovers barriers", func(r *shm.Region) error {
		_, err := openBarriers(r)
		return err
	})
)

func openBarriers(r *shm.Region) (bs [3]*sync.Barrier, err error) {
	for i, parties := range []int{3, 1, 2} {
		if bs[i], err = sync.OpenBarrier(r, "b"+strconv.Itoa(i), parties, nil); err != nil {
			break
		}
	}
	return bs, err
}

func TestBarrierRecoveryKilledAnywhere(t *testing.T) {
	for _, op := range stepkill.Some(t, barrierOpens, barrierHeals) {
		records := 8
		if op == barrierOpens {
			records = 1
		}
		stepkill.EveryRecovery(t, op, records, func(t *testing.T, r *shm.Region) {
			_, err := openBarriers(r)
			must(t, err)
		}, barrierLeft, func(t *testing.T, r *shm.Region, d stepkill.Death) {
			bs, err := openBarriers(r)
			must(t, err)
			awaitAlone(t, r, 1)
			for i, b := range bs {
				if !b.Broken() {
					t.Errorf("after a death %v, barrier %d, where a dead one was, is not broken", d, i)
				}
				if err := waitOnce(b); !errors.Is(err, sync.ErrBroken) {
					t.Errorf("after a death %v, Wait at barrier %d = %v", d, i, err)
				}
				must(t, b.Reset())
				for range 2 { // the other bank, too
					passes(t, b)
				}
			}
		})
	}
}
