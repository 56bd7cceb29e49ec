//go:build tandem_sim

package mem

// The simulation runs one thread at a time, in program order: a fence is one
// more place where another thread may run.

func FenceLoad()  { point() }
func FenceStore() { point() }
