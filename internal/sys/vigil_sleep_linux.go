//go:build !race

package sys

import _ "unsafe" // for go:linkname

// What every system call goes through that may block: between these two the
// thread has no processor of the scheduler's, and its goroutine must neither
// grow its stack nor allocate. Packages syscall and x/sys call the like; the
// runtime lets others do so, too.

//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

// sleep runs without a processor: everything below it is nosplit, writes no
// pointer, and calls the kernel directly.
//
//go:nosplit
//go:nocheckptr
func (v *Vigil) sleep(now int64, waitv bool) {
	entersyscallblock()
	for {
		errno := v.futex(v.next(now), waitv)
		now = v.rawNow()
		if !v.goesOn(errno, now, waitv) || v.free() {
			break
		}
	}
	exitsyscall()
}
