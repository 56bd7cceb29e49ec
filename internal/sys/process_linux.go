package sys

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Gettid is the calling thread's id, as its own pid namespace numbers it.
func Gettid() int { return unix.Gettid() }

// Namespace names this process's pid namespace and its time namespace (of the
// other, the start times in /proc differ): inodes, pid's in the low half. 0
// where there is no /proc, or where /proc numbers the processes of another
// namespace.
func Namespace() uint64 {
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(os.Getpid()) {
		return 0
	}
	var st unix.Stat_t
	if unix.Stat("/proc/self/ns/pid", &st) != nil {
		return 0
	}
	id := st.Ino & (1<<32 - 1)
	if unix.Stat("/proc/self/ns/time", &st) == nil { // since Linux 5.6
		id |= st.Ino << 32
	}
	return id
}

// pfExiting is PF_EXITING of the kernel's include/linux/sched.h, in field 9 of
// /proc/PID/task/TID/stat: a thread that has it never returns to user mode.
const pfExiting = 0x4

// statFields splits a stat file after the command name, which may hold
// anything: fields[0] is the state, field 3 of proc(5).
func statFields(path string) ([][]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return nil, fmt.Errorf("%s: no command name", path)
	}
	f := bytes.Fields(b[i+1:])
	if len(f) < 20 {
		return nil, fmt.Errorf("%s: %d fields", path, len(f))
	}
	return f, nil
}

// StartTime is when a process started, in clock ticks since boot: with its
// pid it names a process for as long as the machine is up.
func StartTime(pid int) (uint64, error) {
	f, err := statFields(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(string(f[19]), 10, 64)
}

// Stopped reports that the process pid which started at start is stopped, by a
// signal or a debugger; not knowing is false.
func Stopped(pid int, start uint64) bool {
	f, err := statFields(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || (f[0][0] != 'T' && f[0][0] != 't') {
		return false
	}
	now, err := strconv.ParseUint(string(f[19]), 10, 64)
	return err == nil && now == start
}

// Ended reports that the process pid which started at start is gone, or that
// none of its threads will ever run user code again. It asks /proc, so pid
// must be of this process's pid namespace; not knowing is false.
//
// All threads are listed twice: a thread that was still running at the first
// listing could have started another, which the second then shows.
func Ended(pid int, start uint64) bool {
	if isGone(pid) {
		return true
	}
	now, err := StartTime(pid)
	if err != nil {
		return isGone(pid)
	}
	if now != start {
		return true
	}
	for range 2 {
		if !allExiting(pid) {
			return false
		}
	}
	return true
}

// Gone reports whether there is no process pid, not even a zombie.
func Gone(pid int) bool { return isGone(pid) }

// isGone asks the kernel and not /proc, which may hide the processes of other
// users (its option hidepid).
func isGone(pid int) bool { return unix.Kill(pid, 0) == unix.ESRCH }

func allExiting(pid int) bool {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return isGone(pid)
	}
	for _, t := range tasks {
		f, err := statFields(dir + "/" + t.Name() + "/stat")
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
			continue // that thread ended meanwhile
		}
		if err != nil {
			return false
		}
		if s := f[0][0]; s == 'Z' || s == 'X' || s == 'x' {
			continue
		}
		flags, err := strconv.ParseUint(string(f[6]), 10, 64)
		if err != nil || flags&pfExiting == 0 {
			return false
		}
	}
	return true
}

// BootID names this boot of the machine; zeroes where the kernel does not say.
func BootID() (id [16]byte) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id
	}
	n := 0
	for _, c := range bytes.ToLower(b) {
		var v byte
		switch {
		case c >= '0' && c <= '9':
			v = c - '0'
		case c >= 'a' && c <= 'f':
			v = c - 'a' + 10
		default:
			continue
		}
		if n < 32 {
			id[n/2] |= v << (4 * (1 - n%2))
			n++
		}
	}
	return id
}

// IsMainThread reports whether the caller runs on the process's first thread.
func IsMainThread() bool { return unix.Gettid() == unix.Getpid() }
