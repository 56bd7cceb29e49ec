package testproc

import (
	"bytes"
	"fmt"
	"os"
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
