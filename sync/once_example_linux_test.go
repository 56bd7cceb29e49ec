package sync_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// Whoever comes first builds the index, and if that fails the next does. Other
// processes would open the same Once.
func ExampleOnce() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()
	built, err := sync.OpenOnce(region, "index")
	if err != nil {
		fmt.Println(err)
		return
	}
	attempts := 0
	build := func(ctx context.Context) error {
		attempts++
		if attempts == 1 {
			return errors.New("the source is not there yet")
		}
		fmt.Println("built")
		return nil
	}
	for range 4 {
		fmt.Println("Do:", built.Do(ctx, build))
	}
	// Output:
	// Do: the source is not there yet
	// built
	// Do: <nil>
	// Do: <nil>
	// Do: <nil>
}
