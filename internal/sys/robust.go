package sys

import "unsafe"

// RobustHead is struct robust_list_head of <linux/futex.h>. The kernel walks
// the list when the thread that registered it ends, however it ends, and in
// every word at node+FutexOffset that holds the thread's id it sets
// FUTEX_OWNER_DIED and wakes one waiter ([robust-futex-ABI.rst], and why:
// [robust-futexes.rst]).
//
// [robust-futex-ABI.rst]: https://docs.kernel.org/locking/robust-futex-ABI.html
// [robust-futexes.rst]: https://docs.kernel.org/locking/robust-futexes.html
type RobustHead struct {
	Next        unsafe.Pointer // *RobustNode, or the head itself: the end
	FutexOffset int64
	Pending     unsafe.Pointer
}

// RobustNode is struct robust_list.
type RobustNode struct{ Next unsafe.Pointer }

// The bits of a robust futex word.
const (
	FutexWaiters   = 0x80000000
	FutexOwnerDied = 0x40000000
	FutexTIDMask   = 0x3fffffff
)
