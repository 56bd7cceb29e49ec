// Boundedsemaphore has six children share two connections, which can only come
// back as often as they were taken.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"example.com/tandem/proc"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

type Args struct {
	Connections *sync.BoundedSemaphore
	I           int
}

var worker = proc.Register("worker", func(ctx context.Context, a Args) error {
	if err := a.Connections.Acquire(ctx); err != nil {
		return err
	}
	fmt.Println("worker", a.I, "has a connection")
	return a.Connections.Release(1)
})

func main() {
	proc.Main() // in a child this runs worker and exits
	ctx := context.Background()
	region := must(shm.Anonymous(nil))
	connections := must(sync.OpenBoundedSemaphore(region, "connections", 2))
	for i := range 6 {
		must(worker.Start(ctx, Args{connections, i}, nil))
	}
	check(proc.WaitAll(ctx))
	if err := connections.Release(1); errors.Is(err, sync.ErrOverRelease) {
		fmt.Println("main: one release too many is refused")
	}
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
