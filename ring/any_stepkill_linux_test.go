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

// An anyOf is what a victim waits for at once: a queue, and an end of a pipe.
type anyOf struct {
	q           *ring.Queue[int64]
	left, right *ring.Conn[int64]
}

func openAnyOf(r *shm.Region, name string) (a anyOf, err error) {
	if a.q, err = ring.OpenQueue[int64](r, name+"q", nil); err == nil {
		a.right, err = ring.OpenPipe[int64](r, name+"p", ring.Right, nil)
	}
	return a, err
}

var anyWaits = stepkill.Rehearsed("any/queue and pipe", "", func(r *shm.Region, name string) (func() error, error) {
	a, err := openAnyOf(r, name)
	if err == nil && name == stepkill.Rehearsal {
		err = a.q.TryPut(1)
	}
	return func() error {
		_, err := shm.WaitAny(background, a.q, a.right)
		return err
	}, err
})

// Beside the victim another takes from one of the two, what comes by the other is for the
// victim alone: wherever that dies, and whatever it was woken for, the other gets its message,
// and the victim's is there.
func TestAnyKilledAnywhere(t *testing.T) {
	for _, tt := range stepkill.Some(t, []struct {
		name        string
		fromThePipe bool
		there       bool // it need not wait
	}{
		{"queue, asleep", false, false},
		{"queue, ready", false, true},
		{"pipe, asleep", true, false},
		{"pipe, ready", true, true},
	}...) {
		t.Run(tt.name, func(t *testing.T) {
			stepkill.Every(t, anyWaits, func(t *testing.T, s *stepkill.Stage) { playAny(t, s, tt.fromThePipe, tt.there) })
		})
	}
}

// playAny is one death.
func playAny(t *testing.T, s *stepkill.Stage, fromThePipe, there bool) {
	a, err := openAnyOf(s.Region, "")
	if err == nil {
		a.left, err = ring.OpenPipe[int64](s.Region, "p", ring.Left, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	get := func(ctx context.Context) error { _, err := a.q.Get(ctx); return err }
	receive := func(ctx context.Context) error { _, err := a.right.Recv(ctx); return err }
	object, theirs, victims := "q", get, receive
	if fromThePipe {
		object, theirs, victims = "p", receive, get
	}
	gave := false
	give := func() { // a message of each
		gave = true
		if err := errors.Join(a.q.TryPut(1), a.left.Send(background, 1)); err != nil {
			t.Error(err)
		}
	}
	took := make(chan error, 1)
	take := func() {
		ctx := stepkill.Watchdog(t)
		go func() { took <- theirs(ctx) }()
	}
	if there {
		give()
	} else {
		take()
		shmtest.AwaitWaiting(t, s.Region, object, 1)
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
	if err := victims(stepkill.Watchdog(t)); err != nil {
		t.Errorf("after a death %v its own is not there: %v", d, err)
	}
	if n := a.q.Len(); n != 0 {
		t.Errorf("after a death %v: %d messages", d, n)
	}
}
