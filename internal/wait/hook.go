//go:build !tandem_sim

package wait

// A simulated thread waits by its scheduler, and not by the kernel.
const simulated = false

// A Scheduler is what a simulated thread waits by. A sleep with ends may end as
// the end of a context ends one.
type Scheduler interface {
	SleepUntil(word *uint32, v uint32, limit int64, ends bool) error
	SleepAny(words []*uint32, values []uint32, limit int64, ends bool) error
	Spin() bool
	Now() int64
	Membarrier() bool
	Reached() bool
}

var hook Scheduler
