// Semaphore has ten children of which three at a time are active, and a pool in
// shared memory that says which.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/proc"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

type Args struct {
	S    *sync.Semaphore
	Pool *atomics.Array[int8]
	I    int
}

var worker = proc.Register("worker", func(ctx context.Context, a Args) error {
	if err := a.S.Acquire(ctx); err != nil {
		return err
	}
	defer a.S.Release(1)
	err := sync.With(ctx, a.Pool, func() error {
		a.Pool.Store(a.I, 1)
		var active []int
		for i, x := range a.Pool.All() {
			if x != 0 {
				active = append(active, i)
			}
		}
		fmt.Println("worker", a.I, "is active, of", active)
		return nil
	})
	time.Sleep(20 * time.Millisecond)
	a.Pool.Store(a.I, 0)
	return err
})

func main() {
	proc.Main() // in a child this runs worker and exits
	ctx := context.Background()
	region := must(shm.Anonymous(nil))
	s := must(sync.OpenSemaphore(region, "s", 3))
	pool := must(atomics.OpenArray[int8](region, "pool", 10))
	for i := range 10 {
		must(worker.Start(ctx, Args{s, pool, i}, nil))
	}
	check(proc.WaitAll(ctx))
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
