package testproc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Threads is a letter for each thread of a process: R, S, D, T …
func Threads(pid int) (states string) {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, task := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, task.Name()))
		if err == nil { // else it has ended
			states += string(b[bytes.LastIndexByte(b, ')')+2])
		}
	}
	return states
}

// Sleeps is how often a thread of a process has gone to sleep.
func Sleeps(pid, tid int) (n int, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", pid, tid))
	if err != nil {
		return 0, err
	}
	_, s, _ := strings.Cut(string(b), "\nvoluntary_ctxt_switches:")
	_, err = fmt.Sscan(s, &n)
	return n, err
}

// AllSleep is how often all threads of a process have, but those that have ended.
func AllSleep(pid int) (sum int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, task := range tasks {
		if tid, err := strconv.Atoi(filepath.Base(task)); err == nil {
			n, _ := Sleeps(pid, tid)
			sum += n
		}
	}
	return sum
}
