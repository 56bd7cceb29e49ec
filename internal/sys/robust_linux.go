package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// SetRobustList registers head for the calling thread; nil takes it back.
// head and its nodes must lie outside of the Go heap and never move.
func SetRobustList(head *RobustHead) error {
	if head != nil && Forced("norobust") {
		return unix.ENOSYS
	}
	_, _, e := unix.RawSyscall(unix.SYS_SET_ROBUST_LIST, uintptr(unsafe.Pointer(head)), unsafe.Sizeof(RobustHead{}), 0)
	if e != 0 {
		return e
	}
	return nil
}
