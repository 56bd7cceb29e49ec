package step

import "golang.org/x/sys/unix"

// Where the debug registers are in what PTRACE_POKEUSR writes to.
const (
	debugRegister = 848
	debugControl  = debugRegister + 7*8
)

// breakAt has the stepped thread stop before the instruction at pc, and only
// there; 0: nowhere. It reports whether the processor, and what may stand
// between it and this system, can do that.
func (c *child) breakAt(pc uint64) bool {
	poke := func(off, v uintptr) bool {
		_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_POKEUSR, uintptr(c.tid), off, v, 0, 0)
		return e == 0
	}
	if pc == 0 {
		return poke(debugControl, 0)
	}
	return poke(debugControl, 0) && poke(debugRegister, uintptr(pc)) && poke(debugControl, 1)
}
