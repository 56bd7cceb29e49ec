package testproc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Freeze stops all threads of the child, if it lives, and returns when they
// have stopped. Signal(syscall.SIGCONT) lets it go on.
func (c *Child) Freeze() {
	c.t.Helper()
	c.Signal(syscall.SIGSTOP)
	for end := time.Now().Add(Patience); !stopped(c.PID()); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("process %d does not stop", c.PID())
		}
	}
}

func stopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, path := range threads {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		if i := bytes.LastIndexByte(b, ')'); !bytes.HasPrefix(b[i+1:], []byte(" T")) {
			return false
		}
	}
	return true
}
