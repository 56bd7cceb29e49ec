//go:build !race && !tandem_fenced && !tandem_sim

package mem

// Hint64 stores a word that is only ever shown: whole, at some time, in no
// order with anything else. It costs a plain store.
func Hint64(p *uint64, v uint64) { *p = v }
