package shm

import (
	"os"
	gosync "sync"
	"weak"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/wait"
)

// An attachment is this process in one region: one mapping, one participant
// record, however many handles point to it.
type attachment struct {
	words             // the mapped region and its geometry, a private copy
	m        *mapping // keeps the memory mapped
	id       object.RegionID
	file     sys.FileID
	name     string   // as errors print it
	path     string   // "" for an anonymous region, and until it is known: under registry.mu then
	fd       *os.File // the file as it was opened: File, fallocate, second mapping
	private  *os.File // an open file description of our own, never handed on: it has the OFD locks
	readOnly bool     // mapped PROT_READ: no record, no guard, not in the registry

	self engine.Self
	env  engine.Env
	gate object.Gate // whether it is closed, and how its calls take that
	list *wait.List

	refs  int                                  // Regions that are open, under registry.mu
	left  chan struct{}                        // set when refs has come to 0, closed when the attachment is: under registry.mu
	cores map[uint32]weak.Pointer[object.Core] // by entry

	changing gosync.Mutex // held around the directory's lock: this process's changes, one by one
	uses     uses         // which objects this process has open

	tidying    chore // ask.go
	reclaiming chore // reclaim.go

	nextCollected uint32 // where the next collect goes on: behind this entry -1; under changing

	recovering gosync.Mutex      // one recovery at a time in this process
	beyond     map[uint32]uint32 // by record: the epoch whose death this build cannot recover; under recovering
	watch      watch             // the guard's view of the others
	linked     uint32            // what this process's alive word is to be, once it is under guard: the guard's
	privateFD  uintptr           // private's descriptor
}
