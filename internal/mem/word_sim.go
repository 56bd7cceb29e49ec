//go:build tandem_sim

package mem

import (
	"sync/atomic"
	"unsafe"
)

// Point is called before every access, when it is set. A scheduler lets other
// threads of the simulation run there, or ends the calling one for good by
// unwinding its stack. It is set before the simulated threads start and is
// the same for all. With After it is called after every change as well, so that
// something may happen between it and what the thread does next that is no
// access.
var (
	Point func()
	After bool
)

// Where tells where the memory at p is for the running thread, when it is set:
// a process that has left the region has zeroes of its own in its place.
var Where func(p unsafe.Pointer) unsafe.Pointer

func point() {
	if Point != nil {
		Point()
	}
}

func after() {
	if After {
		point()
	}
}

// Place is where the memory at p is.
func Place(p unsafe.Pointer) unsafe.Pointer {
	if Where != nil {
		return Where(p)
	}
	return p
}

func at32(p *uint32) *uint32 { point(); return (*uint32)(Place(unsafe.Pointer(p))) }
func at64(p *uint64) *uint64 { point(); return (*uint64)(Place(unsafe.Pointer(p))) }

// locked32 and locked64 are at32 and at64 of a locked instruction.
func locked32(p *uint32) *uint32 { Fence(); return (*uint32)(Place(unsafe.Pointer(p))) }
func locked64(p *uint64) *uint64 { Fence(); return (*uint64)(Place(unsafe.Pointer(p))) }

func Load32(p *uint32) uint32 {
	p = at32(p)
	if v, ok := own(unsafe.Pointer(p), 4); ok {
		return uint32(v)
	}
	return atomic.LoadUint32(p)
}

func Load64(p *uint64) uint64 {
	p = at64(p)
	if v, ok := own(unsafe.Pointer(p), 8); ok {
		return v
	}
	return atomic.LoadUint64(p)
}

func Store32(p *uint32, v uint32) { atomic.StoreUint32(locked32(p), v); after() }
func Store64(p *uint64, v uint64) { atomic.StoreUint64(locked64(p), v); after() }
func CAS32(p *uint32, old, new uint32) bool {
	return done(atomic.CompareAndSwapUint32(locked32(p), old, new))
}
func CAS64(p *uint64, old, new uint64) bool {
	return done(atomic.CompareAndSwapUint64(locked64(p), old, new))
}
func Add32(p *uint32, d uint32) uint32  { return done(atomic.AddUint32(locked32(p), d)) }
func Add64(p *uint64, d uint64) uint64  { return done(atomic.AddUint64(locked64(p), d)) }
func Swap32(p *uint32, v uint32) uint32 { return done(atomic.SwapUint32(locked32(p), v)) }
func Swap64(p *uint64, v uint64) uint64 { return done(atomic.SwapUint64(locked64(p), v)) }
func Or64(p *uint64, m uint64) uint64   { return done(atomic.OrUint64(locked64(p), m)) }
func And64(p *uint64, m uint64) uint64  { return done(atomic.AndUint64(locked64(p), m)) }

func done[T any](v T) T {
	after()
	return v
}

// Others lets them run, when it is set.
var Others func()

// Yield lets other threads run, before any that waits for them.
func Yield() {
	if Others != nil {
		Others()
	}
}

// Between is where threads come between each other that share private memory.
func Between() { point() }
