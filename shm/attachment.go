package shm

import (
	"os"
	gosync "sync"
	"sync/atomic"
	"unsafe"
	"weak"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/wait"
)

// An attachment is this process in one region: one mapping, one participant
// record, however many handles point to it.
type attachment struct {
	words             // the mapped region and its geometry, a private copy
	m        *mapping // keeps the memory mapped
	id       object.RegionID
	name     string   // as errors print it
	path     string   // "" for an anonymous region
	file     *os.File // the file as it was opened: File, fallocate, second mapping
	private  *os.File // an open file description of our own, never handed on: the OFD byte
	readOnly bool     // mapped PROT_READ: no record, no guard

	self   engine.Self
	env    engine.Env
	closed atomic.Bool
	list   *wait.List

	mu    gosync.Mutex
	refs  int                                  // Regions that are open, under registry.mu
	cores map[uint32]weak.Pointer[object.Core] // by entry
	exits map[chan Participant]bool            // who listens in Exits

	seen []uint64 // the guard's last sight of each record's word; the guard's alone
}

// A mapping owns an address range. It is unmapped when nothing reaches it.
type mapping struct {
	self *mapping // a pointer field, so that the object is never tiny-allocated
	base unsafe.Pointer
	len  uintptr // of the whole reservation
	mem  unsafe.Pointer
	size uintptr // of the region
}

// at is the object memory of n bytes at off.
func (a *attachment) at(off, n uint64) mem.Area { return a.Sub(off, n) }
