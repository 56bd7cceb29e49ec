//go:build !race && !tandem_fenced && !tandem_sim

package mem

// Release64 stores a word after all stores that precede it, and in no order
// with loads that follow: a store-release. On amd64 every store is one, and the
// compiler keeps a store behind the atomic operations before it.
func Release64(p *uint64, v uint64) { *p = v }
