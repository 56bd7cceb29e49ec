//go:build (race || tandem_fenced) && !tandem_sim

package mem

// Hint64 is Store64 where Release64 is.
func Hint64(p *uint64, v uint64) { Store64(p, v) }
