// Queue is the first program of Python's multiprocessing documentation that
// exchanges objects between processes: a child puts, the parent gets.
package main

import (
	"context"
	"fmt"
	"log"

	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

var f = proc.Register("f", func(ctx context.Context, q *ring.Queue[[]any]) error {
	return q.Put(ctx, []any{42, nil, "hello"})
})

func main() {
	proc.Main() // in a child this runs f and exits
	ctx := context.Background()
	region := must(shm.Anonymous(nil))
	q := must(ring.OpenQueue[[]any](region, "q", nil))
	p := must(f.Start(ctx, q, nil))
	fmt.Println(must(q.Get(ctx)))
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
