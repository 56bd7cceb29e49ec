package ring_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// RecvInto returns what Recv does, into what there is.
func TestRecvInto(t *testing.T) {
	r, ctx := region(t), testproc.Watchdog(t)
	left, right := bothEnds[[]byte](t, r, "p", &ring.PipeOptions{Buffer: 7000}) // some go round its end
	var b []byte
	for i, n := range []int{10, 5000, 0, 200, 6000, 6000} {
		testproc.OK(t, left.Send(ctx, message(n, i)))
		had := cap(b)
		var at *byte
		if had > 0 {
			at = &b[:1][0]
		}
		testproc.OK(t, right.RecvInto(ctx, &b))
		if !bytes.Equal(b, message(n, i)) {
			t.Errorf("%d bytes, want %d", len(b), n)
		}
		if had >= n && had > 0 && &b[:1][0] != at {
			t.Errorf("%d bytes fit %d, and are in new memory", n, had)
		}
	}
	testproc.OK(t, left.Send(ctx, nil))
	b = nil
	if err := right.RecvInto(ctx, &b); err != nil || b == nil || len(b) != 0 {
		t.Errorf("an empty one: %v, %v", b, err)
	}
	says, hears := bothEnds[string](t, r, "texts", nil)
	var s string
	for _, want := range []string{"short", string(message(1000, 1)), ""} {
		testproc.OK(t, says.Send(ctx, want))
		if err := hears.RecvInto(ctx, &s); err != nil || s != want {
			t.Errorf("%q, %v, want %q", s, err, want)
		}
	}
	gives, takes := bothEnds[map[string]int](t, r, "maps", nil)
	testproc.OK(t, gives.Send(ctx, map[string]int{"b": 2}))
	m := map[string]int{"a": 1}
	if err := takes.RecvInto(ctx, &m); err != nil || len(m) != 2 || m["b"] != 2 {
		t.Errorf("%v, %v", m, err)
	}
	if err := right.RecvInto(ctx, nil); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("into nothing: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := right.RecvInto(ended, &b); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	testproc.OK(t, left.Close())
	if err := right.RecvInto(ctx, &b); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	testproc.OK(t, right.Close())
	if err := right.RecvInto(ctx, &b); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// One that waits gets the message; its context can end the wait, with nothing received.
func TestRecvIntoWaits(t *testing.T) {
	r, ctx := region(t), testproc.Watchdog(t)
	left, right := bothEnds[sheet](t, r, "p", nil)
	var got sheet
	came := make(chan error, 1)
	wait := func(ctx context.Context) {
		go func() { came <- right.RecvInto(ctx, &got) }()
		waitedFor(testproc.Watchdog(t), r, "p")
	}
	cancelled, cancel := context.WithCancel(ctx)
	wait(cancelled)
	cancel()
	if err := <-came; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	wait(ctx)
	testproc.OK(t, left.Send(ctx, sheet{N: 7}))
	if err := <-came; err != nil || got.N != 7 {
		t.Errorf("%d, %v", got.N, err)
	}
}

// Nothing is allocated by what is received into what the caller has.
func TestRecvIntoAllocatesNothing(t *testing.T) {
	if mem.RaceEnabled {
		t.Skip("what is used again is not, for the race detector")
	}
	r, ctx := region(t), context.Background()
	left, right := bothEnds[[]byte](t, r, "p", nil)
	from, to := bothEnds[sheet](t, r, "sheets", nil)
	into, msg := make([]byte, 0, 5000), message(5000, 1)
	var p sheet
	for name, f := range map[string]func() error{
		"bytes":       func() error { return errors.Join(left.Send(ctx, msg), right.RecvInto(ctx, &into)) },
		"a short one": func() error { return errors.Join(left.Send(ctx, msg[:9]), right.RecvInto(ctx, &into)) },
		"a sheet":     func() error { return errors.Join(from.Send(ctx, p), to.RecvInto(ctx, &p)) },
	} {
		if n := testing.AllocsPerRun(1000, func() {
			if err := f(); err != nil {
				t.Fatal(name, err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
