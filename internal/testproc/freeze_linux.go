package testproc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
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

func stopped(pid int) bool { return strings.Trim(Threads(pid), "T") == "" }

// A Freezer is a control group of the kernel's whose processes stop where they
// are: unlike those that a signal stops, what they sleep on they still sleep on,
// and a wake-up can go to them (cgroup v1; of v2 that is not so).
type Freezer struct {
	t          testing.TB
	dir        string
	file       string
	stop, thaw string
}

// NewFreezer makes a control group, which goes with the test; the test is
// skipped where that is not allowed.
func NewFreezer(t testing.TB) *Freezer {
	t.Helper()
	for _, f := range []Freezer{
		{t, "/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "THAWED"},
		{t, "/sys/fs/cgroup", "cgroup.freeze", "1", "0"},
		{t, "/sys/fs/cgroup/unified", "cgroup.freeze", "1", "0"},
	} {
		dir, err := os.MkdirTemp(f.dir, "tandem-test-")
		if err != nil {
			continue
		}
		t.Cleanup(func() { os.Remove(dir) })
		if _, err := os.Stat(filepath.Join(dir, f.file)); err == nil {
			f.dir = dir
			return &f
		}
	}
	t.Skip("no freezer to be had")
	return nil
}

// Freeze freezes the children, which thaw when the test ends, and are killed.
func (f *Freezer) Freeze(cs ...*Child) {
	f.t.Helper()
	write := func(file, s string) {
		if err := os.WriteFile(filepath.Join(f.dir, file), []byte(s), 0); err != nil {
			f.t.Fatal(err)
		}
	}
	for _, c := range cs {
		write("cgroup.procs", fmt.Sprint(c.PID()))
	}
	write(f.file, f.stop)
	f.t.Cleanup(func() {
		write(f.file, f.thaw)
		for _, c := range cs {
			c.Kill()
		}
	})
	for end := time.Now().Add(Patience); !f.frozen(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("%s does not freeze", f.dir)
		}
	}
}

func (f *Freezer) frozen() bool {
	if f.stop == "FROZEN" {
		b, _ := os.ReadFile(filepath.Join(f.dir, f.file))
		return string(bytes.TrimSpace(b)) == "FROZEN"
	}
	b, _ := os.ReadFile(filepath.Join(f.dir, "cgroup.events"))
	return bytes.Contains(b, []byte("frozen 1"))
}
