package step

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A Death says where the victim was killed.
type Death struct {
	Instructions int    // how many of the operation's it had executed; if it ran to its death, as many as the first run had there
	Stepped      int    // how many of them one at a time
	Where        string // the last of them: function and line
	Asleep       bool   // it was asleep in the kernel
	Returned     bool   // the operation had returned
	Note         int    // its last [Note]; 0 if there was none
}

func (d Death) String() string {
	s := fmt.Sprintf("after instruction %d", d.Instructions)
	if d.Where != "" {
		s += " (" + d.Where + ")"
	}
	if d.Asleep {
		s += ", asleep"
	}
	if d.Returned {
		s += ", returned"
	}
	if d.Note != 0 {
		s += fmt.Sprintf(", note %d", d.Note)
	}
	return s
}

// A point is where a victim can be killed.
type point struct {
	n      int    // points before it in the run; 0: nothing was executed yet
	calls  int    // system calls before it that others can notice, it included
	pc     uint64 // the instruction just executed, or 0
	effect bool   // it may have changed something that others see
	asleep bool   // it has not been left yet: the thread sleeps in it
	late   bool   // it lies behind the target, which the run did not come to
}

const (
	asleepAfter = 2 * time.Millisecond  // asleep for so long in a wait of the product: blocked
	parkedAfter = 50 * time.Millisecond // in one of the Go runtime, which another thread should end
	mostAsleep  = 30 * time.Second      // after the wake function ran: the victim hangs
	mostSteps   = 20_000_000
	mostSlices  = 3        // waits begun, after which a victim counts as blocked that sleeps in slices
	ptOptions   = 0x100001 // PTRACE_O_EXITKILL, PTRACE_O_TRACESYSGOOD
)

// walk steps the child's operation, before which it stands, until kill says so
// or it is over, and kills it there. ended reports that it went to the end. The
// wake function is called once, beside it, when the child has been found
// asleep. If there is a target the child runs to it at full speed.
func (c *child) walk(kill func(point) bool, to *target, w *watch, wake func()) (d Death, ended bool, err error) {
	c.unpin = c.pin()
	defer c.unpin()
	k := &walker{child: c, kill: kill, to: to, w: w, wake: wake, u: pursuit{target: to, breaks: canBreak()}, shared: shared{pid: c.pid}}
	if err := k.registers(); err != nil {
		return d, false, err
	}
	for steps := 0; ; steps++ {
		if steps > mostSteps {
			c.kill()
			return d, false, fmt.Errorf("stepkill: not over after %d instructions (%s)", steps, where(k.p.pc))
		}
		if dies, err := k.next(); err != nil {
			return d, false, err
		} else if dies {
			d, err = k.die()
			return d, k.ended, err
		}
	}
}

// A walker is one walk, between two instructions.
type walker struct {
	*child
	kill func(point) bool
	to   *target // nil: none
	w    *watch  // nil: no effect counts but system calls
	wake func()  // nil: nobody wakes the child
	u    pursuit

	shared shared
	behind bool // the watch has not looked since what was executed cannot have had an effect

	regs     unix.PtraceRegs
	p        point
	counting bool          // the operation has begun
	entered  *call         // the child stands in it
	sig      int           // a signal to pass on with the next step
	done     int           // instructions stepped
	slept    int           // waits begun, in all
	naps     int           // waits of a guard begun, since the last effect
	woken    chan struct{} // closed when wake has returned; nil: not called yet
	ended    bool
}

func (k *walker) registers() error {
	if err := unix.PtraceGetRegs(k.tid, &k.regs); err != nil {
		return fmt.Errorf("stepkill: registers: %w", err)
	}
	return nil
}

func (k *walker) callWake() {
	done := make(chan struct{})
	k.woken = done
	go func() { defer close(done); k.wake() }()
}

// die kills the child where it stands.
func (k *walker) die() (Death, error) {
	d := Death{
		Instructions: k.p.n, Stepped: k.done, Where: where(k.p.pc), Asleep: k.p.asleep,
		Returned: k.board.phase.Load() == returned, Note: int(k.board.note.Load()),
	}
	err := k.child.kill()
	if k.woken != nil {
		<-k.woken
	}
	return d, err
}

// next goes on by an instruction, or by a run towards the target. dies reports
// that the child is to die where it stands now.
func (k *walker) next() (dies bool, err error) {
	if !k.counting && (k.board.phase.Load() >= running || k.tid != k.pid) {
		k.counting = true
		if k.w != nil {
			k.w.rescan()
		}
		if k.to == nil && k.kill(k.p) {
			return true, nil
		}
	}
	pc := k.regs.PC()
	hit := k.counting && k.entered == nil && k.u.stands(k.p, pc)
	if hit {
		k.u.met(&k.p)
		if k.w != nil {
			k.w.changed() // on the way here
		}
	} else if k.counting && k.entered == nil && k.u.runs(k.p) {
		return k.run()
	}
	var in call
	is := k.insnAt(pc)
	if is.bides && k.counting && k.entered == nil && !everyInstruction() {
		return k.pass(pc)
	}
	if is.call {
		in = callOf(&k.regs)
	}
	if k.entered != nil {
		in, is, k.entered = *k.entered, insn{call: true, written: written{may: true}}, nil
		pc -= callSize
	}
	reaches := !in.looks() && k.shared.mayReach(is.written, &k.regs)
	if reaches && k.behind && k.w != nil {
		k.w.changed() // by others
	}
	k.behind = !reaches
	k.done++
	if err := singleStep(k.tid, k.sig); err != nil {
		return false, fmt.Errorf("stepkill: single step: %w", err)
	}
	k.sig = 0

	var ws unix.WaitStatus
	if is.call && in.waits() {
		ws, dies, err = k.sleep(in, pc)
	} else {
		ws, err = k.waitStep()
	}
	if dies || err != nil {
		return dies, err
	}
	switch {
	case ws.Exited() || ws.Signaled():
		return false, k.died(ws)
	case !ws.Stopped():
		return false, nil
	case ws.StopSignal() != unix.SIGTRAP:
		k.sig = int(ws.StopSignal()) // not ours: passed on with the next step
	case k.counting:
		if k.stepped(pc, is, in, reaches, hit) {
			return true, nil
		}
	}
	return false, k.registers()
}

// run lets the child run towards the target, to a system call, or to a signal.
func (k *walker) run() (dies bool, err error) {
	ws, err := k.child.run(&k.u, k.p, k.sig)
	switch k.sig = 0; {
	case err != nil:
		return false, err
	case ws.Exited() || ws.Signaled():
		return false, k.died(ws)
	}
	if err := k.registers(); err != nil {
		return false, err
	}
	switch ws.StopSignal() {
	case callStop:
		in := enteredCall(&k.regs)
		k.entered = &in
	case unix.SIGTRAP: // the target
	default:
		k.sig = int(ws.StopSignal())
	}
	k.ended = k.board.phase.Load() == returned
	return k.ended, nil
}

// pass has the child return from a function at whose beginning it stands, at pc, in which it
// would only let time pass: one point, where a millisecond is more than a million instructions.
func (k *walker) pass(pc uint64) (dies bool, err error) {
	if err := k.leave(&k.regs); err != nil {
		return false, fmt.Errorf("stepkill: pass over a pause: %w", err)
	}
	k.p.n, k.p.pc, k.p.effect = k.p.n+1, pc, false
	return k.kill(k.p), k.registers()
}

// sleep waits until the child has left the system call in, at pc, which may
// block. A child that sleeps in it can be killed there, and is woken.
func (k *walker) sleep(in call, pc uint64) (ws unix.WaitStatus, dies bool, err error) {
	if k.slept++; k.slept == mostSlices && k.counting && k.woken == nil && k.wake != nil {
		k.callWake()
	}
	limit := asleepAfter
	if k.tid != k.pid {
		limit = guardAsleepAfter
		if k.naps++; k.naps > guardNaps && (k.to == nil || k.naps > 2*guardNaps) { // where it runs, not all its effects are seen
			k.ended = true
			return ws, true, nil
		}
	}
	if in.private() {
		limit = parkedAfter
	}
	ws, k.p.asleep, err = k.waitAwake(limit)
	if err != nil || !k.p.asleep {
		return ws, false, err
	}
	k.thaw()
	// A goroutine parked by the runtime waits for another thread of the victim,
	// which is awake, or for what wake will do.
	if !in.private() || k.wake != nil && k.woken == nil {
		if k.counting {
			k.p.n, k.p.pc, k.p.effect = k.p.n+1, pc, true
			if k.kill(k.p) {
				return ws, true, nil
			}
		}
		if k.wake == nil || !k.counting {
			k.ended = true
			return ws, true, nil
		}
		if k.woken == nil {
			k.callWake()
		}
	}
	ws, k.p.asleep, err = k.waitAwake(mostAsleep)
	if err != nil {
		return ws, false, err
	}
	if k.p.asleep {
		d, err := k.die()
		if err == nil {
			err = fmt.Errorf("stepkill: the victim hangs: %v", d)
		}
		return ws, false, err
	}
	k.freeze()
	return ws, false, nil
}

// stepped counts the instruction at pc, which was executed, and reports whether
// the child is to die after it. reaches: it may have had an effect in memory; hit: it is
// the target's.
func (k *walker) stepped(pc uint64, is insn, in call, reaches, hit bool) (dies bool) {
	k.p.n, k.p.pc = k.p.n+1, pc
	k.p.effect = is.call && in.visible()
	if is.call {
		k.shared.stale()
	}
	if k.p.effect {
		k.p.calls++
		k.u.passed(&k.p)
	}
	switch {
	case k.w == nil || k.p.calls < k.u.callsBefore():
	case k.p.effect:
		k.w.rescan() // there may be a file more
	case reaches && (hit || !k.u.runs(k.p)):
		k.p.effect = k.w.changed()
	}
	if k.p.effect {
		k.naps = 0
	}
	k.ended = k.board.phase.Load() == returned
	return k.kill(k.p) || k.ended
}

// begin lets a child that stands at its first instruction run until it stops
// itself before the operation.
func (c *child) begin() error {
	for first := true; ; first = false {
		ws, _, err := c.wait(true)
		if err != nil {
			return err
		}
		if ws.Exited() || ws.Signaled() {
			return c.died(ws)
		}
		if !ws.Stopped() {
			continue
		}
		sig := ws.StopSignal()
		switch {
		case first:
			if err := unix.PtraceSetOptions(c.pid, ptOptions); err != nil {
				return fmt.Errorf("stepkill: trace options: %w", err)
			}
			if err := c.readsClockByCall(); err != nil {
				return err
			}
			sig = 0
		case sig == unix.SIGSTOP:
			c.freeze()
			return nil
		}
		if err := unix.PtraceCont(c.pid, int(sig)); err != nil {
			return fmt.Errorf("stepkill: continue: %w", err)
		}
	}
}
