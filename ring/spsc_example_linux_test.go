package ring_test

import (
	"context"
	"errors"
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

// Samples of a sensor: whoever takes them is not waited for, and a sample that finds no
// room is dropped.
func ExampleSPSC_TryPut() {
	region, err := shm.Anonymous(nil)
	if err != nil {
		panic(err)
	}
	defer region.Close()
	samples, err := ring.OpenSPSC[float64](region, "samples", &ring.SPSCOptions{Capacity: 2})
	if err != nil {
		panic(err)
	}
	for _, v := range []float64{20.5, 20.7, 21.1} {
		switch err := samples.TryPut(v); {
		case errors.Is(err, ring.ErrFull):
			fmt.Println("dropped", v)
		case err != nil:
			panic(err)
		}
	}
	fmt.Println(samples.Len(), "wait")
	// Output:
	// dropped 21.1
	// 2 wait
}

// A batch is published at once, and got at once as far as it is there: where messages come
// in numbers that costs far less than one at a time.
func ExampleSPSC_GetBatch() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		panic(err)
	}
	defer region.Close()
	type trade struct{ Price, Size int32 }
	trades, err := ring.OpenSPSC[trade](region, "trades", &ring.SPSCOptions{Capacity: 4096, Wait: ring.Spin})
	if err != nil {
		panic(err)
	}
	if _, err := trades.PutBatch(ctx, []trade{{101, 5}, {102, 1}, {100, 7}}); err != nil {
		panic(err)
	}
	batch := make([]trade, 64)
	n, err := trades.GetBatch(ctx, batch)
	if err != nil {
		panic(err)
	}
	fmt.Println(batch[:n])
	// Output: [{101 5} {102 1} {100 7}]
}

// A process that comes to a side which another has is told so, at once. When that one has
// died or closed the region, it goes on where that one was.
func ExampleSPSC_Put() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		panic(err)
	}
	defer region.Close()
	log, err := ring.OpenSPSC[[4]int64](region, "log", nil)
	if err != nil {
		panic(err)
	}
	switch err := log.Put(ctx, [4]int64{1}); {
	case err == nil:
		fmt.Println("this process is the producer")
	case errors.Is(err, ring.ErrBusy):
		fmt.Println("another is") // and this one may stand by
	case errors.Is(err, ring.ErrShutdown):
		fmt.Println("there is no more to put")
	}
	// Output: this process is the producer
}
