package object

import "sync"

// Collecting: proc.Start must hand on the regions of every handle in an
// argument. The argument's encoding calls each handle's MarshalBinary, and
// that is where they are seen; no walk over user types is needed. A handle
// encoded by another goroutine meanwhile hands on a region too many, which
// harms nobody.
var collecting struct {
	sync.Mutex
	ids map[*map[RegionID]bool]bool
}

// Collect returns the regions of all handles that were marshalled while f ran.
// f runs a user's code, which may panic, or call any of this again.
func Collect(f func() error) (map[RegionID]bool, error) {
	ids := map[RegionID]bool{}
	collecting.Lock()
	if collecting.ids == nil {
		collecting.ids = map[*map[RegionID]bool]bool{}
	}
	collecting.ids[&ids] = true
	collecting.Unlock()
	defer func() {
		collecting.Lock()
		delete(collecting.ids, &ids)
		collecting.Unlock()
	}()
	err := f()
	return ids, err
}

func collect(id RegionID) {
	collecting.Lock()
	for m := range collecting.ids {
		(*m)[id] = true
	}
	collecting.Unlock()
}
