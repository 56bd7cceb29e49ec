package sync_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/tandem/atomics"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// A lock around two cells that belong together.
func ExampleMutex() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()
	mu, err := sync.OpenMutex(region, "accounts")
	if err != nil {
		fmt.Println(err)
		return
	}
	accounts, err := atomics.OpenArray[int64](region, "balances", 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	accounts.Store(0, 100)

	if err := mu.Lock(ctx); err != nil {
		fmt.Println(err) // not held
		return
	}
	accounts.Store(0, accounts.Load(0)-30)
	accounts.Store(1, accounts.Load(1)+30)
	if err := mu.Unlock(); err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(accounts.Load(0), accounts.Load(1))
	fmt.Println("not locked any more:", errors.Is(mu.Unlock(), sync.ErrNotLocked))
	// Output:
	// 70 30
	// not locked any more: true
}

// A process dies while it holds a lock; another repairs what the lock guards.
// Here one process does both: to close a region with a lock held is to die
// with it.
func ExampleMutex_Recover() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "region")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	open := func() (region *shm.Region, mu *sync.Mutex, account *atomics.Array[int64]) {
		region, err := shm.OpenOrCreate(filepath.Join(dir, "bank"), nil)
		if err != nil {
			panic(err)
		}
		if mu, err = sync.OpenMutex(region, "mu"); err != nil {
			panic(err)
		}
		if account, err = atomics.OpenArray[int64](region, "account", 2); err != nil {
			panic(err)
		}
		return region, mu, account
	}

	region, mu, account := open()
	account.Store(0, 100)
	if err := mu.Lock(ctx); err != nil {
		panic(err)
	}
	account.Store(0, 70) // and dies before it has stored 30 in the other
	region.Close()

	region, mu, account = open()
	defer region.Close()
	fmt.Println("abandoned:", errors.Is(mu.Lock(ctx), sync.ErrOwnerDied))
	suspect, err := mu.Recover(ctx) // held, whether it is suspect or not
	if err != nil {
		panic(err)
	}
	if suspect {
		account.Store(1, 100-account.Load(0))
		mu.MarkConsistent()
	}
	fmt.Println("balance:", account.Load(0), account.Load(1))
	mu.Unlock()
	fmt.Println(mu.Lock(ctx))
	mu.Unlock()
	// Output:
	// abandoned: true
	// balance: 70 30
	// <nil>
}

// A handle with an answer to a holder's death: Lock repairs, and returns with
// the lock held.
func ExampleMutex_OnOwnerDied() {
	ctx := context.Background()
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()
	mu, err := sync.OpenMutex(region, "mu")
	if err != nil {
		fmt.Println(err)
		return
	}
	mu.OnOwnerDied(func(ctx context.Context) error {
		// The lock is held here. Make whole what it guards; nil says that it is.
		return nil
	})
	fmt.Println(mu.Lock(ctx), mu.Unlock())
	// Output: <nil> <nil>
}
