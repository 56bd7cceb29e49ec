package sys

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SetRobustList registers head for the calling thread; nil takes it back.
// head and its nodes must lie outside of the Go heap and never move. ENOSYS
// where the kernel, a sandbox or an emulator has no such lists.
//
// TANDEM_FORCE=silenced registers nothing and is content: the thread's end is
// then told to nobody, as when a thread's list was taken away behind its back,
// and others find it out by looking. With it the rest can be tried where there
// are no lists (qemu-user).
func SetRobustList(head *RobustHead) error {
	if Forced("silenced") {
		return nil
	}
	if head != nil && Forced("norobust") {
		return noRobust(unix.ENOSYS)
	}
	_, _, e := unix.RawSyscall(unix.SYS_SET_ROBUST_LIST, uintptr(unsafe.Pointer(head)), unsafe.Sizeof(RobustHead{}), 0)
	if e != 0 {
		return noRobust(e)
	}
	return nil
}

func noRobust(e syscall.Errno) error {
	return fmt.Errorf("this kernel, sandbox or emulator has no robust futexes (set_robust_list), without which nobody is told when a process dies: %w", e)
}
