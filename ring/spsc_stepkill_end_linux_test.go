package ring_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// A victim is killed after every instruction of what one does at the end of an SPSC: who finds
// it decides where it is (E2), and so does a producer that closes the region (E1); it may die
// before, over that, or behind it. And of Poll, which waits and takes no side.

// An endScene is a state of an SPSC, and what a victim does that comes upon its end, or waits
// for it.
type endScene struct {
	name  string
	n     int                              // messages 1 to n are there,
	own   bool                             // which the victim has put
	taken bool                             // it takes them, and notes each
	shut  bool                             // it has been shut down,
	late  bool                             // or is, once the victim has prepared
	wake  func(*ring.SPSC[tagged]) error   // what it waits for, asleep
	do    func(s *ring.SPSC[tagged]) error // nil: it closes the region
	peer  bool                             // it polls, and a consumer sleeps beside it
}

var endScenes = []endScene{
	{name: "get to the end", n: 1, taken: true, shut: true, do: getToTheEnd},
	{name: "get the end", shut: true, do: getToTheEnd},
	{name: "get, until it is shut down", wake: (*ring.SPSC[tagged]).Shutdown, do: getToTheEnd},
	{name: "put, shut down", shut: true, do: putTooLate},
	{name: "put, full, until it is shut down", n: holds, own: true, wake: (*ring.SPSC[tagged]).Shutdown, do: putTooLate},
	{name: "close the region, shut down", n: 1, own: true, late: true},
	{name: "poll, shut down", shut: true, do: polls},
	{name: "poll, until it is shut down", wake: (*ring.SPSC[tagged]).Shutdown, do: polls},
	{name: "poll, beside a consumer asleep", wake: putTheLast, do: polls, peer: true},
}

// getToTheEnd gets what is there.
func getToTheEnd(s *ring.SPSC[tagged]) error {
	for n := 1; ; n++ {
		_, err := s.Get(background)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		stepkill.Note(n)
	}
}

// putTooLate puts nothing.
func putTooLate(s *ring.SPSC[tagged]) error {
	if err := s.Put(background, tag(101)); !errors.Is(err, ring.ErrShutdown) {
		return fmt.Errorf("Put = %v", err)
	}
	return nil
}

// putTheLast puts a message, which the consumer gets, and an end, which is there for all.
func putTheLast(s *ring.SPSC[tagged]) error { return errors.Join(s.TryPut(tag(101)), s.Shutdown()) }

func polls(s *ring.SPSC[tagged]) error { return s.Poll(background) }

var endOps = func() map[string]stepkill.Op {
	ops := map[string]stepkill.Op{}
	for _, sc := range endScenes {
		ops[sc.name] = stepkill.Rehearsed("spsc's end: "+sc.name, "s", func(r *shm.Region, name string) (func() error, error) {
			s, err := openTagged(r, name)
			if err != nil || name == stepkill.Rehearsal {
				return func() error {
					return errors.Join(rehearseSides(s), s.Poll(background), getToTheEnd(s), putTooLate(s))
				}, err
			}
			for n := 1; sc.own && n <= sc.n && err == nil; n++ {
				err = s.TryPut(tag(n))
			}
			if sc.do == nil {
				return r.Close, err
			}
			return func() error { return sc.do(s) }, err
		})
	}
	return ops
}()

func TestSPSCEndKilledAnywhere(t *testing.T) {
	for _, sc := range stepkill.Some(t, endScenes...) {
		t.Run(sc.name, func(t *testing.T) {
			stepkill.Every(t, endOps[sc.name], func(t *testing.T, s *stepkill.Stage) { sc.play(t, s) })
		})
	}
}

// play is one death.
func (sc endScene) play(t *testing.T, stage *stepkill.Stage) {
	s, err := openTagged(stage.Region, "s")
	for n := 1; !sc.own && n <= sc.n && err == nil; n++ {
		err = s.TryPut(tag(n))
	}
	if err == nil && sc.shut {
		err = s.Shutdown()
	}
	if err != nil {
		t.Fatal(err)
	}
	if sc.late {
		stage.OnReady(func() {
			if err := s.Shutdown(); err != nil {
				t.Error(err)
			}
		})
	}
	var peer *stepkill.Peer
	attached := 1
	if sc.peer {
		attached = 2
		stage.OnReady(func() {
			peer = stage.StartBlocked(consumes)
			peer.Asleep()
		})
	}
	wake := sc.wake
	var woken func()
	if wake != nil {
		woken = func() {
			if err := wake(s); err != nil {
				t.Error(err)
			}
			wake = nil
		}
	}
	d := stage.Die(woken)
	if wake != nil {
		woken() // it died before it slept
	}

	ctx := stepkill.Watchdog(t)
	until := func(what string, ok func() bool) {
		t.Helper()
		for ; !ok(); time.Sleep(50 * time.Microsecond) {
			if ctx.Err() != nil {
				t.Fatalf("after a death %v: %s", d, what)
			}
		}
	}
	until("it has not been recovered", func() bool { return len(stage.Region.Participants()) == attached })
	if peer != nil { // whatever the one that polls was woken for
		until("the consumer has no end", peer.Returned)
		if n := peer.Note(); n != 1 {
			t.Errorf("after a death %v: the consumer has got %d messages", d, n)
		}
		sideScene{}.over(t, s, nil)
		return
	}
	low, high := 0, 0
	if sc.taken {
		low, high = d.Note, min(d.Note+1, sc.n)
	}
	if d.Returned {
		low = high
	}
	first := 0
	for n := 1; ; n++ {
		v, err := s.TryGet()
		if errors.Is(err, io.EOF) {
			if n == 1 {
				first = sc.n + 1
			}
			if first+n-1 != sc.n+1 {
				t.Errorf("after a death %v: the end after %d messages, of which the first is %d", d, n-1, first)
			}
			break
		}
		if n == 1 {
			first = int(v[0])
		}
		if err != nil || v != tag(first+n-1) {
			t.Fatalf("after a death %v: Get %d = %v, %v", d, n, v, err)
		}
	}
	if n := first - 1; n < low || n > high {
		t.Errorf("after a death %v: %d messages taken, want %d to %d", d, n, low, high)
	}
	sideScene{}.over(t, s, nil)
	if _, err := s.Get(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("after a death %v: Get behind the end = %v", d, err)
	}
}
