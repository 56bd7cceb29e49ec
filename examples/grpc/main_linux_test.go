package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

func TestMain(m *testing.M) {
	proc.Main()
	os.Exit(m.Run())
}

// patience is how long a call may take that must come to an end.
const patience = time.Minute

func served(t *testing.T) (context.Context, *shm.Region, *proc.Process, *grpc.ClientConn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	r := shmtest.Region(t)
	conn := dialled(t, r)
	return ctx, r, started(t, ctx, r), conn
}

func started(t *testing.T, ctx context.Context, r *shm.Region) *proc.Process {
	t.Helper()
	p, err := start(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		<-p.Done()
	})
	return p
}

func dialled(t *testing.T, r *shm.Region) *grpc.ClientConn {
	t.Helper()
	conn, err := dial(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// want makes a call that must be answered.
func want(t *testing.T, ctx context.Context, conn *grpc.ClientConn, method string, n, answer int64) {
	t.Helper()
	if got, err := call(ctx, conn, method, n); got != answer || err != nil {
		t.Errorf("%s(%d) = %d, %v, want %d", method, n, got, err, answer)
	}
}

func TestProgram(t *testing.T) {
	var out strings.Builder
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := run(ctx, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	want := `unary: 144 OK
streaming: 1 OK
streaming: 2 OK
streaming: 3 OK
with a deadline: DeadlineExceeded
cancelled: Canceled
killed: Unavailable
unary, of the next: 169 OK
`
	if out.String() != want {
		t.Errorf("it printed\n%swant\n%s", &out, want)
	}
}

// Many calls at once, unary and streaming, over one connection and over several.
func TestManyCalls(t *testing.T) {
	ctx, r, _, conn := served(t)
	conns := []*grpc.ClientConn{conn, dialled(t, r), dialled(t, r)}
	var all sync.WaitGroup
	for i := range 64 {
		conn := conns[i*i%len(conns)]
		all.Go(func() {
			for n := range int64(10) {
				want(t, ctx, conn, square, n, n*n)
			}
			last := int64(0)
			for n, err := range counts(ctx, conn, 100) {
				if n != last+1 || err != nil {
					t.Errorf("%d, %v, after %d", n, err, last)
				}
				last = n
			}
			if last != 100 {
				t.Errorf("counted to %d", last)
			}
			if err := sums(ctx, conn); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// sums sends each number when it has the sum of those before.
func sums(ctx context.Context, conn *grpc.ClientConn) error {
	s, err := conn.NewStream(ctx, &sumStream, sum)
	if err != nil {
		return err
	}
	for n, total := int64(1), int64(0); n <= 20; n++ {
		if err := s.SendMsg(wrapperspb.Int64(n)); err != nil {
			return err
		}
		got := new(number)
		if err := s.RecvMsg(got); err != nil {
			return err
		}
		if total += n; got.Value != total {
			return fmt.Errorf("the sum up to %d is %d, want %d", n, got.Value, total)
		}
	}
	return s.CloseSend()
}

// The server hears of a deadline, and of a call that is cancelled, or is left in the middle
// of a stream.
func TestGivenUp(t *testing.T) {
	ctx, _, _, conn := served(t)
	calls := func() int64 {
		t.Helper()
		n, err := call(ctx, conn, givenUp, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	const soon = 10 * time.Millisecond
	for _, tt := range []struct {
		name string
		call func() error
		want codes.Code
	}{
		{"deadline", func() error {
			short, cancel := context.WithTimeout(ctx, soon)
			defer cancel()
			_, err := call(short, conn, wait, 0)
			return err
		}, codes.DeadlineExceeded},
		{"deadline of a stream", func() error {
			short, cancel := context.WithTimeout(ctx, soon)
			defer cancel()
			for _, err := range counts(short, conn, 0) {
				if err != nil {
					return err
				}
			}
			return nil
		}, codes.DeadlineExceeded},
		{"cancelled", func() error {
			whole, stop := context.WithCancel(ctx)
			defer time.AfterFunc(soon, stop).Stop()
			_, err := call(whole, conn, wait, 0)
			return err
		}, codes.Canceled},
		{"left", func() error {
			for n, err := range counts(ctx, conn, 0) {
				if n == 100 || err != nil {
					return err
				}
			}
			return nil
		}, codes.OK},
	} {
		before := calls()
		for calls() == before { // the first may be too late to be sent
			if err := tt.call(); status.Code(err) != tt.want {
				t.Fatalf("%s: %v", tt.name, err)
			}
		}
	}
}

// Watch, of the service that gRPC has for that, tells of a server that ends; calls that
// have begun end before it.
func TestEnds(t *testing.T) {
	ctx, r, p, conn := served(t)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	w, err := healthpb.NewHealthClient(conn).Watch(watching, &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := conn.NewStream(ctx, &sumStream, sum)
	if err != nil {
		t.Fatal(err)
	}
	says := func(want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		if got, err := w.Recv(); got.GetStatus() != want || err != nil {
			t.Errorf("%v, %v, want %v", got.GetStatus(), err, want)
		}
	}
	says(healthpb.HealthCheckResponse_SERVING)
	if err := p.Terminate(); err != nil {
		t.Fatal(err)
	}
	says(healthpb.HealthCheckResponse_NOT_SERVING)
	for { // until its listener is closed, which comes after
		c, err := ring.Dial(ctx, r, "numbers")
		if errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	again := started(t, ctx, r)
	want(t, ctx, dialled(t, r), square, 4, 16)
	answer := new(number)
	if err := errors.Join(s.SendMsg(wrapperspb.Int64(5)), s.RecvMsg(answer), s.CloseSend()); err != nil || answer.Value != 5 {
		t.Errorf("a stream that had begun: %v, %v", answer, err)
	}
	stop() // the server waits for that, too
	if err := p.Wait(ctx); err != nil {
		t.Error(err)
	}
	if !again.Alive() {
		t.Error("the next has ended, too")
	}
}

// A server that is killed in calls: each is told, and the next serves on.
func TestKilled(t *testing.T) {
	ctx, r, p, conn := served(t)
	for range 2 {
		var all, begun sync.WaitGroup
		for range 8 {
			begun.Add(1)
			all.Go(func() {
				for n, err := range counts(ctx, conn, 0) {
					if n == 100 {
						begun.Done()
					}
					if err != nil && status.Code(err) != codes.Unavailable {
						t.Error(err)
					}
				}
			})
		}
		begun.Wait()
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		all.Wait()
		p = started(t, ctx, r)
		want(t, ctx, conn, square, 5, 25)
	}
}
