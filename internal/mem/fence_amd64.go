//go:build !tandem_sim

package mem

import "sync/atomic"

// FenceLoad keeps loads before it from moving after loads and stores that
// follow: a reader of a sequence calls it between its copy of the data and its
// second look at the sequence, since a load-acquire holds back only what
// follows it.
//
// FenceStore keeps stores before it from moving after stores that follow: a
// writer calls it between the store that makes the sequence odd and the first
// store of data, since a store-release holds back only what precedes it.
//
// On amd64 the processor does neither anyway, and the compiler, which might,
// does not move loads or stores across an atomic load.
func FenceLoad()  { atomic.LoadUint32(&fence.word) }
func FenceStore() { atomic.LoadUint32(&fence.word) }

// Fence keeps loads that follow from being satisfied before all stores before it
// are visible to all others. Any locked instruction does that; this one is to a
// word that nobody else has.
func Fence() {
	var word uint32
	atomic.AddUint32(&word, 1)
}

// fence.word is never written, on a line of its own so that it stays cached.
var fence struct {
	_    [64]byte
	word uint32
	_    [60]byte
}
