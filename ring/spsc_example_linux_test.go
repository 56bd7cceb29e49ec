package ring_test

import (
	"context"
	"fmt"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// A stream from one process to another; here both sides are in one.
func ExampleSPSC() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		panic(err)
	}
	defer region.Close()
	ticks, err := ring.OpenSPSC[int64](region, "ticks", nil)
	if err != nil {
		panic(err)
	}
	go func() {
		for _, batch := range [][]int64{{1, 2, 3}, {4}, {5, 6}} {
			ticks.PutBatch(ctx, batch)
		}
		ticks.Shutdown()
	}()
	sum := int64(0)
	for tick, err := range ticks.All(ctx) {
		if err != nil {
			panic(err)
		}
		sum += tick
	}
	fmt.Println(sum)
	// Output: 21
}
