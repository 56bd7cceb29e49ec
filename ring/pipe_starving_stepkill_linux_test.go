package ring_test

import (
	"strings"
	"testing"
	"time"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// A victim sends a message that takes the whole pipe, which is full of short ones. It waits, is
// starving, and is killed after every instruction of that.

const stepShort, stepLast, stepShorts = "short", "last", 256 / 16

var (
	stepLong = strings.Repeat("as long as the whole pipe ", 10)[:248]

	pipeStarves = stepkill.Rehearsed("pipe/starve", "p", func(r *shm.Region, name string) (func() error, error) {
		c, err := stepPipe(r, name, ring.Left)
		return func() error { return c.Send(bg, stepLong) }, err
	})
)

func TestPipeStarvingKilledAnywhere(t *testing.T) {
	stepkill.Every(t, pipeStarves, func(t *testing.T, s *stepkill.Stage) {
		ctx := stepkill.Watchdog(t)
		right, err := stepPipe(s.Region, "p", ring.Right)
		if err != nil {
			t.Fatal(err)
		}
		left, err := stepPipe(s.Region, "p", ring.Left)
		if err != nil {
			t.Fatal(err)
		}
		longs := 0
		send := func(v string) {
			if err := left.Send(ctx, v); err != nil {
				t.Error(err)
			}
		}
		receive := func() (v string) {
			v, err := right.Recv(ctx)
			switch {
			case err == nil && v == stepLong:
				longs++
			case err != nil || v != stepShort && v != stepLast:
				t.Errorf("%q, %v", v, err)
			}
			return v
		}
		for range stepShorts {
			send(stepShort)
		}
		over := func() bool { return ctx.Err() != nil || len(s.Region.Participants()) == 1 }
		d := s.Die(func() {
			for !left.Starving() && !over() { // another gets what it waits for
				receive()
				send(stepShort)
				time.Sleep(2 * time.Millisecond)
			}
			for range stepShorts {
				receive()
			}
		})
		for !over() {
			time.Sleep(50 * time.Microsecond)
		}
		if left.Starving() {
			t.Errorf("after a death %v somebody is starving", d)
		}
		all := make(chan struct{})
		go func() {
			defer close(all)
			for receive() != stepLast && ctx.Err() == nil {
			}
		}()
		send(stepShort)
		send(stepLast)
		<-all
		if longs > 1 || d.Returned && longs == 0 {
			t.Errorf("after a death %v: %d of the dead one's", d, longs)
		}
	})
}
