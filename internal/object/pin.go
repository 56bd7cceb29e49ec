package object

import (
	"sync"

	"example.com/tandem/internal/mem"
)

// pinned are the mappings of which memory was given out: a slice of mapped memory,
// or a pointer into it, keeps nothing alive by itself.
var pinned struct {
	sync.Mutex
	mappings map[any]bool
}

// Pin keeps c's memory mapped until the process ends: the region, and after its
// Close the zeroes in its place. It keeps no object in use.
func (c *Core) Pin() {
	w := c.Whole()
	mem.RaceDisable() // or all who call it would be in each other's order
	done := w.pinned.Load() || w.Mapping == nil
	mem.RaceEnable()
	if done {
		return
	}
	pinned.Lock() // the first ones are in each other's order, since it guards a map
	defer pinned.Unlock()
	if pinned.mappings == nil {
		pinned.mappings = map[any]bool{}
	}
	pinned.mappings[w.Mapping] = true
	w.pinned.Store(true)
}
