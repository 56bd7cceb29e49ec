package ring_test

import (
	"errors"
	"testing"
	"time"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// A victim is killed after every instruction of what a Broadcast can do. A ring of two is full
// of what all have read, so that a Publish removes a message.

const stepText = "a message that takes more than one block of sixty-four bytes, so that it is freed piece by piece, if it comes to that"

func stepBroadcast(r *shm.Region, name string, mode ring.BroadcastMode) (*ring.Broadcast[string], error) {
	return ring.OpenBroadcast[string](r, name, &ring.BroadcastOptions{Mode: mode, Capacity: 2, Buffer: 1 << 10, MaxMessage: 256})
}

var (
	broadcastPublishes = stepkill.Rehearsed("broadcast/publish", "b", func(r *shm.Region, name string) (func() error, error) {
		b, err := stepBroadcast(r, name, 0)
		return func() error { return b.TryPublish(stepText) }, err
	})
	broadcastSubscribes = stepkill.Rehearsed("broadcast/subscribe", "b", func(r *shm.Region, name string) (func() error, error) {
		b, err := stepBroadcast(r, name, 0)
		return func() error { _, err := b.Subscribe(); return err }, err
	})
	broadcastReads = stepkill.Rehearsed("broadcast/next", "b", func(r *shm.Region, name string) (func() error, error) {
		b, err := stepBroadcast(r, name, 0)
		if err != nil {
			return nil, err
		}
		s, err := b.Subscribe()
		if err == nil {
			err = b.TryPublish(stepText)
		}
		return func() error { _, _, err := s.Next(bg); return err }, err
	})
	broadcastEnds = stepkill.Rehearsed("broadcast/shutdown", "b", func(r *shm.Region, name string) (func() error, error) {
		b, err := stepBroadcast(r, name, 0)
		return func() error { return b.Shutdown() }, err
	})
)

func TestBroadcastKilledAnywhere(t *testing.T) {
	for name, op := range map[string]stepkill.Op{"publish": broadcastPublishes, "subscribe": broadcastSubscribes,
		"next": broadcastReads, "shutdown": broadcastEnds} {
		t.Run(name, func(t *testing.T) {
			stepkill.Every(t, op, func(t *testing.T, s *stepkill.Stage) {
				b, err := stepBroadcast(s.Region, "b", 0)
				if err != nil {
					t.Fatal(err)
				}
				for range 3 {
					if err := b.TryPublish("before"); err != nil {
						t.Fatal(err)
					}
				}
				sub, err := b.Subscribe()
				if err != nil {
					t.Fatal(err)
				}
				d := s.Die(nil)
				ctx := stepkill.Watchdog(t)
				for len(s.Region.Participants()) > 1 {
					if time.Sleep(50 * time.Microsecond); ctx.Err() != nil {
						t.Fatalf("after a death %v it has not been recovered", d)
					}
				}
				// What the victim published is there whole, or not at all; then eight more
				// pass, so that no block is lost, and nobody waits for the dead.
				theirs := 0
				for range 8 {
					err := b.TryPublish("after")
					if errors.Is(err, ring.ErrShutdown) && name == "shutdown" {
						return
					}
					if err != nil {
						t.Fatalf("after a death %v: %v", d, err)
					}
					for v := ""; v != "after"; {
						var missed uint64
						if v, missed, err = sub.Next(ctx); err != nil || missed != 0 {
							t.Fatalf("after a death %v: %d missed, %v", d, missed, err)
						}
						if v == stepText {
							theirs++
						} else if v != "after" || theirs > 1 {
							t.Fatalf("after a death %v: %q, and %d of the dead one's", d, v, theirs)
						}
					}
				}
			})
		})
	}
}
