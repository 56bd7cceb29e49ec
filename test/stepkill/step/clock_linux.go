package step

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Of the auxiliary vector: see getauxval(3).
const (
	auxEnd    = 0
	auxIgnore = 1
	auxVDSO   = 33 // AT_SYSINFO_EHDR
)

// readsClockByCall has a child that stands at its first instruction read the clock by
// system calls: it finds no vDSO. What that does is begun anew as often as the kernel's
// timekeeper has moved on meanwhile, hundreds of times in a second; one step of it may take
// a hundred microseconds, so that it would be begun anew for minutes.
func (c *child) readsClockByCall() error {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(c.pid, &regs); err != nil {
		return fmt.Errorf("stepkill: registers: %w", err)
	}
	// The stack is argc, argv, 0, envp, 0, and then pairs of a type and a value.
	at := stackOf(&regs)
	word := func() (v uint64, err error) {
		var b [8]byte
		if _, err = unix.PtracePeekData(c.pid, at, b[:]); err != nil {
			err = fmt.Errorf("stepkill: the child's stack: %w", err)
		}
		at += 8
		return binary.LittleEndian.Uint64(b[:]), err
	}
	argc, err := word()
	if err != nil {
		return err
	}
	at += 8 * uintptr(argc+1)
	for env := uint64(1); env != 0; {
		if env, err = word(); err != nil {
			return err
		}
	}
	for {
		kind, err := word()
		if err != nil || kind == auxEnd {
			return err
		}
		if kind == auxVDSO {
			var ignore [8]byte
			binary.LittleEndian.PutUint64(ignore[:], auxIgnore)
			_, err = unix.PtracePokeData(c.pid, at-8, ignore[:])
			return err
		}
		at += 8
	}
}
