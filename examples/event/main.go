// Event has two children wait for an event: one for as long as it takes, and
// one that gives up before the event is set.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"example.com/tandem/proc"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

var waitForEvent = proc.Register("block", func(ctx context.Context, e *sync.Event) error {
	fmt.Println("block: waits")
	if err := e.Wait(ctx); err != nil {
		return err
	}
	fmt.Println("block: goes on, the event is set")
	return nil
})

type Timed struct {
	E *sync.Event
	T time.Duration
}

var waitForEventTimeout = proc.Register("timed", func(ctx context.Context, a Timed) error {
	fmt.Println("timed: waits", a.T.Seconds(), "s")
	ctx, cancel := context.WithTimeout(ctx, a.T)
	defer cancel()
	err := a.E.Wait(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		fmt.Println("timed: gives up, the event is not set")
		return nil
	}
	return err
})

func main() {
	proc.Main() // in a child this runs its function and exits
	ctx := context.Background()
	region := must(shm.Anonymous(nil))
	e := must(sync.OpenEvent(region, "e"))
	block := must(waitForEvent.Start(ctx, e, nil))
	timed := must(waitForEventTimeout.Start(ctx, Timed{e, time.Second / 2}, nil))
	check(timed.Wait(ctx))
	fmt.Println("main: sets the event")
	check(e.Set())
	check(block.Wait(ctx))
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
