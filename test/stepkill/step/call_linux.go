package step

import "golang.org/x/sys/unix"

// A call is a system call about to be made.
type call struct {
	nr   uint64
	args [6]uint64
}

const (
	futexPrivate    = 128
	futexCmdMask    = 127
	futexWait       = 0
	futexWaitBitset = 9

	sysFutexWaitv = 449
	sysFutexWait  = 455
)

// waits reports whether the call may sleep until another process does
// something.
func (c call) waits() bool {
	switch c.nr {
	case unix.SYS_FUTEX:
		cmd := c.args[1] & futexCmdMask
		return cmd == futexWait || cmd == futexWaitBitset
	case sysFutexWaitv, sysFutexWait:
		return true
	case unix.SYS_FCNTL:
		return c.args[1] == unix.F_SETLKW || c.args[1] == unix.F_OFD_SETLKW
	case unix.SYS_FLOCK:
		return true
	}
	return false
}

// private reports whether the call concerns only the process itself, as the
// Go runtime's own sleeping and waking does.
func (c call) private() bool {
	return c.nr == unix.SYS_FUTEX && c.args[1]&futexPrivate != 0
}

// looks reports whether the call is one that writes to no memory that others map: it
// sleeps, lets others run, or tells the time.
func (c call) looks() bool {
	return c.waits() || c.private() || c.nr == unix.SYS_SCHED_YIELD || c.nr == unix.SYS_CLOCK_GETTIME
}

// visible reports whether others may notice that the call was made: all do,
// but those that only look, those of the Go runtime on its own memory, and a
// sleep that is over.
func (c call) visible() bool {
	if c.private() || quiet[c.nr] {
		return false
	}
	switch c.nr {
	case unix.SYS_FUTEX, sysFutexWaitv, sysFutexWait:
		return !c.waits()
	case unix.SYS_MADVISE:
		return c.args[2] == unix.MADV_REMOVE
	case unix.SYS_MMAP:
		return c.args[3]&unix.MAP_ANONYMOUS == 0
	}
	return true
}

var quiet = map[uint64]bool{
	unix.SYS_READ: true, unix.SYS_PREAD64: true, unix.SYS_FSTAT: true, unix.SYS_STATX: true,
	unix.SYS_LSEEK: true, unix.SYS_GETDENTS64: true, unix.SYS_READLINKAT: true,
	unix.SYS_STATFS: true, unix.SYS_FSTATFS: true, unix.SYS_FACCESSAT: true,
	unix.SYS_GETPID: true, unix.SYS_GETTID: true, unix.SYS_GETUID: true, unix.SYS_GETEUID: true,
	unix.SYS_UNAME: true, unix.SYS_GETRANDOM: true, unix.SYS_CLOCK_GETTIME: true,
	unix.SYS_NANOSLEEP: true, unix.SYS_CLOCK_NANOSLEEP: true,
	unix.SYS_SCHED_YIELD: true, unix.SYS_SCHED_GETAFFINITY: true,
	unix.SYS_RT_SIGPROCMASK: true, unix.SYS_RT_SIGACTION: true, unix.SYS_SIGALTSTACK: true,
	unix.SYS_RT_SIGRETURN: true, unix.SYS_MPROTECT: true,
	unix.SYS_EPOLL_CREATE1: true, unix.SYS_EPOLL_CTL: true, unix.SYS_EPOLL_PWAIT: true,
	unix.SYS_EVENTFD2: true, unix.SYS_PIPE2: true,
}
