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
	ctx := context.Background()
	r := shmtest.Region(b)
	path := filepath.Join(filepath.Dir(r.Name()), "socket")
	p, err := start(ctx, r)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Kill()
	q, err := socketServer.Start(ctx, path, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer q.Kill()
	stream, err := dial(r)
	if err != nil {
		b.Fatal(err)
	}
	defer stream.Close()
	socket, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		b.Fatal(err)
	}
	defer socket.Close()
	for _, clients := range []int{1, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			unary(ctx, b, stream, clients, 1) // both are there
			unary(ctx, b, socket, clients, 1)
			var overStream, overSocket, ratios []float64
			for i := 0; b.Loop(); i++ {
				first, second := stream, socket
				if i%2 == 1 { // nobody always follows the other
					first, second = socket, stream
				}
				took, then := unary(ctx, b, first, clients, calls), unary(ctx, b, second, clients, calls)
				if i%2 == 1 {
					took, then = then, took
				}
				overStream, overSocket, ratios = append(overStream, took), append(overSocket, then), append(ratios, then/took)
			}
			b.ReportMetric(0, "ns/op") // of both together
			b.ReportMetric(median(overStream), "ns-stream")
			b.ReportMetric(median(overSocket), "ns-unix-socket")
			b.ReportMetric(median(ratios), "x-unix-socket")
		})
	}
}

const calls = 200 // of each client, in a round

// unary has clients make calls, of each the next when the last was answered, and says how
// many nanoseconds a call of any took.
func unary(ctx context.Context, b *testing.B, conn *grpc.ClientConn, clients, calls int) float64 {
	var all sync.WaitGroup
	begun := time.Now()
	for i := range clients {
		all.Go(func() {
			for k := range calls {
				n := int64(i*calls + k)
				if got, err := call(ctx, conn, square, n); got != n*n || err != nil {
					b.Errorf("%d² = %d, %v", n, got, err)
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
