package ring_test

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/test/stepkill"
)

// An anyOf is what a victim waits for at once: a queue and an end of a pipe, or an SPSC and
// a subscriber. Of a broadcast of four messages everybody sees each.
type anyOf struct {
	queue       *ring.Queue[int64]
	left, right *ring.Conn[int64]

	spsc       *ring.SPSC[int64]
	broadcast  *ring.Broadcast[int64]
	subscriber *ring.Subscriber[int64]
}

const anyCapacity = 4

func openAnyOf(r *shm.Region, name string) (a anyOf, err error) {
	if a.queue, err = ring.OpenQueue[int64](r, name+"q", nil); err == nil {
		a.right, err = ring.OpenPipe[int64](r, name+"p", ring.Right, nil)
	}
	return a, err
}

func openAnyOfOne(r *shm.Region, name string) (a anyOf, err error) {
	if a.spsc, err = ring.OpenSPSC[int64](r, name+"s", nil); err != nil {
		return a, err
	}
	if a.broadcast, err = ring.OpenBroadcast[int64](r, name+"b", &ring.BroadcastOptions{Capacity: anyCapacity}); err == nil {
		a.subscriber, err = a.broadcast.Subscribe()
	}
	return a, err
}

// anyWaiting is a victim that waits; ready: not even the first time.
func anyWaiting(name string, ready bool, open func(*shm.Region, string) (anyOf, error), first, wait func(anyOf) error) stepkill.Op {
	return stepkill.Rehearsed(name, "", func(r *shm.Region, name string) (func() error, error) {
		a, err := open(r, name)
		if err == nil && (ready || name == stepkill.Rehearsal) {
			err = first(a)
		}
		return func() error { return wait(a) }, err
	})
}

var (
	anyWaits = anyWaiting("any/queue and pipe", false, openAnyOf,
		func(a anyOf) error { return a.queue.TryPut(1) },
		func(a anyOf) error { _, err := shm.WaitAny(background, a.queue, a.right); return err })
	anyOfOneWaits = anyWaiting("any/SPSC and subscriber", false, openAnyOfOne,
		func(a anyOf) error { return a.spsc.TryPut(1) },
		func(a anyOf) error { _, err := shm.WaitAny(background, a.spsc, a.subscriber); return err })
	anyHears        = anyWaiting("any/subscriber", true, openAnyOfOne, publishOne, func(a anyOf) error { _, err := shm.WaitAny(background, a.subscriber); return err })
	subscriberPolls = anyWaiting("poll/subscriber", false, openAnyOfOne, publishOne, pollOne)
	subscriberFinds = anyWaiting("poll/subscriber, ready", true, openAnyOfOne, publishOne, pollOne)
)

func publishOne(a anyOf) error { return a.broadcast.TryPublish(1) }
func pollOne(a anyOf) error    { return a.subscriber.Poll(background) }

// An anyPlay is what survivors do beside a victim that waits: another takes from the object,
// and what comes elsewhere is for the victim alone.
type anyPlay struct {
	object          string
	theirs, victims func(ctx context.Context) error
	give            func() error // a message of each
	after           func(ctx context.Context) error
}

func openAnyPlay(t *testing.T, s *stepkill.Stage, object string) (p anyPlay) {
	open := openAnyOf
	if object == "s" || object == "b" {
		open = openAnyOfOne
	}
	a, err := open(s.Region, "")
	if err == nil && a.queue != nil {
		a.left, err = ring.OpenPipe[int64](s.Region, "p", ring.Left, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	take := map[string]func(ctx context.Context) error{
		"q": func(ctx context.Context) error { _, err := a.queue.Get(ctx); return err },
		"p": func(ctx context.Context) error { _, err := a.right.Recv(ctx); return err },
		"s": func(ctx context.Context) error { _, err := a.spsc.Get(ctx); return err },
		"b": func(ctx context.Context) error { _, _, err := a.subscriber.Next(ctx); return err },
	}
	p = anyPlay{object: object, theirs: take[object], victims: take[map[string]string{"q": "p", "p": "q", "s": "b", "b": "s"}[object]]}
	if a.queue != nil {
		p.give = func() error { return errors.Join(a.queue.TryPut(1), a.left.Send(background, 1)) }
		p.after = func(context.Context) error {
			if a.queue.Len() != 0 {
				return errors.New("the queue is not empty")
			}
			return nil
		}
		return p
	}
	p.give = func() error { return errors.Join(a.spsc.TryPut(1), a.broadcast.TryPublish(1)) }
	p.after = func(ctx context.Context) (err error) { // who has died holds up no publisher
		for range 2 * anyCapacity {
			err = errors.Join(err, a.broadcast.Publish(ctx, 2), take["b"](ctx))
		}
		return err
	}
	return p
}

// Wherever a victim dies that waits, and whatever it was woken for, the other gets its
// message, and the victim's is there.
func TestAnyKilledAnywhere(t *testing.T) {
	for _, tt := range stepkill.Some(t, []struct {
		name   string
		op     stepkill.Op
		object string
		there  bool // it need not wait
	}{
		{"queue, asleep", anyWaits, "q", false},
		{"queue, ready", anyWaits, "q", true},
		{"pipe, asleep", anyWaits, "p", false},
		{"pipe, ready", anyWaits, "p", true},
		{"SPSC, asleep", anyOfOneWaits, "s", false},
		{"SPSC, ready", anyOfOneWaits, "s", true},
		{"broadcast, asleep", anyOfOneWaits, "b", false},
		{"broadcast, ready", anyHears, "b", true},
		{"a subscriber's Poll, asleep", subscriberPolls, "b", false},
		{"a subscriber's Poll, ready", subscriberFinds, "b", true},
	}...) {
		t.Run(tt.name, func(t *testing.T) {
			stepkill.Every(t, tt.op, func(t *testing.T, s *stepkill.Stage) { playAny(t, s, openAnyPlay(t, s, tt.object), tt.there) })
		})
	}
}

// playAny is one death.
func playAny(t *testing.T, s *stepkill.Stage, p anyPlay, there bool) {
	gave := false
	give := func() {
		gave = true
		if err := p.give(); err != nil {
			t.Error(err)
		}
	}
	took := make(chan error, 1)
	take := func() {
		ctx := stepkill.Watchdog(t)
		go func() { took <- p.theirs(ctx) }()
	}
	if there {
		give()
	} else {
		take()
		shmtest.AwaitWaiting(t, s.Region, p.object, 1)
	}
	d := s.Die(func() {
		if !gave {
			give()
		}
	})
	if d.Returned && !gave {
		t.Errorf("the victim was told of what there was not: %v", d)
	}
	if there {
		take()
	} else if !gave {
		give()
	}
	if err := <-took; err != nil {
		t.Errorf("after a death %v another that waits gets %v", d, err)
	}
	if err := p.victims(stepkill.Watchdog(t)); err != nil {
		t.Errorf("after a death %v its own is not there: %v", d, err)
	}
	if err := p.after(stepkill.Watchdog(t)); err != nil {
		t.Errorf("after a death %v: %v", d, err)
	}
}
