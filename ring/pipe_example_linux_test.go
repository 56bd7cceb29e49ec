package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// Two who talk; here both ends are in one process, and as a rule one is a child's argument.
func ExampleConn() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		panic(err)
	}
	defer region.Close()
	asks, err := ring.OpenPipe[string](region, "talk", ring.Left, nil)
	if err != nil {
		panic(err)
	}
	answers, err := ring.OpenPipe[string](region, "talk", ring.Right, nil)
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			q, err := answers.Recv(ctx)
			if errors.Is(err, io.EOF) { // who asks is gone
				answers.Close()
				return
			}
			answers.Send(ctx, "yes, "+q)
		}
	}()
	for _, q := range []string{"now", "then"} {
		asks.Send(ctx, q)
		a, err := asks.Recv(ctx)
		fmt.Println(a, err)
	}
	asks.Close()
	// Output:
	// yes, now <nil>
	// yes, then <nil>
}
