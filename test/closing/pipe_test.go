package closing

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

func openLeft(r *shm.Region) (*ring.Conn[int64], error) {
	return ring.OpenPipe[int64](r, "pipe", ring.Left, &ring.PipeOptions{Buffer: 640})
}

func openRight(r *shm.Region) (*ring.Conn[int64], error) {
	return ring.OpenPipe[int64](r, "pipe", ring.Right, &ring.PipeOptions{Buffer: 640})
}

var sentSoFar atomic.Int64

func init() {
	deeds["pipe.send"] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
		c, err := openLeft(r)
		return func(ctx context.Context) error {
			n := sentSoFar.Add(1)
			return rep.note(mu, c.Send(ctx, n), n)
		}, err
	}
	deeds["pipe.recv"] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
		c, err := openRight(r)
		return func(ctx context.Context) error {
			n, err := c.Recv(ctx)
			return rep.note(mu, err, n)
		}, err
	}
	deeds["pipe.recvinto"] = func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error) {
		c, err := openRight(r)
		return func(ctx context.Context) error {
			var n int64
			err := c.RecvInto(ctx, &n)
			return rep.note(mu, err, n)
		}, err
	}
}

// drained is what is in the pipe, up to its end.
func drained(t *testing.T, c *ring.Conn[int64], ctx context.Context) (ns []int64) {
	t.Helper()
	for {
		n, err := c.Recv(ctx)
		if errors.Is(err, io.EOF) {
			return ns
		}
		if err != nil {
			t.Fatal(err)
		}
		ns = append(ns, n)
	}
}

// A message was sent if and only if its Send returned nil, and then the pipe is at its end.
func TestPipeSend(t *testing.T) {
	t.Parallel()
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	var e *ring.Conn[int64]
	came := make(chan []int64, 1)
	leaving(t, r, "pipe.send", func() {
		e = testproc.Get(openRight(r))(t)
		go func(e *ring.Conn[int64]) { came <- drained(t, e, ctx) }(e)
	}, func(t *testing.T, rep report) {
		ns := <-came
		slices.Sort(ns)
		slices.Sort(rep.Values)
		if !slices.Equal(ns, rep.Values) {
			t.Errorf("%d messages came, and the leaver told of %d", len(ns), len(rep.Values))
		}
		if err := e.Close(); err != nil { // the next pipe is another
			t.Error(err)
		}
	})
}

// What the leaver told of it has received, and all else is there for the next.
func TestPipeRecv(t *testing.T) { receives(t, "pipe.recv") }

func TestPipeRecvInto(t *testing.T) { receives(t, "pipe.recvinto") }

func receives(t *testing.T, deed string) {
	t.Parallel()
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	var e, rest *ring.Conn[int64]
	sent, stop := int64(0), func() {}
	fed := make(chan error, 1)
	leaving(t, r, deed, func() {
		e, rest = testproc.Get(openLeft(r))(t), testproc.Get(openRight(r))(t)
		var feeding context.Context
		feeding, stop = context.WithCancel(ctx)
		go func(e *ring.Conn[int64]) {
			for sent = 0; ; sent++ {
				if err := e.Send(feeding, sent+1); err != nil {
					fed <- err
					return
				}
			}
		}(e)
	}, func(t *testing.T, rep report) {
		stop()
		if err := <-fed; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		all := append(rep.Values, drained(t, rest, ctx)...)
		slices.Sort(all)
		for i, n := range all {
			if n != int64(i)+1 {
				t.Fatalf("of %d messages %d are there, and %d is %d", sent, len(all), i, n)
			}
		}
		if int64(len(all)) != sent {
			t.Errorf("of %d messages %d are there", sent, len(all))
		}
		if err := rest.Close(); err != nil {
			t.Error(err)
		}
	})
}
