package shm_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// A worker takes from two queues, whichever has something, until it is told to stop.
func ExampleWaitAny() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()
	urgent, err := ring.OpenQueue[string](region, "urgent", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	jobs, err := ring.OpenQueue[string](region, "jobs", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	stop, err := sync.OpenEvent(region, "stop")
	if err != nil {
		fmt.Println(err)
		return
	}
	jobs.Put(ctx, "sweep")
	urgent.Put(ctx, "put the fire out")
	jobs.Put(ctx, "water the plants")
	stop.Set()

	for {
		i, err := shm.WaitAny(ctx, urgent, jobs, stop) // the first that is ready, in this order
		if err != nil {
			fmt.Println(err)
			return
		}
		if i == 2 {
			fmt.Println("stop")
			return
		}
		job, err := []*ring.Queue[string]{urgent, jobs}[i].TryGet()
		if errors.Is(err, ring.ErrEmpty) {
			continue // another worker was faster
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(job)
	}
	// Output:
	// put the fire out
	// sweep
	// water the plants
	// stop
}
