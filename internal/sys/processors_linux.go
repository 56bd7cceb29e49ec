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

// Switches is how often the calling thread has had a processor: another number says that
// others had it meanwhile.
func Switches() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &u) != nil {
		return -1
	}
	return int64(u.Nvcsw) + int64(u.Nivcsw)
}

// Yield lets another thread run, of any process, if one waits for this
// processor: sched_yield.
func Yield() { unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
