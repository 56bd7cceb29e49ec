// Pipe is the second program of Python's multiprocessing documentation that exchanges
// objects between processes: a child sends, the parent receives.
package main

import (
	"context"
	"fmt"
	"log"

	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

var f = proc.Register("f", func(ctx context.Context, conn *ring.Conn[[]any]) error {
	defer conn.Close()
	return conn.Send(ctx, []any{42, nil, "hello"})
})

func main() {
	proc.Main() // in a child this runs f and exits
	ctx := context.Background()
	region := must(shm.Anonymous(nil))
	parentConn := must(ring.OpenPipe[[]any](region, "pipe", ring.Left, nil))
	childConn := must(ring.OpenPipe[[]any](region, "pipe", ring.Right, nil))
	p := must(f.Start(ctx, childConn, nil))
	check(childConn.Close()) // it is the child's now: when that is gone, Recv returns io.EOF
	fmt.Println(must(parentConn.Recv(ctx)))
	check(p.Wait(ctx))
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
