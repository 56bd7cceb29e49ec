package sync_test

import (
	"context"
	"fmt"

	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

func ExampleRWMutex() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()
	routes, err := sync.OpenRWMutex(region, "routes")
	if err != nil {
		fmt.Println(err)
		return
	}

	// Any number of processes read at once …
	if err := routes.RLock(ctx); err != nil {
		fmt.Println(err)
		return
	}
	ok, err := routes.TryRLock()
	fmt.Println("another reader:", ok, err)
	ok, err = routes.TryLock()
	fmt.Println("a writer:", ok, err)
	routes.RUnlock()
	routes.RUnlock()

	// … or one writes.
	err = sync.With(ctx, routes, func() error {
		ok, err := routes.TryRLock()
		fmt.Println("a reader beside a writer:", ok, err)
		return nil
	})
	fmt.Println(err)
	// Output:
	// another reader: true <nil>
	// a writer: false <nil>
	// a reader beside a writer: false <nil>
	// <nil>
}
