//go:build !amd64

package wait

import "sync/atomic"

// Nothing to do: membarrier_amd64.go says why.

func Reach() {}

// ReachedWord is of a region that another architecture's process has made.
func ReachedWord() *atomic.Bool { return new(atomic.Bool) }

// FencesOthers reports that no region is made so.
func FencesOthers() bool { return false }

func FenceOwn() {}

func MissesSome() bool { return false }

func Reached() bool    { return !simulated || hook.Reached() }
func Membarrier() bool { return !simulated || hook.Membarrier() }
