//go:build !tandem_sim

package mem

import (
	"runtime"
	"sync/atomic"
	"unsafe"
)

// Load32 and Load64 load a word; on amd64 a plain MOV, on arm64 LDAR.
func Load32(p *uint32) uint32 { return atomic.LoadUint32(p) }
func Load64(p *uint64) uint64 { return atomic.LoadUint64(p) }

// Store32 and Store64 store a word and are full fences: a load that follows
// cannot be satisfied before the store is visible to all (XCHG; STLR).
func Store32(p *uint32, v uint32) { atomic.StoreUint32(p, v) }
func Store64(p *uint64, v uint64) { atomic.StoreUint64(p, v) }

// CAS32 and CAS64 are full fences, whether they succeed or not.
func CAS32(p *uint32, old, new uint32) bool { return atomic.CompareAndSwapUint32(p, old, new) }
func CAS64(p *uint64, old, new uint64) bool { return atomic.CompareAndSwapUint64(p, old, new) }

// Add32 and Add64 return the new value; full fences.
func Add32(p *uint32, d uint32) uint32 { return atomic.AddUint32(p, d) }
func Add64(p *uint64, d uint64) uint64 { return atomic.AddUint64(p, d) }

// Swap32 and Swap64 return the old value; full fences.
func Swap32(p *uint32, v uint32) uint32 { return atomic.SwapUint32(p, v) }
func Swap64(p *uint64, v uint64) uint64 { return atomic.SwapUint64(p, v) }

// Or64 and And64 return the old value; full fences.
func Or64(p *uint64, m uint64) uint64  { return atomic.OrUint64(p, m) }
func And64(p *uint64, m uint64) uint64 { return atomic.AndUint64(p, m) }

// Between is for memory that threads of one process share, and no other: where
// one of them may come between another's two accesses, a simulation is asked.
func Between() {}

// Yield lets other threads of the process run, one of which has what the caller waits
// for.
func Yield() { runtime.Gosched() }

// CopyWord is Copy of 8 bytes.
func CopyWord(dst, src unsafe.Pointer) { *(*uint64)(dst) = *(*uint64)(src) }

// CopyShort is Copy of few bytes, in which nothing can fail.
//
//go:noinline
func CopyShort(dst, src unsafe.Pointer, n uintptr) {
	i := uintptr(0)
	for ; i+8 <= n; i += 8 {
		CopyWord(unsafe.Add(dst, i), unsafe.Add(src, i))
	}
	for ; i < n; i++ {
		*(*byte)(unsafe.Add(dst, i)) = *(*byte)(unsafe.Add(src, i))
	}
}

// Zero clears n bytes that the caller owns.
func Zero(p unsafe.Pointer, n uintptr) { clear(unsafe.Slice((*byte)(p), n)) }
