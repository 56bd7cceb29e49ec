package sync_test

import (
	"context"
	"fmt"
	gosync "sync"

	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// Workers go from one stage to the next together. Here they are goroutines; in
// other processes they would open the same barrier.
func ExampleBarrier() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()

	const workers = 3
	var sums [workers]int
	stage := 0
	barrier, err := sync.OpenBarrier(region, "stage", workers, &sync.BarrierOptions{
		Action: func() error { // by who comes last, while the others wait
			stage++
			fmt.Println("stage", stage, "is done:", sums)
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var wg gosync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range 2 {
				sums[w] += w + 1
				if _, err := barrier.Wait(ctx); err != nil {
					fmt.Println(err)
					return
				}
			}
		})
	}
	wg.Wait()
	// Output:
	// stage 1 is done: [1 2 3]
	// stage 2 is done: [2 4 6]
}
