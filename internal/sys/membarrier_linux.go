package sys

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// The kernel's numbers; x/sys has that of the call only (linux/membarrier.h).
const (
	membarrierGlobalExpedited         = 1 << 1
	membarrierRegisterGlobalExpedited = 1 << 2

	membarrierPrivateExpedited         = 1 << 3
	membarrierRegisterPrivateExpedited = 1 << 4
)

// RegisterMembarrier has the Membarriers of all processes reach this one's threads,
// from when it returns to the end of the process or the next exec. In a process of
// several threads it waits until each processor has come by the kernel's scheduler,
// some 10 to 50 ms; after the first time it takes a microsecond. Since Linux 4.16,
// unless a sandbox forbids it; TANDEM_FORCE=nomembarrier makes it fail.
func RegisterMembarrier() error {
	if err := membarrier(membarrierRegisterPrivateExpedited); err != nil {
		return err
	}
	return membarrier(membarrierRegisterGlobalExpedited)
}

// Membarrier returns when each thread of a registered process that was running has
// had a full memory fence since the call; those that were not had one when they
// stopped, and have one before they go on. It is a full barrier for the caller, who
// need not be registered. A quarter of a microsecond where no processor runs such a
// thread, else an interrupt of it.
//
// It may miss one. The kernel keeps for each processor whether it runs a registered
// process, and notes that at the registration, and when the processor changes to
// another address space. One that ran this process last and was idle when that
// registered does not change its address space when it goes on with it, so it is
// missed until another process has run there (kernel/sched/membarrier.c,
// sync_runqueues_membarrier_state and membarrier_switch_mm; Linux 5.4 to 6.12 at
// least). Nobody may rest on a Membarrier alone.
func Membarrier() error { return membarrier(membarrierGlobalExpedited) }

// MembarrierOwn is Membarrier for the threads of this process, which must have
// registered. It misses none: the kernel looks at what each processor runs at that
// moment.
func MembarrierOwn() error { return membarrier(membarrierPrivateExpedited) }

func membarrier(command uintptr) error {
	if noMembarrier {
		return unix.ENOSYS
	}
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, command, 0, 0); errno != 0 {
		return error(syscall.Errno(errno))
	}
	return nil
}

var noMembarrier = Forced("nomembarrier")
