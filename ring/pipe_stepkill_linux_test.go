package ring_test

import (
	"errors"
	"io"
	"syscall"
	"testing"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// A victim is killed after every instruction of what an end of a pipe can do, with others at
// its end, and with nobody else there.

// Where lettersFrom bytes have gone each way, a letter goes round the ring's end, in two parts.
const (
	stepLetter  = "a letter that goes round the ring's end, in two parts, as those do that are sent behind many others, one day"
	stepAfter   = "and so do some of these, which come after"
	lettersFrom = 200
)

func stepPipe(r *shm.Region, name string, end ring.End) (*ring.Conn[string], error) {
	return ring.OpenPipe[string](r, name, end, &ring.PipeOptions{Buffer: 256})
}

var (
	pipeSends = stepkill.Rehearsed("pipe/send", "p", func(r *shm.Region, name string) (func() error, error) {
		c, err := stepPipe(r, name, ring.Left)
		return func() error { return c.Send(bg, stepLetter) }, err
	})
	pipeReceives = stepkill.Rehearsed("pipe/receive", "p", func(r *shm.Region, name string) (func() error, error) {
		c, err := stepPipe(r, name, ring.Left)
		if err != nil {
			return nil, err
		}
		if name != "p" { // where it is rehearsed
			other, err := stepPipe(r, name, ring.Right)
			if err == nil {
				err = other.Send(bg, stepLetter)
			}
			if err != nil {
				return nil, err
			}
		}
		return func() error { _, err := c.Recv(bg); return err }, nil
	})
	pipeCloses = stepkill.Rehearsed("pipe/close", "p", func(r *shm.Region, name string) (func() error, error) {
		c, err := stepPipe(r, name, ring.Left)
		return func() error { return c.Close() }, err
	})
	pipeOpens = stepkill.Rehearsed("pipe/open", "p", func(r *shm.Region, name string) (func() error, error) {
		return func() error { _, err := stepPipe(r, name, ring.Left); return err }, nil
	})
)

// With another holder of its end the others go on, and what it sent is there once or not
// at all: once, if its Send returned. So it is with what it received.
func TestPipeKilledAnywhere(t *testing.T) {
	ops := map[string]stepkill.Op{"send": pipeSends, "receive": pipeReceives, "close": pipeCloses, "open": pipeOpens}
	for _, does := range stepkill.Some(t, "send", "receive", "close", "open") {
		for _, alone := range []bool{false, true} {
			if alone && does == "open" {
				continue // an end that may never have been opened
			}
			name := does
			if alone {
				name += ", alone"
			}
			t.Run(name, func(t *testing.T) {
				stepkill.Every(t, ops[does], func(t *testing.T, s *stepkill.Stage) { pipeStage(t, s, does, alone) })
			})
		}
	}
}

// Recovery: a process has the left end, and dies. Who recovers it dies over that, and the next
// one finishes.
var (
	endLeft = stepkill.Register("peer leaves an end", func(r *shm.Region) (func() error, error) {
		c, err := stepPipe(r, "p", ring.Left)
		if err == nil {
			c.Begin(lettersFrom)
		}
		return func() error { return c.Send(bg, stepLetter) }, err
	})
	openRecoversEnds = stepkill.RegisterOpen("open recovers an end")
	guardHealsEnds   = stepkill.RegisterGuard("guard recovers an end", func(r *shm.Region) error {
		_, err := stepPipe(r, "p", ring.Right)
		return err
	})
)

func TestPipeRecoveryKilledAnywhere(t *testing.T) {
	for _, tt := range stepkill.Some(t, []struct {
		by      string
		op      stepkill.Op
		records int // 1: the one that attaches must recover to get one
	}{{"open", openRecoversEnds, 1}, {"guard", guardHealsEnds, 4}}...) {
		t.Run(tt.by, func(t *testing.T) {
			stepkill.EveryRecovery(t, tt.op, tt.records, func(t *testing.T, r *shm.Region) {}, endLeft, func(t *testing.T, r *shm.Region, d stepkill.Death) {
				ctx := stepkill.Watchdog(t)
				c, err := stepPipe(r.Existing(), "p", ring.Right)
				if errors.Is(err, syscall.EPIPE) && tt.by == "guard" {
					return // the one that recovered had the right end, and died with it
				}
				if err != nil {
					t.Fatalf("after a death %v: %v", d, err)
				}
				if v, err := c.Recv(ctx); v != stepLetter || err != nil {
					t.Errorf("after a death %v: Recv = %q, %v", d, v, err)
				}
				if _, err := c.Recv(ctx); !errors.Is(err, io.EOF) {
					t.Errorf("after a death %v: Recv = %v", d, err)
				}
			})
		})
	}
}

// pipeStage has one message for the victim, and two places where it may have put one.
func pipeStage(t *testing.T, s *stepkill.Stage, does string, alone bool) {
	ctx := stepkill.Watchdog(t)
	right, err := stepPipe(s.Region, "p", ring.Right)
	if err != nil {
		t.Fatal(err)
	}
	right.Begin(lettersFrom)
	var left *ring.Conn[string]
	if !alone {
		if left, err = stepPipe(s.Region, "p", ring.Left); err != nil {
			t.Fatal(err)
		}
	}
	if err := right.Send(ctx, stepLetter); err != nil {
		t.Fatal(err)
	}
	d := s.Die(nil)
	did := func(what string, n int) { // n times, and may have so often
		t.Helper()
		low, high := 0, boolOf(does == what)
		if d.Returned {
			low = high
		}
		if n < low || n > high {
			t.Fatalf("after a death %v: it did %s %d times, want %d to %d", d, what, n, low, high)
		}
	}
	theirs := 0
	if alone {
		for {
			v, err := right.Recv(ctx)
			if errors.Is(err, io.EOF) {
				break
			}
			if theirs++; err != nil || v != stepLetter || theirs > 1 {
				t.Fatalf("after a death %v: %q, %v", d, v, err)
			}
		}
		if err := right.Send(ctx, "to nobody"); !errors.Is(err, syscall.EPIPE) {
			t.Fatalf("after a death %v: %v", d, err)
		}
		did("send", theirs)
		_, received := right.Way(ring.Right)
		did("receive", int(received-lettersFrom)/letterFrame)
		return
	}
	for range 20 { // some times round
		if err := left.Send(ctx, stepAfter); err != nil {
			t.Fatalf("after a death %v: %v", d, err)
		}
		for v := ""; v != stepAfter; {
			if v, err = right.Recv(ctx); err != nil {
				t.Fatalf("after a death %v: %v", d, err)
			}
			if v == stepLetter {
				theirs++
			} else if v != stepAfter {
				t.Fatalf("after a death %v: %q", d, v)
			}
		}
	}
	did("send", theirs)
	if err := right.Send(ctx, "last"); err != nil {
		t.Fatalf("after a death %v: %v", d, err)
	}
	mine := 0
	for v := ""; v != "last"; mine++ {
		if v, err = left.Recv(ctx); err != nil || mine > 1 || v != stepLetter && v != "last" {
			t.Fatalf("after a death %v: %q, %v", d, v, err)
		}
	}
	did("receive", 2-mine)
}
