package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// A subscriber of a Lossy broadcast that is slower than the publisher sees the newest messages,
// and is told how many it has missed.
func ExampleBroadcast() {
	region, err := shm.Anonymous(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer region.Close()
	ticks, err := ring.OpenBroadcast[int](region, "ticks", &ring.BroadcastOptions{Mode: ring.Lossy, Capacity: 3})
	if err != nil {
		log.Fatal(err)
	}
	slow, err := ticks.Subscribe()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for i := range 10 {
		if err := ticks.Publish(ctx, i); err != nil {
			log.Fatal(err)
		}
	}
	ticks.Shutdown()
	for {
		tick, missed, err := slow.Next(ctx)
		if errors.Is(err, io.EOF) {
			fmt.Println("the end")
			return
		}
		fmt.Println(tick, "after", missed, "missed")
	}
	// Output:
	// 7 after 7 missed
	// 8 after 0 missed
	// 9 after 0 missed
	// the end
}
