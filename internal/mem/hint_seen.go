//go:build race && !tandem_sim

package mem

// Hint64 is Store64 for the race detector, which knows plain stores as races.
func Hint64(p *uint64, v uint64) { Store64(p, v) }
