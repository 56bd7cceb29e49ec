package proc_test

import (
	"context"
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm/shmtest"
)

type lines struct {
	Do  string
	End *ring.Conn[string]
	All map[string]*ring.Conn[string]
}

// caller has an end of a pipe for argument, twice.
var caller = proc.Register("caller", func(ctx context.Context, a lines) error {
	if a.Do == "nothing" {
		<-ctx.Done()
		return nil
	}
	err := errors.Join(a.End.Send(ctx, "one"), a.End.Close(), a.All["same"].Send(ctx, "two"))
	if a.Do == "stay" {
		err = errors.Join(err, a.All["same"].Close())
		<-ctx.Done()
	}
	return err
})

// pipeOf is a pipe with both its ends.
func pipeOf(t *testing.T) (left, right *ring.Conn[string]) {
	r := shmtest.Region(t)
	left = testproc.Get(ring.OpenPipe[string](r, "p", ring.Left, nil))(t)
	return left, testproc.Get(ring.OpenPipe[string](r, "p", ring.Right, nil))(t)
}

// A parent may close its own handle as soon as Start returns: the end is held until the
// child has it, and no longer.
func TestPipeInFlight(t *testing.T) {
	ctx := testproc.Watchdog(t)
	left, right := pipeOf(t)
	p := testproc.Get(caller.Start(ctx, lines{Do: "stay", End: left, All: map[string]*ring.Conn[string]{"same": left}}, nil))(t)
	testproc.OK(t, left.Close())
	for _, want := range []string{"one", "two"} {
		if v, err := right.Recv(ctx); v != want || err != nil {
			t.Fatal(v, err)
		}
	}
	if _, err := right.Recv(ctx); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if !p.Alive() {
		t.Error("the child has ended, and was to stay")
	}
	testproc.OK(t, p.Terminate())
	testproc.OK(t, p.Wait(ctx))
	if _, err := caller.Start(ctx, lines{End: left}, nil); err == nil {
		t.Error("a closed handle was handed on")
	}
}

// A child that is killed before it has its argument, or never comes, ends the flight.
func TestPipeFlightsEnd(t *testing.T) {
	ctx := testproc.Watchdog(t)
	for name, start := range map[string]func(t *testing.T, a lines) func(){
		"killed": func(t *testing.T, a lines) func() {
			gate := t.TempDir() + "/gate"
			testproc.OK(t, syscall.Mkfifo(gate, 0o600))
			p := testproc.Get(caller.Start(ctx, a, &proc.Options{Env: []string{gateVar + "=" + gate}}))(t)
			return func() {
				testproc.OK(t, p.Kill())
				p.Wait(ctx)
			}
		},
		"never there": func(t *testing.T, a lines) func() {
			if _, err := caller.Start(ctx, a, &proc.Options{Dir: t.TempDir() + "/none"}); err == nil {
				t.Fatal("it started")
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			left, right := pipeOf(t)
			end := start(t, lines{Do: "nothing", End: left})
			testproc.OK(t, left.Close())
			if end != nil {
				soon, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
				if _, err := right.Recv(soon); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("the child does not have it yet: %v", err)
				}
				cancel()
				end()
			}
			if _, err := right.Recv(ctx); !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
		})
	}
}
