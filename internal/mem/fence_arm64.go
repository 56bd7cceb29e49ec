//go:build !tandem_sim

package mem

// FenceLoad keeps loads before it from moving after loads and stores that
// follow: a reader of a sequence calls it between its copy of the data and its
// second look at the sequence, since LDAR holds back only what follows it.
// DMB ISHLD.
//
//go:noescape
func FenceLoad()

// FenceStore keeps stores before it from moving after stores that follow: a
// writer calls it between the store that makes the sequence odd and the first
// store of data, since STLR holds back only what precedes it. DMB ISHST.
//
//go:noescape
func FenceStore()

// Fence keeps loads that follow from being satisfied before all stores before it
// are visible to all others. After a store by this package's functions, which
// are STLR, and before a load by them, LDAR, the processor does that by itself.
// DMB ISH.
//
//go:noescape
func Fence()
