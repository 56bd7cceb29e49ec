package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

type page struct {
	URL   string
	Depth int
}

// Messages go in by Put and come out by Get, in any processes that open the
// queue; here it is one.
func Example() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()
	pages, err := ring.OpenQueue[page](region, "pages", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, url := range []string{"a", "b"} {
		if err := pages.Put(ctx, page{url, i}); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := pages.Shutdown(); err != nil { // no more; those that are there are still delivered
		fmt.Println(err)
		return
	}
	for {
		p, err := pages.Get(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(p.URL, p.Depth)
	}
	// Output:
	// a 0
	// b 1
}

// A message that is leased stays in the queue until Ack. If this process died
// before, another would get it, with a higher Attempt, as it does by Nack.
func ExampleQueue_Lease() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()
	jobs, err := ring.OpenQueue[string](region, "jobs", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := jobs.Put(ctx, "fetch"); err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		d, err := jobs.Lease(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(d.Value(), "attempt", d.Attempt())
		if d.Attempt() == 1 {
			err = d.Nack() // something went wrong: once more, by whoever comes
		} else {
			err = d.Ack()
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(jobs.Join(ctx)) // every message is done
	// Output:
	// fetch attempt 1
	// fetch attempt 2
	// <nil>
}

// A loop over leases ends when the queue was shut down and every message is
// done.
func ExampleQueue_Leases() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()
	numbers, err := ring.OpenQueue[int64](region, "numbers", &ring.QueueOptions{Capacity: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := numbers.PutBatch(ctx, []int64{1, 2, 3, 4, 5})
	fmt.Println("put", n, err)
	fmt.Println(numbers.Shutdown())
	sum := int64(0)
	for d, err := range numbers.Leases(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		sum += d.Value()
		if err := d.Ack(); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("sum", sum)
	// Output:
	// put 4 <nil>
	// <nil>
	// sum 10
}
