package step

import (
	"errors"
	"os"
	"reflect"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// mayTrace skips the test where no process may be traced; in CI that is a
// failure, since then nobody would ever know.
func mayTrace(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("stepkill: not with -race, which sees nothing of a victim and makes its path ten times as long")
	}
	why := why()
	if why == "" {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("stepkill: " + why)
	}
	t.Skip("stepkill: " + why)
}

// why says why tracing is impossible, or "".
var why = sync.OnceValue(func() string {
	if s := unable(); s != "" {
		return s
	}
	var err error
	onTracer(func() { err = tryTrace() })
	if err != nil {
		return "this system does not let a process be traced by its parent: " + err.Error()
	}
	return ""
})

// canBreak reports whether there are breakpoints that do stop a victim: there
// may be a hypervisor below that takes them and does nothing, or that loses one now
// and then, which is no harm: such a victim dies a little later. To be called on
// the tracer's thread.
var canBreak = sync.OnceValue(func() bool {
	to := uint64(reflect.ValueOf(passed).Pointer())
	for range 3 {
		if at, err := tryStep(0, to); err == nil && at == to {
			return true
		}
	}
	return false
})

// passed is where each process of this package's comes by, before anything else of its
// own: a place in the program, and not in a loader that lies elsewhere each time.
//
//go:noinline
func passed() bool { return true }

var _ = passed()

// tryTrace steps a program over its first instruction. An emulator that has no
// ptrace says so without one: there, a child that cannot be traced has been seen
// not to end, in a test binary of many threads.
func tryTrace() error {
	if err := unix.PtraceDetach(os.Getpid()); errors.Is(err, unix.ENOSYS) {
		return err
	}
	_, err := tryStep(1, 0)
	return err
}

// tryStep steps a new program over its first n instructions, or lets it run to
// a breakpoint, and returns where it stands.
func tryStep(n int, breakpoint uint64) (pc uint64, err error) {
	pid, err := syscall.ForkExec("/proc/self/exe", []string{os.Args[0], "-test.run=^$"}, &syscall.ProcAttr{
		Env: os.Environ(),
		Sys: &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return 0, err
	}
	c := &child{pid: pid, tid: pid}
	defer c.kill()
	if ws, _, err := c.wait(true); err != nil || !ws.Stopped() {
		return 0, errors.Join(err, errors.New("the child does not stop"))
	}
	defer c.pin()() // as one is that is stepped
	if breakpoint != 0 {
		if !c.breakAt(breakpoint) {
			return 0, errors.New("no breakpoints")
		}
		if err := unix.PtraceCont(pid, 0); err != nil {
			return 0, err
		}
		if ws, _, err := c.wait(true); err != nil || !ws.Stopped() || ws.StopSignal() != unix.SIGTRAP {
			return 0, errors.Join(err, errors.New("the child does not stop at a breakpoint"))
		}
	}
	for range n {
		if err := singleStep(pid, 0); err != nil {
			return 0, err
		}
		if ws, _, err := c.wait(true); err != nil || !ws.Stopped() || ws.StopSignal() != unix.SIGTRAP {
			return 0, errors.Join(err, errors.New("the child does not step"))
		}
	}
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(pid, &regs); err != nil {
		return 0, err
	}
	return regs.PC(), nil
}
