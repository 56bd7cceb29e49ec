//go:build tandem_sim

package mem

// The simulation runs one thread at a time, in program order, and shows its
// stores in that order: these two are one more place where another thread may
// run. Fence is in buffer_sim.go.

func FenceLoad()  { point() }
func FenceStore() { point() }
