package step

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RegisterGuard names an operation that the victim's main thread does not take
// part in: that of its guard, the one thread that has something in its robust
// list. prepare makes the process one that has a guard. The guard is stopped,
// what the stage's OnReady function does happens, and then the guard is
// stepped until it sleeps for long: whatever it does about what happened.
func RegisterGuard(name string, prepare func(dir string) error) Op {
	op := Register(name, func(dir string) (func() error, error) {
		return func() error {
			time.Sleep(1<<63 - 1)
			return nil
		}, prepare(dir)
	})
	op.guard = true
	return op
}

// The guard naps for some milliseconds while it is about something. It has
// nothing more to do when it sleeps for longer, or, where it looks every 10 ms
// for want of futex_waitv, when it has napped so often without an effect.
const (
	guardAsleepAfter = 40 * time.Millisecond
	guardNaps        = 12
)

// stepGuard makes the guard the thread that is stepped, and lets the main
// thread, which stands before its operation, go on.
func (c *child) stepGuard() error {
	if err := unix.PtraceDetach(c.pid); err != nil {
		return fmt.Errorf("stepkill: let the main thread go: %w", err)
	}
	for deadline := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		tid, err := c.guardThread()
		if err != nil {
			return err
		}
		if tid != 0 {
			return c.traceGuard(tid)
		}
		if time.Now().After(deadline) {
			return errors.New("stepkill: the victim has no guard")
		}
	}
}

func (c *child) traceGuard(tid int) error {
	if _, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(tid), 0, ptOptions, 0, 0); e != 0 {
		return fmt.Errorf("stepkill: trace the guard: %w", e)
	}
	c.tid = tid
	if err := unix.PtraceInterrupt(tid); err != nil {
		return fmt.Errorf("stepkill: stop the guard: %w", err)
	}
	ws, _, err := c.wait(true)
	if err == nil && !ws.Stopped() {
		err = c.died(ws)
	}
	return err
}

// guardThread returns the thread whose robust list is not empty, or 0.
func (c *child) guardThread() (int, error) {
	names, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", c.pid))
	if err != nil {
		return 0, fmt.Errorf("stepkill: the victim's threads: %w", err)
	}
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", c.pid))
	if err != nil {
		return 0, fmt.Errorf("stepkill: the victim's memory: %w", err)
	}
	defer memory.Close()
	for _, n := range names {
		tid, err := strconv.Atoi(n.Name())
		if err != nil {
			continue
		}
		var head, size uintptr
		_, _, e := unix.RawSyscall(unix.SYS_GET_ROBUST_LIST, uintptr(tid), uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&size)))
		var next [8]byte
		if e != 0 || head == 0 {
			continue
		}
		if _, err := memory.ReadAt(next[:], int64(head)); err == nil && binary.LittleEndian.Uint64(next[:]) != uint64(head) {
			return tid, nil
		}
	}
	return 0, nil
}
