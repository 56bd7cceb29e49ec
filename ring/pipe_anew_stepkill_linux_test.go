package ring_test

import (
	"errors"
	"io"
	"runtime"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// A victim makes a pipe anew of which both ends are gone, and is killed after every
// instruction of that.

// endsAtOnce opens both ends of a pipe, and closes them.
func endsAtOnce[T any](r *shm.Region, name string, o *ring.PipeOptions) error {
	left, err := ring.OpenPipe[T](r, name, ring.Left, o)
	if err != nil {
		return err
	}
	right, err := ring.OpenPipe[T](r, name, ring.Right, o)
	if err != nil {
		return err
	}
	return errors.Join(left.Close(), right.Close())
}

// What the pipe was before: the same, or of another T and another size.
var pipesBefore = map[string]func(r *shm.Region, name string) error{
	"the same": func(r *shm.Region, name string) error {
		return endsAtOnce[string](r, name, &ring.PipeOptions{Buffer: 256})
	},
	"another": func(r *shm.Region, name string) error {
		return endsAtOnce[int64](r, name, &ring.PipeOptions{Buffer: 4096})
	},
}

var anewOps = func() map[string]stepkill.Op {
	ops := map[string]stepkill.Op{}
	for before, end := range pipesBefore {
		ops[before] = stepkill.Rehearsed("pipe/open anew, "+before, "p", func(r *shm.Region, name string) (func() error, error) {
			opens := func() error { _, err := stepPipe(r, name, ring.Left); return err }
			if name == stepkill.Rehearsal {
				return func() error { return errors.Join(end(r, name), opens()) }, nil
			}
			return opens, nil
		})
	}
	return ops
}()

// The next who comes has a pipe: a new one, or that of which the victim had an end. One end
// that is gone with it is gone, as any is; with the other the name is free for one more.
func TestPipeAnewKilledAnywhere(t *testing.T) {
	for _, before := range stepkill.Some(t, "the same", "another") {
		t.Run(before, func(t *testing.T) {
			stepkill.Every(t, anewOps[before], func(t *testing.T, s *stepkill.Stage) {
				testproc.OK(t, pipesBefore[before](s.Region, "p"))
				anewStage(t, s)
			})
		})
	}
}

func anewStage(t *testing.T, s *stepkill.Stage) {
	d := s.Die(nil)
	ctx := stepkill.Watchdog(t)
	until := func(what string, ok func() bool) {
		t.Helper()
		for ; !ok(); time.Sleep(50 * time.Microsecond) {
			if ctx.Err() != nil {
				t.Fatalf("after a death %v: %s:\n%v", d, what, testproc.Get(s.Region.Snapshot())(t))
			}
		}
	}
	until("it has not been recovered", func() bool { return len(s.Region.Participants()) == 1 })
	open := func(end ring.End) (*ring.Conn[string], error) { return stepPipe(s.Region, "p", end) }
	right, err := open(ring.Right)
	if err != nil {
		t.Fatalf("after a death %v: %v", d, err)
	}
	left, err := open(ring.Left)
	if had := errors.Is(err, syscall.EPIPE); had {
		if v, err := right.Recv(ctx); !errors.Is(err, io.EOF) {
			t.Errorf("after a death %v: Recv = %q, %v", d, v, err)
		}
		if err := right.Send(ctx, stepAfter); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("after a death %v: Send = %v", d, err)
		}
		testproc.OK(t, right.Close())
		if right, err = open(ring.Right); err == nil {
			left, err = open(ring.Left)
		}
	} else if d.Returned {
		t.Errorf("after a death %v its end is not gone: %v", d, err)
	}
	if err != nil {
		t.Fatalf("after a death %v: %v", d, err)
	}
	for _, way := range [][2]*ring.Conn[string]{{left, right}, {right, left}} {
		testproc.OK(t, way[0].Send(ctx, stepLetter))
		if v, err := way[1].Recv(ctx); v != stepLetter || err != nil {
			t.Errorf("after a death %v: Recv = %q, %v", d, v, err)
		}
	}
	testproc.OK(t, left.Close())
	testproc.OK(t, right.Close())
	until("there is more than a pipe, and that of the rehearsal", func() bool {
		runtime.GC()
		snap := testproc.Get(s.Region.Snapshot())(t)
		return len(snap.Removed) == 0 && len(snap.Objects) == 2
	})
}
