package step

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// The Go runtime has a monitor thread, which takes the processor from a
// goroutine that has run for 10 ms, and from a system call that has taken
// 20 µs. A stepped goroutine is always that slow: the monitor would have it
// yield again and again, and each time that is some thousand instructions of
// the scheduler to step through. So it is stopped while the operation is
// stepped, and let go on as long as the operation sleeps. No other thread of
// the victim is touched.

// freeze stops the monitor where it holds no lock of the runtime. If that
// cannot be done the walk is only longer.
func (c *child) freeze() {
	if c.monitor == 0 {
		c.findMonitor()
	}
	if c.monitor == 0 || c.frozen {
		return
	}
	for try := range 100 {
		if unix.PtraceInterrupt(c.monitor) != nil || !c.monitorStops() {
			return
		}
		c.frozen = true
		var regs unix.PtraceRegs
		if unix.PtraceGetRegs(c.monitor, &regs) == nil && naps(regs.PC(), try > 5) {
			return
		}
		c.thaw()
		time.Sleep(50 * time.Microsecond)
	}
}

// naps reports whether pc is where the monitor sleeps between its rounds. If
// it is seen there for long, that may be the sleep that it takes while no
// goroutine runs.
func naps(pc uint64, long bool) bool {
	if pc >= lowText {
		return false
	}
	f := runtime.FuncForPC(uintptr(pc))
	return f != nil && (f.Name() == "runtime.usleep" || long && f.Name() == "runtime.futex")
}

func (c *child) thaw() {
	if c.frozen {
		c.frozen = false
		unix.PtraceCont(c.monitor, 0)
	}
}

// findMonitor takes the victim's second oldest thread: the monitor is the
// first that the runtime starts.
func (c *child) findMonitor() {
	names, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", c.pid))
	if err != nil {
		return
	}
	var tids []int
	for _, n := range names {
		if tid, err := strconv.Atoi(n.Name()); err == nil && tid > c.pid {
			tids = append(tids, tid)
		}
	}
	if len(tids) == 0 {
		return
	}
	tid := slices.Min(tids)
	if unix.PtraceSeize(tid) != nil {
		return
	}
	c.monitor, c.stops = tid, make(chan unix.WaitStatus, 1)
	go watchMonitor(tid, c.stops)
}

// watchMonitor waits for the monitor to stop, and at last to end. A traced
// thread that has ended must be waited for before the process can be; its end
// may come at any time, and the tracer may be waiting for the main thread
// then, in vain.
func watchMonitor(tid int, stops chan<- unix.WaitStatus) {
	defer close(stops)
	for {
		var ws unix.WaitStatus
		_, err := unix.Wait4(tid, &ws, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil || ws.Exited() || ws.Signaled():
			return
		case ws.Stopped():
			stops <- ws
		}
	}
}

// monitorStops waits for the monitor to stop, and passes its signals on. false:
// it has ended.
func (c *child) monitorStops() bool {
	for ws := range c.stops {
		const eventStop = 128 // PTRACE_EVENT_STOP
		if int(ws)>>16 == eventStop {
			return true
		}
		if unix.PtraceCont(c.monitor, int(ws.StopSignal())) != nil {
			return false
		}
	}
	return false
}

// reapMonitor waits for the end of the monitor, which is near.
func (c *child) reapMonitor() {
	if c.monitor != 0 {
		for range c.stops {
		}
	}
}
