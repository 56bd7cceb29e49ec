// Barrier has three children go through three stages: none begins a stage
// before all have ended the one before.
package main

import (
	"context"
	"fmt"
	"log"

	"example.com/tandem/proc"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

type Args struct {
	Barrier *sync.Barrier
	Name    string
}

var worker = proc.Register("worker", func(ctx context.Context, a Args) error {
	for stage := 1; stage < 4; stage++ {
		fmt.Println(a.Name, "comes to barrier", stage)
		if _, err := a.Barrier.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
})

func main() {
	proc.Main() // in a child this runs worker and exits
	ctx := context.Background()
	region := must(shm.Anonymous(nil))
	barrier := must(sync.OpenBarrier(region, "barrier", 3, nil))
	for _, name := range []string{"A", "B", "C"} {
		must(worker.Start(ctx, Args{barrier, name}, nil))
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
