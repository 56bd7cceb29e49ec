// Grpc has a process that serves gRPC, and calls it: the listener and the dialer are
// package ring's, and all else is as ever. The server is killed in between, and the calls
// go on with the next.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

func main() {
	proc.Main() // in a child this runs server and exits
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	region, err := shm.Anonymous(nil)
	if err != nil {
		return err
	}
	defer region.Close()
	p, err := start(ctx, region)
	if err != nil {
		return err
	}
	conn, err := dial(region)
	if err != nil {
		return err
	}
	defer conn.Close()

	n, err := call(ctx, conn, square, 12)
	fmt.Fprintln(out, "unary:", n, status.Code(err))
	for n, err := range counts(ctx, conn, 3) {
		fmt.Fprintln(out, "streaming:", n, status.Code(err))
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	_, err = call(short, conn, wait, 0)
	cancel()
	fmt.Fprintln(out, "with a deadline:", status.Code(err))
	all, stop := context.WithCancel(ctx)
	defer stop()
	for n, err := range counts(all, conn, 0) {
		if n == 1000 {
			stop()
		}
		if err != nil {
			fmt.Fprintln(out, "cancelled:", status.Code(err))
		}
	}
	for n, err := range counts(ctx, conn, 0) {
		if n == 1000 {
			p.Kill()
		}
		if err != nil {
			fmt.Fprintln(out, "killed:", status.Code(err))
		}
	}
	if p, err = start(ctx, region); err != nil {
		return err
	}
	n, err = call(ctx, conn, square, 13)
	fmt.Fprintln(out, "unary, of the next:", n, status.Code(err))
	p.Terminate()
	return p.Wait(ctx)
}

// start starts a server.
func start(ctx context.Context, region *shm.Region) (*proc.Process, error) {
	return server.Start(ctx, "numbers", &proc.Options{Regions: []*shm.Region{region}})
}

// dial is how one calls it: calls wait for a server, which is looked for often.
func dial(region *shm.Region) (*grpc.ClientConn, error) {
	again := backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1.5, MaxDelay: 50 * time.Millisecond}
	return grpc.NewClient("passthrough:///numbers",
		grpc.WithContextDialer(func(ctx context.Context, name string) (net.Conn, error) { return ring.Dial(ctx, region, name) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: again}),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
}

// call calls a method that has one answer.
func call(ctx context.Context, conn *grpc.ClientConn, method string, n int64) (int64, error) {
	answer := new(number)
	err := conn.Invoke(ctx, method, wrapperspb.Int64(n), answer)
	return answer.Value, err
}

// counts are the numbers that the server counts, and an error if that is not all.
func counts(ctx context.Context, conn *grpc.ClientConn, to int64) func(func(int64, error) bool) {
	return func(yield func(int64, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		s, err := conn.NewStream(ctx, &countStream, count)
		if err == nil {
			err = s.SendMsg(wrapperspb.Int64(to))
		}
		if err == nil {
			err = s.CloseSend()
		}
		n := new(number)
		for err == nil {
			if err = s.RecvMsg(n); err == nil && !yield(n.Value, nil) {
				return
			}
		}
		if err != io.EOF {
			yield(0, err)
		}
	}
}
