// Lock is the program of Python's multiprocessing documentation that
// synchronizes processes: ten children, of which one at a time prints.
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
	Lock *sync.Mutex
	I    int
}

var f = proc.Register("f", func(ctx context.Context, a Args) error {
	return sync.With(ctx, a.Lock, func() error {
		_, err := fmt.Println("hello world", a.I)
		return err
	})
})

func main() {
	proc.Main() // in a child this runs f and exits
	ctx := context.Background()
	region := must(shm.Anonymous(nil))
	lock := must(sync.OpenMutex(region, "lock"))
	for num := range 10 {
		must(f.Start(ctx, Args{lock, num}, nil))
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
