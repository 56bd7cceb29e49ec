package main

import (
	"context"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"

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

// A unary call, by one client and by 64 at once, beside the same over a Unix socket.
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
	for _, by := range []struct {
		name string
		conn *grpc.ClientConn
	}{{"by=stream", stream}, {"by=unix-socket", socket}} {
		ask := func(n int64) {
			if got, err := call(ctx, by.conn, square, n); got != n*n || err != nil {
				b.Errorf("%d² = %d, %v", n, got, err)
			}
		}
		ask(2)
		b.Run("clients=1/"+by.name, func(b *testing.B) {
			for b.Loop() {
				ask(7)
			}
		})
		b.Run("clients=64/"+by.name, func(b *testing.B) {
			var n atomic.Int64
			b.SetParallelism(32) // for each of two processors
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					ask(n.Add(1) % 1000)
				}
			})
		})
	}
}
