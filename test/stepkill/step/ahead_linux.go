package step

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// What lies before the effect that a run is about need not be stepped through
// again: the child runs at full speed from system call to system call
// (PTRACE_SYSCALL), and is stepped from the last one on that comes before it.

// runAhead lets the child run through n calls that others can notice, and
// returns how many it made. It ends early when the operation has returned, and
// in a call that may sleep, entered, before the kernel acts on it. A guard is
// let nap.
func (c *child) runAhead(n int) (made int, entered *call, err error) {
	in := false // the child stands in a call
	var now call
	for sig, naps := 0, 0; ; {
		if err := unix.PtraceSyscall(c.tid, sig); err != nil {
			return made, nil, fmt.Errorf("stepkill: run to a system call: %w", err)
		}
		sig = 0
		var ws unix.WaitStatus
		var asleep bool
		if in && now.waits() {
			ws, asleep, err = c.waitAwake(parkedAfter)
			if c.tid != c.pid && !now.private() {
				if naps++; err == nil && (asleep || naps > 2*guardNaps) { // it has nothing more to do
					if asleep {
						err = c.stop()
					}
					return made, nil, err
				}
			}
		} else {
			ws, _, err = c.wait(true)
		}
		if asleep {
			if c.board.phase.Load() == returned {
				return made, nil, c.stop()
			}
			c.thaw()
			ws, asleep, err = c.waitAwake(mostAsleep)
			c.freeze()
		}
		const callStop = unix.SIGTRAP | 0x80
		switch {
		case err != nil:
			return made, nil, err
		case asleep:
			return made, nil, fmt.Errorf("stepkill: the victim hangs on its way to system call %d of %d", made+1, n)
		case ws.Exited() || ws.Signaled():
			return made, nil, c.died(ws)
		case !ws.Stopped():
			continue
		case ws.StopSignal() != callStop:
			sig = int(ws.StopSignal())
			continue
		}
		if in = !in; in {
			var regs unix.PtraceRegs
			if err := unix.PtraceGetRegs(c.tid, &regs); err != nil {
				return made, nil, fmt.Errorf("stepkill: registers: %w", err)
			}
			if now = enteredCall(&regs); now.waits() && !now.private() && c.tid == c.pid {
				return made, &now, nil
			}
			continue
		}
		if now.visible() {
			made++
		}
		if made == n || c.board.phase.Load() == returned {
			return made, nil, nil
		}
	}
}

// stop stops the child where it is.
func (c *child) stop() error {
	if err := unix.Tgkill(c.pid, c.tid, unix.SIGSTOP); err != nil {
		return fmt.Errorf("stepkill: stop: %w", err)
	}
	ws, _, err := c.wait(true)
	if err == nil && !ws.Stopped() {
		err = c.died(ws)
	}
	return err
}
