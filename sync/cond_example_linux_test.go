package sync_test

import (
	"context"
	"fmt"
	"log"

	"example.com/tandem/atomics"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// A consumer waits until there is something; a producer says that there is.
func ExampleCond() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer region.Close()
	goods, err := atomics.OpenValue(region, "goods", 0) // the Cond's lock guards it
	if err != nil {
		log.Fatal(err)
	}
	more, err := sync.OpenCond(region, "more", nil)
	if err != nil {
		log.Fatal(err)
	}

	done := make(chan bool)
	go func() { // as well in another process
		defer close(done)
		l := more.Holder()
		for range 3 {
			err := sync.With(ctx, l, func() error {
				err := more.WaitFor(ctx, func() bool { return goods.Load() > 0 })
				if err == nil {
					atomics.Add(goods, -1)
				}
				return err
			})
			if err != nil {
				log.Fatal(err)
			}
		}
	}()

	l := more.Holder()
	for range 3 {
		err := sync.With(ctx, l, func() error {
			atomics.Add(goods, 1)
			return more.Notify(1)
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	<-done
	fmt.Println(goods.Load(), "left")
	// Output: 0 left
}

// A function locks what its caller may have locked already.
func ExampleHolder() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer region.Close()
	mu, err := sync.OpenRMutex(region, "accounts")
	if err != nil {
		log.Fatal(err)
	}
	balance := 0
	deposit := func(h *sync.Holder, n int) error {
		return sync.With(ctx, h, func() error { balance += n; return nil })
	}
	h := mu.NewHolder()
	err = sync.With(ctx, h, func() error { // both or none, to those who lock
		if err := deposit(h, 30); err != nil {
			return err
		}
		fmt.Println("depth", h.Depth(), "in between")
		return deposit(h, 12)
	})
	fmt.Println(balance, err)
	// Output:
	// depth 1 in between
	// 42 <nil>
}
