package sync_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
	"example.com/tandem/test/stepkill"
)

// onEvent names what a victim does to the event e. It is rehearsed on another,
// which is set.
func onEvent(name string, do func(e *sync.Event) error) stepkill.Op {
	return stepkill.Rehearsed("event/"+name, "e", func(r *shm.Region, name string) (func() error, error) {
		e, err := sync.OpenEvent(r, name)
		if err == nil && name == stepkill.Rehearsal {
			err = e.Set()
		}
		return func() error { return do(e) }, err
	})
}

// The note of a victim that has set the event.
const itHasSet = 1

var (
	victimSets   = onEvent("set", (*sync.Event).Set)
	victimClears = onEvent("clear", (*sync.Event).Clear)
	victimPulses = onEvent("set-clear", func(e *sync.Event) error {
		err := e.Set()
		stepkill.Note(itHasSet)
		return errors.Join(err, e.Clear())
	})
	victimAwaits  = onEvent("wait", func(e *sync.Event) error { return e.Wait(background) })
	victimAwaitsS = onEvent("wait-timeout", func(e *sync.Event) error {
		ctx, cancel := context.WithTimeout(background, 2*time.Millisecond)
		defer cancel()
		if err := e.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return nil
	})
	peerAwaits = onEvent("peer-waits", func(e *sync.Event) error { return e.Wait(background) })
)

// atEvent makes e, and has some wait for it: one here, the others processes of
// their own.
type atEvent struct {
	t     *testing.T
	s     *stepkill.Stage
	e     *sync.Event
	here  chan error
	peers []*stepkill.Peer
}

func sleepFor(t *testing.T, s *stepkill.Stage, peers int) *atEvent {
	t.Helper()
	e, err := sync.OpenEvent(s.Region, "e")
	must(t, err)
	x := &atEvent{t: t, s: s, e: e}
	x.come(peers)
	return x
}

// come has them wait, and returns when all sleep. Below 0: not even one here.
func (x *atEvent) come(peers int) {
	x.t.Helper()
	x.peers, x.here = nil, make(chan error, 1)
	if peers < 0 {
		x.here = nil
		return
	}
	ctx := stepkill.Watchdog(x.t)
	go func() { x.here <- x.e.Wait(ctx) }()
	for range peers {
		x.peers = append(x.peers, x.s.StartBlocked(peerAwaits))
	}
	shmtest.AwaitWaiting(x.t, x.s.Region, "e", 1+peers)
}

// woken waits until all have been woken.
func (x *atEvent) woken(d stepkill.Death) {
	x.t.Helper()
	if x.here != nil {
		if err := <-x.here; err != nil {
			x.t.Errorf("after a death %v a Wait for a Set that was = %v", d, err)
		}
	}
	for _, p := range x.peers {
		p.Wait()
	}
}

// still is that nobody has been woken.
func (x *atEvent) still(d stepkill.Death) {
	x.t.Helper()
	awaitAlone(x.t, x.s.Region, 1+len(x.peers)) // recovery has woken whom it would
	select {
	case err := <-x.here:
		x.t.Errorf("after a death %v without a Set, Wait = %v", d, err)
		x.here <- err
	default:
	}
	for _, p := range x.peers {
		if p.Returned() {
			x.t.Errorf("after a death %v without a Set, a peer's Wait has returned", d)
		}
	}
}

// again has the event wake somebody, and let everybody through, once more.
func (x *atEvent) again(d stepkill.Death) {
	x.t.Helper()
	must(x.t, x.e.Clear())
	x.come(0)
	must(x.t, x.e.Set())
	x.woken(d)
	if !x.e.IsSet() {
		x.t.Error("not set after Set")
	}
	must(x.t, x.e.Wait(background))
	must(x.t, x.e.Clear())
	if x.e.IsSet() {
		x.t.Error("set after Clear")
	}
}

// Nobody waits.
func TestLoneEventKilledAnywhere(t *testing.T) {
	for _, op := range stepkill.Some(t, victimSets, victimClears, victimPulses, victimAwaits) {
		stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
			x := sleepFor(t, s, -1)
			if op == victimClears || op == victimAwaits {
				must(t, x.e.Set())
			}
			d := s.Die(nil)
			if set := op == victimSets || op == victimAwaits; d.Returned && x.e.IsSet() != set {
				t.Errorf("after a death %v: set %v", d, x.e.IsSet())
			}
			x.again(d)
		})
	}
}

// Others wait: either nothing has happened, or all are woken without anybody's
// help.
func TestSettersKilledAnywhere(t *testing.T) {
	for _, op := range []stepkill.Op{victimSets, victimPulses} {
		stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
			x := sleepFor(t, s, 1)
			d := s.Die(nil)
			if !d.Returned && d.Note != itHasSet && !x.e.IsSet() {
				x.still(d)
				must(t, x.e.Set())
			}
			x.woken(d)
			x.again(d)
		})
	}
}

// A setter that finds it set already.
func TestSecondSettersKilledAnywhere(t *testing.T) {
	stepkill.Every(t, victimPulses, func(t *testing.T, s *stepkill.Stage) {
		x := sleepFor(t, s, -1)
		must(t, x.e.Set())
		d := s.Die(nil)
		if set := x.e.IsSet(); d.Note != itHasSet && !set || d.Returned && set {
			t.Errorf("after a death %v: set %v", d, set)
		}
		x.again(d)
	})
}

// The victim waits, alone and beside others, and is woken by Set, by a pulse,
// or by its time.
func TestEventWaitersKilledAnywhere(t *testing.T) {
	pulse := func(e *sync.Event) error { return errors.Join(e.Set(), e.Clear()) }
	for _, tt := range stepkill.Some(t, []struct {
		name  string
		op    stepkill.Op
		peers int
		wake  func(e *sync.Event) error
	}{
		{"alone, set", victimAwaits, -1, (*sync.Event).Set},
		{"alone, pulse", victimAwaits, -1, pulse},
		{"beside others, pulse", victimAwaits, 1, pulse},
		{"beside others, timeout", victimAwaitsS, 0, pulse},
	}...) {
		t.Run(tt.name, func(t *testing.T) {
			stepkill.Every(t, tt.op, func(t *testing.T, s *stepkill.Stage) {
				x := sleepFor(t, s, tt.peers)
				woken := false
				wake := func() {
					woken = true
					if err := tt.wake(x.e); err != nil {
						t.Error(err)
					}
				}
				var d stepkill.Death
				if tt.op == victimAwaitsS {
					d = s.Die(func() {})
				} else {
					d = s.Die(wake)
				}
				if !woken {
					if tt.op != victimAwaitsS && d.Returned {
						t.Errorf("the victim was let through an event that is not set: %v", d)
					}
					wake()
				}
				x.woken(d)
				x.again(d)
			})
		})
	}
}

// Recovery: of one who waits for three events by five goroutines, and has set a
// fourth.
var (
	eventsLeft = stepkill.Register("event/peer leaves", func(r *shm.Region) (func() error, error) {
		es, err := openEvents(r)
		return func() error {
			for i, n := range []int{1, 2, 2} {
				for range n {
					go es[i].Wait(background)
				}
			}
			for shmtest.Waiting(r, "e0")+shmtest.Waiting(r, "e1")+shmtest.Waiting(r, "e2") != 5 {
				time.Sleep(time.Millisecond)
			}
			return es[3].Set()
		}, err
	})
	eventsOpen = stepkill.RegisterOpen("open recovers events")
	eventsHeal = stepkill.RegisterGuard("guard recovers events", func(r *shm.Region) error {
		_, err := openEvents(r)
		return err
	})
)

func openEvents(r *shm.Region) (es [4]*sync.Event, err error) {
	for i := range es {
		if es[i], err = sync.OpenEvent(r, "e"+string(rune('0'+i))); err != nil {
			break
		}
	}
	return es, err
}

func TestEventRecoveryKilledAnywhere(t *testing.T) {
	for _, op := range []stepkill.Op{eventsOpen, eventsHeal} {
		records := 8
		if op == eventsOpen {
			if records = 1; os.Getenv("TANDEM_STEPKILL") != "all" { // it steps through all of an Open, as a Barrier's does
				continue
			}
		}
		stepkill.EveryRecovery(t, op, records, func(t *testing.T, r *shm.Region) {
			_, err := openEvents(r)
			must(t, err)
		}, eventsLeft, func(t *testing.T, r *shm.Region, d stepkill.Death) {
			es, err := openEvents(r)
			must(t, err)
			awaitAlone(t, r, 1)
			for i, e := range es {
				if set := i == 3; e.IsSet() != set {
					t.Errorf("after a death %v, event %d: set %v", d, i, !set)
				}
				must(t, e.Clear())
				done := make(chan error)
				ctx := stepkill.Watchdog(t)
				go func() { done <- e.Wait(ctx) }()
				shmtest.AwaitWaiting(t, r, "e"+string(rune('0'+i)), 1)
				must(t, e.Set())
				must(t, <-done)
			}
		})
	}
}
