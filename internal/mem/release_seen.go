//go:build race && !tandem_sim

package mem

// Release64 is Store64 for the race detector, which knows plain stores as races.
func Release64(p *uint64, v uint64) { Store64(p, v) }
