//go:build !race

package wait

// Not under the race detector, which counts an atomic operation on a stack that
// a fault cannot be recovered from.

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/sys"
)

// A waiter is alarmed while the kernel sleeps on its nudge word: that has changed
// before anybody is woken. The page it is in is read-only meanwhile, so that the
// alarm gets no further than to change the word.
func TestNudgeWordChangesBeforeTheWake(t *testing.T) {
	if !sys.HaveWaitv() {
		t.Skip("without futex_waitv nobody sleeps on a nudge word")
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	for range 20 {
		page := make4K(t)
		wt := &Waiter{nudge: (*uint32)(unsafe.Pointer(unsafe.SliceData(page)))}
		tid, over := make(chan int, 1), make(chan error, 1)
		go lockThread(func() {
			tid <- unix.Gettid()
			for {
				_, err := sys.FutexWaitv([]sys.Waitv{sys.PrivateWaitv(wt.nudge, 0)}, 0)
				if err != unix.EINTR {
					over <- err
					return
				}
			}
		})
		id := <-tid
		until(t, "the sleeper's thread sleeps", func() bool { return threadSleeps(id) })
		protect(t, page, unix.PROT_READ)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the nudge word was not changed")
				}
			}()
			wt.alarm()
		}()
		protect(t, page, unix.PROT_READ|unix.PROT_WRITE)
		until(t, "the sleeper, or its end", func() bool {
			if len(over) > 0 {
				t.Fatalf("the sleeper was woken (%v), and its nudge word had not changed", <-over)
			}
			return sys.FutexWakePrivate(wt.nudge, 1) == 1
		})
		if err := <-over; err != nil {
			t.Errorf("FutexWaitv = %v", err)
		}
	}
}

// make4K is a page of its own.
func make4K(t *testing.T) []byte {
	b, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(b) })
	return b
}

// threadSleeps reports that a thread of this process sleeps in the kernel.
func threadSleeps(tid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", tid))
	return err == nil && bytes.HasPrefix(b[bytes.LastIndexByte(b, ')')+1:], []byte(" S"))
}
