package sys

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Processors is how many processors the calling thread may run on now; it
// follows taskset, which runtime.NumCPU does not.
func Processors() int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return runtime.NumCPU()
	}
	return set.Count()
}

// Yield lets another thread run, of any process, if one waits for this
// processor: sched_yield.
func Yield() { unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
