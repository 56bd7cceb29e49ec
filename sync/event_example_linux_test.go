package sync_test

import (
	"context"
	"fmt"
	gosync "sync"

	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// All who wait start together. Here they are goroutines; in other processes
// they would open the same event.
func ExampleEvent() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()
	ready, err := sync.OpenEvent(region, "ready")
	if err != nil {
		fmt.Println(err)
		return
	}
	config := ""
	var wg gosync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := ready.Wait(ctx); err != nil {
				fmt.Println(err)
				return
			}
			fmt.Println("starts with", config)
		})
	}
	config = "eight shards"
	ready.Set()
	wg.Wait()
	fmt.Println("set:", ready.IsSet())
	// Output:
	// starts with eight shards
	// starts with eight shards
	// starts with eight shards
	// set: true
}
