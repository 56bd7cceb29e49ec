//go:build (race || tandem_fenced) && !tandem_sim

package mem

// Release64 is Store64 for the race detector, which knows plain stores as races, and
// with the build tag tandem_fenced: if a fault goes away with that, a fence is missing.
func Release64(p *uint64, v uint64) { Store64(p, v) }
