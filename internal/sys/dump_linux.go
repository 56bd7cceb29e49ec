package sys

import (
	"bytes"
	"os"
	"strconv"
)

// A process that writes a core file is as good as gone, but its threads wait,
// not exiting yet, until the file is written: for seconds if it has gigabytes.
//
// The kernel says CoreDumping (since Linux 4.15), under the same lock
// (siglock) under which it has given SIGKILL to every thread but the one that
// writes, and from there on the process gets no new thread (fs/coredump.c,
// zap_threads; kernel/fork.c, copy_process). A thread with that signal pending
// may still be on its way from user code into the kernel; one that has taken it
// never returns, and neither does the one that writes. So: CoreDumping is read
// first, and then no thread has SIGKILL pending (SigPnd, which is read under the
// lock).

// dumping reports that the kernel is writing a core file of pid.
func dumping(pid int) bool {
	return string(statusField(processDir(pid), "CoreDumping")) == "1"
}

// exitsOrDumps reports that a thread of a process that is dumping is there, and
// will not run user code again.
func exitsOrDumps(task string) bool {
	if exits(task) {
		return true
	}
	const kill = 1 << (9 - 1)
	pending, err := strconv.ParseUint(string(statusField(task, "SigPnd")), 16, 64)
	return err == nil && pending&kill == 0
}

// statusField is a field of the file status in dir; empty if it is not known.
func statusField(dir, name string) []byte {
	b, err := os.ReadFile(dir + "/status")
	if err != nil {
		return nil
	}
	_, b, _ = bytes.Cut(b, []byte("\n"+name+":"))
	b, _, _ = bytes.Cut(b, []byte("\n"))
	return bytes.TrimSpace(b)
}
