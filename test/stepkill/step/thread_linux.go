package step

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/mem"
)

// What is done to, or asked of, the thread that is stepped.

// waitAwake is wait, given up (asleep) when the thread has been asleep for as
// long as limit, and no less, without a break that this saw.
func (c *child) waitAwake(limit time.Duration) (ws unix.WaitStatus, asleep bool, err error) {
	var since time.Time
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, limit/2, 5*time.Millisecond) {
		ws, ok, err := c.wait(false)
		if ok || err != nil {
			return ws, false, err
		}
		switch now := time.Now(); {
		case !c.sleeps():
			since = time.Time{}
		case since.IsZero():
			since = now
		case now.Sub(since) >= limit:
			return 0, true, nil
		}
		time.Sleep(pause)
	}
}

// sleeps reports whether the stepped thread, of a peer the main one, is in an interruptible sleep.
func (c *child) sleeps() bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", c.pid, c.tid))
	if err != nil {
		return false
	}
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == ')' {
			return i+2 < len(b) && b[i+2] == 'S'
		}
	}
	return false
}

// pin puts the tracer's thread and the child's main thread on one processor:
// they take turns, and waking one another is cheapest there.
func (c *child) pin() (unpin func()) {
	var all, one unix.CPUSet
	var cpu uint32
	if unix.SchedGetaffinity(0, &all) != nil {
		return func() {}
	}
	// The one that the scheduler has chosen: another may be busy.
	if _, _, e := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0); e != 0 || !all.IsSet(int(cpu)) {
		return func() {}
	}
	one.Set(int(cpu))
	if unix.SchedSetaffinity(c.tid, &one) == nil {
		unix.SchedSetaffinity(0, &one)
	}
	return func() { unix.SchedSetaffinity(0, &all) }
}

func singleStep(pid, sig int) error {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SINGLESTEP, uintptr(pid), 0, uintptr(sig), 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// Instructions of this binary are where they are in the parent, unless it was
// built to be placed anywhere.
const lowText = 1 << 32

// An insn is what is to be known of an instruction.
type insn struct {
	call    bool    // a system call
	bides   bool    // the first of a function that lets time pass, and nothing else
	written written // where it may have an effect in memory
}

var insns = map[uint64]insn{} // only the tracer's thread uses it

var bides = uint64(reflect.ValueOf(mem.Bide).Pointer())

// insnAt is the instruction at pc. One that cannot be read may write.
func (c *child) insnAt(pc uint64) insn {
	if in, ok := insns[pc]; ok {
		return in
	}
	var code [16]byte // as long as any
	n, err := unix.PtracePeekText(c.tid, uintptr(pc), code[:])
	if err != nil && n < 8 { // the last of a mapping
		n, err = unix.PtracePeekText(c.tid, uintptr(pc), code[:8])
	}
	if err != nil {
		return insn{written: written{may: true}}
	}
	in := insn{call: callInsn(code[:]), written: writtenBy(code[:n])}
	if pc < lowText {
		in.bides = pc == bides
		insns[pc] = in
	}
	return in
}

// where names the instruction at pc: the line, and if that was inlined, into
// what.
func where(pc uint64) string {
	if pc == 0 {
		return ""
	}
	if pc >= lowText {
		return fmt.Sprintf("pc %#x", pc)
	}
	f, _ := runtime.CallersFrames([]uintptr{uintptr(pc) + 1}).Next()
	s := fmt.Sprintf("%s %s:%d", short(f.Function), short(f.File), f.Line)
	if in := runtime.FuncForPC(f.Entry); in != nil && in.Name() != f.Function {
		s += " in " + short(in.Name())
	}
	return fmt.Sprintf("%s, pc %#x", s, pc)
}

// short is what follows the last slash.
func short(s string) string {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '/' {
			return s[i+1:]
		}
	}
	return s
}
