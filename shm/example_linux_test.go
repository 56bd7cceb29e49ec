package shm_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"example.com/tandem/atomics"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// Two programs meet in a region by its name, and in a value by its own. Here
// one process opens both twice. A name without a slash is one in /dev/shm.
func Example() {
	dir, err := os.MkdirTemp("", "regions")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "feed")

	for range 2 {
		region, err := shm.OpenOrCreate(name, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer region.Close()
		hits, err := atomics.OpenValue(region, "hits", int64(0))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(atomics.Add(hits, 1))
	}

	// The region is there until it is removed. Those who have it open go on.
	if err := shm.Remove(name); err != nil {
		fmt.Println(err)
		return
	}
	_, err = shm.Open(name, nil)
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output:
	// 1
	// 2
	// true
}

// A view through which objects are found, and none is made.
func ExampleRegion_Existing() {
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()
	if _, err := sync.OpenEvent(region, "ready"); err != nil {
		fmt.Println(err)
		return
	}
	there := region.Existing()
	_, err = sync.OpenEvent(there, "ready")
	fmt.Println(err)
	_, err = sync.OpenEvent(there, "redy")
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	_, err = sync.OpenMutex(there, "ready")
	fmt.Println(errors.Is(err, shm.ErrMismatch))
	// Output:
	// <nil>
	// true
	// true
}

// What is in a region, who holds it, and whether all of it is whole.
func ExampleRegion_Snapshot() {
	region, err := shm.Anonymous(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer region.Close()
	permits, err := sync.OpenSemaphore(region, "permits", 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	if ok, err := permits.TryAcquire(); !ok || err != nil {
		fmt.Println(ok, err)
		return
	}
	s, err := region.Snapshot()
	if err != nil {
		fmt.Println(err)
		return
	}
	o := s.Object("permits")
	fmt.Println(o.Kind, "with", o.Value, "left")
	for _, h := range o.Holders {
		fmt.Println(h.N, h.What, "of this process:", h.PID == os.Getpid())
	}
	fmt.Println(region.Check())
	// Output:
	// semaphore with 2 left
	// 1 permit of this process: true
	// <nil>
}
