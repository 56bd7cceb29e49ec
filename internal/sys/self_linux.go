package sys

import (
	"fmt"
	"os"
	"strconv"
)

// OwnStart is this process's StartTime, read where nobody makes it up. An
// emulator (qemu-user) has a /proc/self/stat of its own for the process that
// runs in it, with another start than the kernel's, which is what others read:
// they would take a living process for the next one with its number. The stat
// file of the first thread has the process's start, and is the kernel's.
func OwnStart() (uint64, error) {
	pid := os.Getpid()
	f, err := statFields(fmt.Sprintf("/proc/%d/task/%d/stat", pid, pid))
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(string(f[statStart]), 10, 64)
}
