package step

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tracer runs functions on one thread that lives as long as the process. A
// tracee obeys only the thread that started it, and children die with the
// thread that forked them (PDEATHSIG).
var tracer = sync.OnceValue(func() chan func() {
	jobs := make(chan func())
	go func() {
		runtime.LockOSThread()
		quietStops()
		for f := range jobs {
			f()
		}
	}()
	return jobs
})

// quietStops asks the kernel not to send SIGCHLD for a child that merely
// stops: one signal to this process for each instruction stepped. Exits are
// signalled as before. That only costs time, so a failure is not reported.
func quietStops() {
	var a struct { // the kernel's sigaction, amd64 and arm64
		handler, flags, restorer uintptr
		mask                     uint64
	}
	const noCldStop = 1
	chld := uintptr(unix.SIGCHLD)
	_, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, chld, 0, uintptr(unsafe.Pointer(&a)), 8, 0, 0)
	if e == 0 {
		a.flags |= noCldStop
		unix.RawSyscall6(unix.SYS_RT_SIGACTION, chld, uintptr(unsafe.Pointer(&a)), 0, 8, 0, 0)
	}
}

func onTracer(f func()) {
	done := make(chan struct{})
	tracer() <- func() { defer close(done); f() }
	<-done
}

// A child is a victim or a peer: this binary, run again.
type child struct {
	pid   int
	tid   int      // of the thread that is stepped: the main one, or see guard_linux.go
	out   *os.File // what it printed
	board *board
	page  []byte
	gone  bool

	unpin   func()               // of the tracer's thread; nil: it is not pinned for this child
	monitor int                  // its runtime's monitor thread, traced, or 0
	frozen  bool                 // the monitor is stopped
	stops   chan unix.WaitStatus // closed when the monitor has ended
}

// spawn starts a child. If step is set, it is traced and stands at its first
// instruction. To be called on the tracer's thread.
func spawn(op Op, dir string, step bool) (c *child, err error) {
	c = &child{}
	defer func() {
		if err != nil {
			c.free()
			c = nil
		}
	}()
	fd, err := unix.MemfdCreate("stepkill-board", unix.MFD_CLOEXEC)
	if err != nil {
		return c, fmt.Errorf("stepkill: memfd_create: %w", err)
	}
	board := os.NewFile(uintptr(fd), "board")
	defer board.Close()
	if err := board.Truncate(boardSize); err != nil {
		return c, err
	}
	if c.board, c.page, err = mapBoard(fd); err != nil {
		return c, err
	}
	if fd, err = unix.MemfdCreate("stepkill-output", unix.MFD_CLOEXEC); err != nil {
		return c, fmt.Errorf("stepkill: memfd_create: %w", err)
	}
	c.out = os.NewFile(uintptr(fd), "output")

	env := make([]string, 0, len(os.Environ())+5)
	// The same path in each run: no signals between two instructions, and no
	// 30,000 more for the heap's profile in some allocation or other.
	godebug := "asyncpreemptoff=1,memprofilerate=0"
	for _, e := range os.Environ() {
		if v, ok := strings.CutPrefix(e, "GODEBUG="); ok {
			godebug += "," + v
		} else if !strings.HasPrefix(e, "GOGC=") {
			env = append(env, e)
		}
	}
	env = append(env, "GODEBUG="+godebug, "GOGC=off", envOp+"="+op.name, envDir+"="+dir)
	if step {
		env = append(env, envRun+"=step")
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return c, err
	}
	defer null.Close()
	out := c.out.Fd()
	c.pid, err = syscall.ForkExec("/proc/self/exe", os.Args[:1], &syscall.ProcAttr{
		Env:   env,
		Files: []uintptr{null.Fd(), out, out, board.Fd()},
		Sys:   &syscall.SysProcAttr{Ptrace: step, Pdeathsig: syscall.SIGKILL},
	})
	c.tid = c.pid
	if err != nil {
		return c, fmt.Errorf("stepkill: start a child (traced: %v): %w", step, err)
	}
	return c, nil
}

// wait returns the child's next change of state; ok is false if block is not
// set and there is none yet.
func (c *child) wait(block bool) (ws unix.WaitStatus, ok bool, err error) {
	options := unix.WALL
	if !block {
		options |= unix.WNOHANG
	}
	for {
		pid, err := unix.Wait4(c.tid, &ws, options, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, false, fmt.Errorf("stepkill: wait4: %w", err)
		case pid == 0:
			return 0, false, nil
		}
		if ws.Exited() || ws.Signaled() {
			c.gone = c.tid == c.pid
			c.tid = c.pid
		}
		return ws, true, nil
	}
}

// waitStep waits until a step is over that should not block. If it does all
// the same (some call of the runtime's, for something that another thread of
// the child is to do), a signal ends the call, and it is begun anew: the Go
// runtime and the library are used to that.
func (c *child) waitStep() (unix.WaitStatus, error) {
	pid, tid := c.pid, c.tid
	nudge := time.AfterFunc(stepBlocks, func() {
		call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/syscall", pid, tid))
		fmt.Fprintf(os.Stderr, "stepkill: a step takes more than %v, in call %s", stepBlocks, call)
		unix.Tgkill(pid, tid, unix.SIGURG)
	})
	defer nudge.Stop()
	ws, _, err := c.wait(true)
	return ws, err
}

// stepBlocks is far more than a step takes.
const stepBlocks = 3 * time.Second

// kill ends the child, and returns when nothing of it is left.
func (c *child) kill() error {
	if c.gone || c.pid == 0 {
		return nil
	}
	if err := unix.Kill(c.pid, unix.SIGKILL); err != nil {
		return fmt.Errorf("stepkill: kill: %w", err)
	}
	// Who reaps may have to wait, spinning in the kernel, for another that was just reading
	// what /proc has of the dead, and which waits for this very processor
	// (proc_invalidate_siblings_dcache, up to Linux 6.18 at least): that takes seconds.
	if c.unpin != nil {
		c.unpin()
	}
	c.reapMonitor()
	for !c.gone { // the stepped thread, and then, if that is another, the main one
		if _, _, err := c.wait(true); err != nil {
			return err
		}
	}
	return nil
}

// died tells how a child ended that should not have.
func (c *child) died(ws unix.WaitStatus) error {
	how := fmt.Sprintf("exit status %d", ws.ExitStatus())
	if ws.Signaled() {
		how = ws.Signal().String()
	}
	c.out.Seek(0, io.SeekStart)
	text, _ := io.ReadAll(io.LimitReader(c.out, 16<<10))
	return fmt.Errorf("stepkill: the child ended by itself (%s):\n%s", how, text)
}

func (c *child) free() {
	if c.page != nil {
		unix.Munmap(c.page)
		c.page, c.board = nil, nil
	}
	if c.out != nil {
		c.out.Close()
	}
}
