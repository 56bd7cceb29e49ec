//go:build !amd64

package wait

// Nothing to do: membarrier_amd64.go says why.

func Reach() {}

func Reached() bool    { return !simulated || hook.Reached() }
func Membarrier() bool { return !simulated || hook.Membarrier() }
