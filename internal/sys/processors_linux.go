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
