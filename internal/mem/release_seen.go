//go:build race || tandem_sim

package mem

// Release64 is Store64 where every access is watched.
func Release64(p *uint64, v uint64) { Store64(p, v) }
