package sync_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

func ExampleSemaphore() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()
	done, err := sync.OpenSemaphore(region, "done", 0) // a count of signals
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		go done.Release(1) // here by goroutines; by other processes as well
	}
	for range 3 {
		if err := done.Acquire(ctx); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("all three are done,", done.Value(), "left")
	// Output: all three are done, 0 left
}

func ExampleBoundedSemaphore() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()
	slots, err := sync.OpenBoundedSemaphore(region, "slots", 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		if err := slots.Acquire(ctx); err != nil {
			fmt.Println(err)
			return
		}
	}
	ok, err := slots.TryAcquire()
	fmt.Println("a third:", ok, err)
	fmt.Println("back:", slots.Release(2))
	fmt.Println("one too many:", errors.Is(slots.Release(1), sync.ErrOverRelease), slots.Value())
	// Output:
	// a third: false <nil>
	// back: <nil>
	// one too many: true 2
}
