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

// What an argument holds until the child has it: ends of pipes. A handle says so to
// the call that is collecting, by how it is held, and proc.Start drops it.
var holding struct {
	sync.Mutex
	calls map[*[]func()]bool
}

// CollectHolds is Collect of what handles that were marshalled while f ran have held. If f
// fails, or does not return, all is dropped.
func CollectHolds(f func() error) (drops []func(), err error) {
	held, whole := new([]func()), false
	holding.Lock()
	if holding.calls == nil {
		holding.calls = map[*[]func()]bool{}
	}
	holding.calls[held] = true
	holding.Unlock()
	defer func() {
		holding.Lock()
		delete(holding.calls, held)
		holding.Unlock()
		if !whole {
			Drop(*held)
		}
	}()
	err = f()
	holding.Lock() // of another goroutine's handle
	drops, whole = *held, err == nil
	delete(holding.calls, held)
	holding.Unlock()
	return drops, err
}

// Drop drops what CollectHolds returned.
func Drop(drops []func()) {
	for _, d := range drops {
		d()
	}
}

// Carried has each call that is collecting hold something: hold does it, and returns how
// it is dropped, or nil.
func Carried(hold func() (drop func())) {
	holding.Lock()
	defer holding.Unlock()
	for held := range holding.calls {
		if drop := hold(); drop != nil {
			*held = append(*held, drop)
		}
	}
}
