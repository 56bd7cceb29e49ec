package sync

import (
	"context"
	"errors"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// A last party that finds its round broken leaves its slot once. The slot may
// be another's the moment after, and is that one's then.
func TestBarrierLeavesOnce(t *testing.T) {
	b, err := OpenBarrier(shmtest.Region(t), "b", 1, &BarrierOptions{Action: func() error {
		t.Error("the Action of a broken round is run")
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	area := b.core.Area
	attach := func(wake func(*uint32, int) int) *engine.Barrier {
		e, err := engine.AttachBarrier(area, engine.Env{Self: b.core.Env.Self, Wake: wake})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	none := func(*uint32, int) int { return 0 }
	others := attach(none)

	const left = 140 // the bell that is rung when a slot is left
	var next engine.Arrival
	rings := 0
	mine := attach(func(w *uint32, n int) int {
		if w != area.W32(left) {
			return 0
		}
		// The slot has just been left. Two rounds later it is another's.
		if rings++; rings == 1 {
			others.Reset()
			for range 2 {
				if next, err = others.Arrive(nil); err != nil {
					t.Fatal(err)
				}
				if others.Stands(next) && next.Bank() != 0 {
					if err := others.Trip(next); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		return 0
	})
	mine.Arriving = func(int) {
		others.Abort()
		bell := engine.NewBell(area.W32(left), engine.Env{Wake: none})
		bell.Arm()
	}
	b.eng = *mine
	if _, err := b.Wait(context.Background()); !errors.Is(err, ErrBroken) {
		t.Fatalf("Wait: %v", err)
	}
	if mem.Load32(area.W32(left)) == 0 || rings == 0 {
		t.Fatal("nobody was told that the slot was left")
	}
	if n := others.Waiting(); n != 1 || !others.Stands(next) {
		t.Errorf("%d wait in the round that has begun since, not 1", n)
	}
	if err := others.Trip(next); err != nil {
		t.Error(err)
	}
}

// A region that is closed while a barrier is being opened is closed, and not
// damaged, though its words are zeroes by then.
func TestOpenBarrierBesideClose(t *testing.T) {
	r := shmtest.Region(t)
	b, err := OpenBarrier(r, "b", 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	spec := object.Spec{Op: "sync.OpenBarrier", Kind: engine.KindBarrier, Name: "b"}
	_, err = object.Open(closedThen{r}, spec, func(c *object.Core) error {
		_, err := b.attach(c)
		return err
	})
	if !errors.Is(err, shm.ErrClosed) || errors.Is(err, shm.ErrCorrupt) {
		t.Errorf("it was closed between its two halves: %v", err)
	}
}

// closedThen is a region that is closed as soon as an object was opened.
type closedThen struct{ *shm.Region }

func (r closedThen) OpenObject(s object.Spec) (*object.Core, error) {
	c, err := r.Region.OpenObject(s)
	return c, errors.Join(err, r.Close())
}
