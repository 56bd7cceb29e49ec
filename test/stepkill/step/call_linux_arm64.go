package step

import (
	"encoding/binary"

	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"
)

func callInsn(b []byte) bool { return binary.LittleEndian.Uint32(b) == 0xd4000001 } // SVC #0

func callOf(r *unix.PtraceRegs) call {
	return call{r.Regs[8], [6]uint64(r.Regs[:6])}
}

func stackOf(r *unix.PtraceRegs) uintptr { return uintptr(r.Sp) }

// callSize is the length of the instruction, behind which a thread stands that
// is in the call.
const callSize = 4

// enteredCall is callOf for a thread that stands in the call.
func enteredCall(r *unix.PtraceRegs) call { return callOf(r) }

// unable says why this machine's instructions cannot be stepped one by one: a
// trap between an exclusive load and its store makes the store fail, so that
// without single-instruction atomics (ARMv8.1) such a loop never ends.
func unable() string {
	if !cpu.ARM64.HasATOMICS {
		return "this processor has no single-instruction atomics, and exclusive loads cannot be stepped"
	}
	return ""
}

func init() { quiet[unix.SYS_FSTATAT] = true }

// leave has the stepped thread, which stands at the first instruction of a function that
// returns nothing, go on behind the call of it.
func (c *child) leave(r *unix.PtraceRegs) error {
	r.SetPC(r.Regs[30])
	return unix.PtraceSetRegs(c.tid, r)
}
