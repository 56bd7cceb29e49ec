package step

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

func callInsn(b []byte) bool { return b[0] == 0x0f && b[1] == 0x05 } // SYSCALL

func callOf(r *unix.PtraceRegs) call {
	return call{r.Rax, [6]uint64{r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9}}
}

func stackOf(r *unix.PtraceRegs) uintptr { return uintptr(r.Rsp) }

// callSize is the length of the instruction, behind which a thread stands that
// is in the call.
const callSize = 2

// enteredCall is callOf for a thread that stands in the call.
func enteredCall(r *unix.PtraceRegs) call {
	c := callOf(r)
	c.nr = r.Orig_rax
	return c
}

// unable says why this machine's instructions cannot be stepped one by one.
func unable() string { return "" }

func init() {
	quiet[unix.SYS_NEWFSTATAT] = true
	quiet[unix.SYS_ACCESS] = true
}

// leave has the stepped thread, which stands at the first instruction of a function that
// returns nothing, go on behind the call of it.
func (c *child) leave(r *unix.PtraceRegs) error {
	var to [8]byte
	if _, err := unix.PtracePeekData(c.tid, uintptr(r.Rsp), to[:]); err != nil {
		return err
	}
	r.Rsp += 8
	r.SetPC(binary.LittleEndian.Uint64(to[:]))
	return unix.PtraceSetRegs(c.tid, r)
}
