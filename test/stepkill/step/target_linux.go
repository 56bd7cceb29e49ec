package step

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// What lies before the death that a run is about need not be stepped through
// again: the first run has shown the way, and the child runs along it at full
// speed, from system call to system call (PTRACE_SYSCALL) and at last to a
// breakpoint of the processor's, which belongs to its one thread and leaves the
// code as it is. Where there are no breakpoints it is stepped from the last
// call on.

// A target is a place on the way of the first run.
type target struct {
	n     int    // points before it
	calls int    // system calls before it that others can notice
	pc    uint64 // its instruction; 0: the end of the last of those calls
	nth   int    // how often the instruction is come to after the call; 0: stop each time
}

// A way is what the first run did, point by point.
type way []stride

// A stride is one point, and what the run was at before it.
type stride struct {
	pc     uint64
	calls  int
	asleep bool
}

const (
	stepsFromStart = 300 // so few instructions are stepped from the start
	stepsToDeath   = 200 // a random death is stepped to from at most so far
)

// to returns the target from which point k is stepped to, or nil: the start.
func (w way) to(k int) *target {
	if k <= stepsFromStart || k > len(w) {
		return nil
	}
	calls := w[k-1].calls
	from := k - 1
	for from > 0 && w[from-1].calls == calls {
		from--
	}
	t := &target{n: from, calls: calls}
	if from == 0 && calls == 0 {
		t = nil
	}
	cost := k - from
	if cost <= stepsToDeath {
		return t
	}
	seen := map[uint64]int{}
	for i := from; i < k; i++ {
		seen[w[i].pc]++
		// What is found asleep is two points, and is come to once.
		if i < k-stepsToDeath || w[i].asleep || w[i-1].asleep {
			continue
		}
		if c := 2*seen[w[i].pc] + k - i; c < cost {
			cost, t = c, &target{n: i, calls: calls, pc: w[i].pc, nth: seen[w[i].pc]}
		}
	}
	return t
}

// A pursuit is a run on its way to its target.
type pursuit struct {
	*target
	breaks  bool // there are breakpoints: see canBreak
	reached bool
	hits    int
}

// runs reports whether p is so far from the target that the child may run.
func (u *pursuit) runs(p point) bool {
	return u.target != nil && !u.reached && (p.calls < u.calls || p.calls == u.calls && u.breaks && u.pc != 0)
}

// stands reports whether the child, at pc, is about to execute the target's
// instruction.
func (u *pursuit) stands(p point, pc uint64) bool {
	return u.target != nil && !u.reached && p.calls == u.calls && u.pc != 0 && u.pc == pc
}

// met notes that the child is about to execute the target's instruction.
func (u *pursuit) met(p *point) {
	switch u.hits++; {
	case u.hits == u.nth:
		p.n, u.reached = u.n, true
	case u.nth == 0:
		p.n = u.n
	default:
		p.n = 0 // not there yet
	}
}

// passed notes a system call, after which p is.
func (u *pursuit) passed(p *point) {
	switch {
	case u.target == nil || u.reached:
	case p.calls == u.calls && u.pc == 0:
		p.n, u.reached = u.n, true
	case p.calls > u.calls && !p.late:
		p.late = true
		if u.pc == 0 || u.nth > 0 || p.pc != u.pc {
			p.n = u.n
		}
	}
}

// callsBefore is how many calls come before the target.
func (u *pursuit) callsBefore() int {
	if u.target == nil {
		return 0
	}
	return u.calls
}

// run lets the child run to its next system call, or to the target's
// instruction.
func (c *child) run(u *pursuit, p point, sig int) (ws unix.WaitStatus, err error) {
	if p.calls == u.calls && u.pc != 0 {
		if !c.breakAt(u.pc) {
			return 0, fmt.Errorf("stepkill: a breakpoint at %#x is refused", u.pc)
		}
		defer c.breakAt(0)
	}
	if err := unix.PtraceSyscall(c.tid, sig); err != nil {
		return 0, fmt.Errorf("stepkill: run to a system call: %w", err)
	}
	ws, _, err = c.wait(true)
	return ws, err
}

// callStop is the stop of a thread that enters a system call, or leaves it.
const callStop = unix.SIGTRAP | 0x80
