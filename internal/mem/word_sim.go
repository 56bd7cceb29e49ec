//go:build tandem_sim

package mem

import (
	"sync/atomic"
	"unsafe"
)

// Point is called before every access, when it is set. A scheduler lets other
// threads of the simulation run there, or ends the calling one for good by
// unwinding its stack. It is set before the simulated threads start and is
// the same for all.
var Point func()

func point() {
	if Point != nil {
		Point()
	}
}

func Load32(p *uint32) uint32               { point(); return atomic.LoadUint32(p) }
func Load64(p *uint64) uint64               { point(); return atomic.LoadUint64(p) }
func Store32(p *uint32, v uint32)           { point(); atomic.StoreUint32(p, v) }
func Store64(p *uint64, v uint64)           { point(); atomic.StoreUint64(p, v) }
func CAS32(p *uint32, old, new uint32) bool { point(); return atomic.CompareAndSwapUint32(p, old, new) }
func CAS64(p *uint64, old, new uint64) bool { point(); return atomic.CompareAndSwapUint64(p, old, new) }
func Add32(p *uint32, d uint32) uint32      { point(); return atomic.AddUint32(p, d) }
func Add64(p *uint64, d uint64) uint64      { point(); return atomic.AddUint64(p, d) }
func Swap32(p *uint32, v uint32) uint32     { point(); return atomic.SwapUint32(p, v) }
func Swap64(p *uint64, v uint64) uint64     { point(); return atomic.SwapUint64(p, v) }
func Or64(p *uint64, m uint64) uint64       { point(); return atomic.OrUint64(p, m) }
func And64(p *uint64, m uint64) uint64      { point(); return atomic.AndUint64(p, m) }

// Between is where threads come between each other that share private memory.
func Between() { point() }

// Copy is two accesses: a death or another thread may come between the halves.
func Copy(dst, src unsafe.Pointer, n uintptr) {
	point()
	d, s := unsafe.Slice((*byte)(dst), n), unsafe.Slice((*byte)(src), n)
	copy(d[:n/2], s[:n/2])
	point()
	copy(d[n/2:], s[n/2:])
}

func Zero(p unsafe.Pointer, n uintptr) {
	point()
	clear(unsafe.Slice((*byte)(p), n))
}
