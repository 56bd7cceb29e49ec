//go:build !tandem_sim

package wait

// A simulated thread waits by its scheduler, and not by the kernel.
const simulated = false

// A Scheduler is what a simulated thread waits by.
type Scheduler interface {
	SleepUntil(word *uint32, v uint32, limit int64) error
	Spin(i int) bool
	Now() int64
}

var hook Scheduler
