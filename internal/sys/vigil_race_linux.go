//go:build race

package sys

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// sleep returns to the scheduler for each look: what a build for the race
// detector adds, to count what is covered, needs a processor of the scheduler's.
func (v *Vigil) sleep(now int64, waitv bool) {
	for {
		until := v.next(now)
		var err error
		if waitv {
			_, err = FutexWaitv(v.Words[:min(len(v.Words), MaxWaitv)], until)
		} else {
			err = FutexWait(wordOf(&v.Words[0]), uint32(v.Words[0].Val), until)
		}
		errno, _ := err.(syscall.Errno)
		now = MonotonicNow()
		if errno == unix.EAGAIN || !v.goesOn(errno, now, waitv) || v.free() {
			return
		}
	}
}
