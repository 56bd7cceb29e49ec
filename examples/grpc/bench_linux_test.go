package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"example.com/tandem/internal/effort"
	"example.com/tandem/proc"
	"example.com/tandem/shm/shmtest"
)

var socketServer = proc.Register("socket server", func(ctx context.Context, path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	return serve(ctx, l)
})

// A unary call over a connection that is kept, by one client and by 64 at once, and over a
// Unix socket in turn with it: what a call takes over either, and how many times as fast the
// stream is, as the medians of the rounds are.
func BenchmarkUnary(b *testing.B) {
	c := newContest(b)
	for _, clients := range []int{1, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			c.begin(b, clients)
			for i := 0; b.Loop(); i++ {
				c.round(b, i, clients)
			}
			b.ReportMetric(0, "ns/op") // of both together
			b.ReportMetric(median(c.overStream), "ns-stream")
			b.ReportMetric(median(c.overSocket), "ns-unix-socket")
			b.ReportMetric(median(c.ratios), "x-unix-socket")
		})
	}
}

// A call by one client takes at most 0.6 of what it takes over a Unix socket: held with
// TANDEM_TESTS=bars, on a machine that does nothing else, in one of three attempts.
func TestUnaryBar(t *testing.T) {
	c, rounds := newContest(t), 1
	if effort.Bars() {
		rounds = 15
	}
	for try := 1; ; try++ {
		c.begin(t, 1)
		for i := range rounds {
			c.round(t, i, 1)
		}
		ratio := median(c.ratios)
		t.Logf("%.0f ns, a Unix socket %.0f ns: %.1f times as fast", median(c.overStream), median(c.overSocket), ratio)
		switch {
		case !effort.Bars() || ratio >= 1/0.6:
			return
		case try == 3:
			t.Fatalf("%.1f times as fast as a Unix socket, want %.1f", ratio, 1/0.6)
		}
	}
}

// A contest is a connection by a stream and one by a Unix socket to two servers.
type contest struct {
	stream, socket                 *grpc.ClientConn
	overStream, overSocket, ratios []float64 // of the rounds
}

func newContest(t testing.TB) *contest {
	ctx := context.Background()
	r := shmtest.Region(t)
	path := filepath.Join(filepath.Dir(r.Name()), "socket")
	p, err := start(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill() })
	q, err := socketServer.Start(ctx, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Kill() })
	c := &contest{}
	if c.stream, err = dial(r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.stream.Close() })
	c.socket, err = grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.socket.Close() })
	return c
}

// begin is before the first round: both servers are there.
func (c *contest) begin(t testing.TB, clients int) {
	unary(t, c.stream, clients, 1)
	unary(t, c.socket, clients, 1)
	c.overStream, c.overSocket, c.ratios = nil, nil, nil
}

func (c *contest) round(t testing.TB, i, clients int) {
	first, second := c.stream, c.socket
	if i%2 == 1 { // nobody always follows the other
		first, second = second, first
	}
	took, then := unary(t, first, clients, calls), unary(t, second, clients, calls)
	if i%2 == 1 {
		took, then = then, took
	}
	c.overStream, c.overSocket, c.ratios = append(c.overStream, took), append(c.overSocket, then), append(c.ratios, then/took)
}

const calls = 200 // of each client, in a round

// unary has clients make calls, of each the next when the last was answered, and says how
// many nanoseconds a call of any took.
func unary(t testing.TB, conn *grpc.ClientConn, clients, calls int) float64 {
	var all sync.WaitGroup
	begun := time.Now()
	for i := range clients {
		all.Go(func() {
			for k := range calls {
				n := int64(i*calls + k)
				if got, err := call(context.Background(), conn, square, n); got != n*n || err != nil {
					t.Errorf("%d² = %d, %v", n, got, err)
				}
			}
		})
	}
	all.Wait()
	return float64(time.Since(begun).Nanoseconds()) / float64(clients*calls)
}

func median(xs []float64) float64 {
	slices.Sort(xs)
	return xs[len(xs)/2]
}
