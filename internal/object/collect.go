package object

import "sync"

// Collecting: proc.Start must hand on the regions of every handle in an
// argument. The argument's encoding calls each handle's MarshalBinary, and
// that is where they are seen; no walk over user types is needed. A handle
// encoded by another goroutine meanwhile hands on a region too many, which
// harms nobody.
var collecting struct {
	sync.Mutex
	keys map[*map[RegionKey]bool]bool
}

// Collect returns the regions of all handles that were marshalled while f ran.
// f runs a user's code, which may panic, or call any of this again.
func Collect(f func() error) (map[RegionKey]bool, error) {
	keys := map[RegionKey]bool{}
	collecting.Lock()
	if collecting.keys == nil {
		collecting.keys = map[*map[RegionKey]bool]bool{}
	}
	collecting.keys[&keys] = true
	collecting.Unlock()
	defer func() {
		collecting.Lock()
		delete(collecting.keys, &keys)
		collecting.Unlock()
	}()
	err := f()
	return keys, err
}

func collect(k RegionKey) {
	collecting.Lock()
	for m := range collecting.keys {
		(*m)[k] = true
	}
	collecting.Unlock()
}
