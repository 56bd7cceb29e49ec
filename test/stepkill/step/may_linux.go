package step

import (
	"errors"
	"os"
	"runtime"
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

// tryTrace steps a program over its first instruction.
func tryTrace() error {
	pid, err := syscall.ForkExec("/proc/self/exe", []string{os.Args[0], "-test.run=^$"}, &syscall.ProcAttr{
		Env: os.Environ(),
		Sys: &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return err
	}
	c := &child{pid: pid, tid: pid}
	defer c.kill()
	if ws, _, err := c.wait(true); err != nil || !ws.Stopped() {
		return errors.Join(err, errors.New("the child does not stop"))
	}
	if err := singleStep(pid, 0); err != nil {
		return err
	}
	if ws, _, err := c.wait(true); err != nil || !ws.Stopped() || ws.StopSignal() != unix.SIGTRAP {
		return errors.Join(err, errors.New("the child does not step"))
	}
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(pid, &regs); err != nil {
		return err
	}
	runtime.KeepAlive(c)
	return nil
}
