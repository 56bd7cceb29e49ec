package sys

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Gettid is the calling thread's id, as its own pid namespace numbers it.
func Gettid() int { return unix.Gettid() }

// Processes are asked about below procDir: /proc, but in tests. What cannot be
// read is unknown, which is told by an error and not by a value, and proves
// nothing.
var procDir = "/proc"

// NoProc is err, of something that was asked of /proc/self; but
// errors.ErrUnsupported where that is not there, and not fs.ErrNotExist, which
// says that what the caller wants is not there yet.
func NoProc(err error) error {
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
		return err
	}
	if _, e := os.Readlink("/proc/self"); e == nil {
		return err
	}
	return fmt.Errorf("/proc/self is not there (is /proc mounted?): %w", errors.ErrUnsupported)
}

// Namespace names this process's pid namespace and its time namespace (of the
// other, the start times in /proc differ): inodes, pid's in the low half; not
// 0. It is unknown where there is no /proc, where /proc numbers the processes of
// another namespace, and where either of the two cannot be looked at.
func Namespace() (uint64, error) {
	self, err := os.Readlink(procDir + "/self")
	if err != nil {
		return 0, err
	}
	if me := strconv.Itoa(os.Getpid()); self != me {
		return 0, fmt.Errorf("%s numbers the processes of another namespace: this one is %s there, and has the pid %s", procDir, self, me)
	}
	id, err := inode(procDir + "/self/ns/pid")
	if err != nil {
		return 0, err
	}
	clock, err := inode(procDir + "/self/ns/time")
	if err != nil && !errors.Is(err, unix.ENOENT) { // ENOENT: before Linux 5.6, which had one for all
		return 0, err
	}
	return uint64(clock)<<32 | uint64(id), nil
}

// inode is that of a namespace's file, of 32 bits.
func inode(path string) (uint32, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if uint32(st.Ino) == 0 {
		return 0, fmt.Errorf("%s: inode %#x", path, st.Ino)
	}
	return uint32(st.Ino), nil
}

// pfExiting is PF_EXITING of the kernel's include/linux/sched.h, in field 9 of
// /proc/PID/task/TID/stat: a thread that has it never returns to user mode.
const pfExiting = 0x4

// Fields of /proc/PID/stat behind the command name: field 3 of proc(5) is the
// first.
const (
	statState   = 0
	statFlags   = 9 - 3
	statThreads = 20 - 3
	statStart   = 22 - 3
)

// statFields splits a stat file after the command name, which may hold anything.
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
	if len(f) <= statStart {
		return nil, fmt.Errorf("%s: %d fields", path, len(f))
	}
	return f, nil
}

func processDir(pid int) string { return procDir + "/" + strconv.Itoa(pid) }

func statOf(pid int) ([][]byte, error) { return statFields(processDir(pid) + "/stat") }

func startIn(stat [][]byte) (uint64, error) {
	return strconv.ParseUint(string(stat[statStart]), 10, 64)
}

// StartTime is when a process started, in clock ticks since boot: with its
// pid it names a process for as long as the machine is up.
func StartTime(pid int) (uint64, error) {
	f, err := statOf(pid)
	if err != nil {
		return 0, err
	}
	return startIn(f)
}

// Stopped reports that the process pid which started at start is stopped, by a
// signal or a debugger; not knowing is false.
func Stopped(pid int, start uint64) bool {
	f, err := statOf(pid)
	if err != nil || (f[statState][0] != 'T' && f[statState][0] != 't') {
		return false
	}
	now, err := startIn(f)
	return err == nil && now == start
}

// Ended reports that the process pid which started at start is gone, or that
// none of its threads will ever run user code again. It asks /proc, so pid
// must be of this process's pid namespace, and start of its time namespace; not
// knowing is false. So it is where /proc has become another namespace's since, by a
// chroot or a mount.
func Ended(pid int, start uint64) bool {
	if isGone(pid) {
		return true
	}
	runtime.LockOSThread() // another may see another /proc
	defer runtime.UnlockOSThread()
	now, err := StartTime(pid)
	if err != nil {
		return isGone(pid)
	}
	return (now != start || noneRuns(pid, exits) || dumping(pid) && noneRuns(pid, exitsOrDumps)) && numbersThis()
}

// numbersThis reports whether /proc numbers this process as it does itself.
func numbersThis() bool {
	self, err := os.Readlink(procDir + "/self")
	return err == nil && self == strconv.Itoa(os.Getpid())
}

// Gone reports whether there is no process pid, not even a zombie.
func Gone(pid int) bool { return isGone(pid) }

// isGone asks the kernel and not /proc, which may hide the processes of other
// users (its option hidepid).
func isGone(pid int) bool { return unix.Kill(pid, 0) == unix.ESRCH }

// noneRuns reports that no thread of pid will ever run user code again, which
// ends tells of one.
//
// A listing of the threads alone does not tell: one that still ran when it
// began may have started another behind it and ended, and one may be left out
// while others go. So, in this order: all that were listed are exiting; the
// process has n threads; all that were listed are there still. They were there
// when it had n, then, and if they are n, they were all of them; and a thread
// that exits starts no other.
func noneRuns(pid int, ends func(task string) bool) bool {
	dir := processDir(pid) + "/task"
	tasks, err := os.ReadDir(dir)
	if err != nil || !all(dir, tasks, ends) {
		return isGone(pid)
	}
	f, err := statOf(pid)
	if err != nil {
		return isGone(pid)
	}
	n, err := strconv.Atoi(string(f[statThreads]))
	if err != nil || n != len(tasks) || n == 0 {
		return isGone(pid)
	}
	return all(dir, tasks, ends) || isGone(pid)
}

func all(dir string, tasks []fs.DirEntry, is func(task string) bool) bool {
	for _, t := range tasks {
		if !is(dir + "/" + t.Name()) {
			return false
		}
	}
	return true
}

// exits reports that a thread is there, and exiting.
func exits(task string) bool {
	f, err := statFields(task + "/stat")
	if err != nil {
		return false
	}
	if s := f[statState][0]; s == 'Z' || s == 'X' || s == 'x' {
		return true
	}
	flags, err := strconv.ParseUint(string(f[statFlags]), 10, 64)
	return err == nil && flags&pfExiting != 0
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
