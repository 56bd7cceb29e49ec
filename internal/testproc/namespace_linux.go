package testproc

import (
	"os/exec"
	"sync"
	"syscall"
	"testing"
)

// namespaces are those that were tried, and whether they are to be had.
var namespaces sync.Map // of uintptr to error, or nil

// StartIn is Start in new namespaces, flags of clone(2), with a mount table of
// its own that no other sees; the test is skipped where that is not allowed.
func (r RoleName) StartIn(t testing.TB, flags uintptr, args ...string) *Child {
	t.Helper()
	err, tried := namespaces.Load(flags)
	if !tried {
		probe := exec.Command("/bin/true")
		probe.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Unshareflags: syscall.CLONE_NEWNS}
		err = probe.Run()
		namespaces.Store(flags, err)
	}
	if err != nil {
		t.Skipf("no namespaces to be had: %v", err)
	}
	return r.start(t, func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Unshareflags: syscall.CLONE_NEWNS}
	}, args)
}

// MountProc is for the first process of a pid namespace: from then on it sees
// its own processes in /proc, and no other's.
func MountProc() error { return syscall.Mount("proc", "/proc", "proc", 0, "") }
