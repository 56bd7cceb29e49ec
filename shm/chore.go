package shm

import "sync/atomic"

// A chore is work that a guard, or the collector's cleanup, finds to be done
// and must not wait for: it may take a lock that a stopped process has, or run
// the collector. It is done by one goroutine at a time, and once more if it was
// asked for meanwhile.
type chore struct{ state atomic.Int32 }

const (
	choreNone = iota
	choreAtIt
	choreAgain // asked for since it was last begun
)

// soon has do run from its beginning after this call. It does not block.
func (c *chore) soon(do func()) {
	if c.state.Swap(choreAgain) == choreNone {
		go c.run(do)
	}
}

func (c *chore) run(do func()) {
	for {
		c.state.Store(choreAtIt)
		do()
		if c.state.CompareAndSwap(choreAtIt, choreNone) {
			return
		}
	}
}
