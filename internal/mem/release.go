//go:build !race && !tandem_fenced && !tandem_sim && !amd64

package mem

import "sync/atomic"

// Release64 stores a word after all stores that precede it, and in no order
// with loads that follow: a store-release.
func Release64(p *uint64, v uint64) { atomic.StoreUint64(p, v) }
