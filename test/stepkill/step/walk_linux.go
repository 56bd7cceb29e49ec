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
	unpin := c.pin()
	defer unpin()
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(c.tid, &regs); err != nil {
		return d, false, fmt.Errorf("stepkill: registers: %w", err)
	}
	var (
		p     point
		woken chan struct{} // closed when wake has returned; nil: not called yet
		sig   int
		slept int // in all
		naps  int // since the last effect

		entered *call // the child stands in it
		done    int   // instructions stepped
	)
	u := pursuit{target: to, breaks: canBreak()}
	callWake := func() {
		done := make(chan struct{})
		woken = done
		go func() { defer close(done); wake() }()
	}
	die := func() (Death, bool, error) {
		d := Death{
			Instructions: p.n, Stepped: done, Where: where(p.pc), Asleep: p.asleep,
			Returned: c.board.phase.Load() == returned, Note: int(c.board.note.Load()),
		}
		err := c.kill()
		if woken != nil {
			<-woken
		}
		return d, ended, err
	}
	counting := false
	for steps := 0; ; steps++ {
		if steps > mostSteps {
			c.kill()
			return d, false, fmt.Errorf("stepkill: not over after %d instructions (%s)", steps, where(p.pc))
		}
		if !counting && (c.board.phase.Load() >= running || c.tid != c.pid) {
			counting = true
			if w != nil {
				w.rescan()
			}
			if to == nil && kill(p) {
				return die()
			}
		}
		pc := regs.PC()
		hit := counting && entered == nil && u.stands(p, pc)
		if hit {
			u.met(&p)
			if w != nil {
				w.changed() // on the way here
			}
		} else if counting && entered == nil && u.runs(p) {
			ws, err := c.run(&u, p, sig)
			switch sig = 0; {
			case err != nil:
				return d, false, err
			case ws.Exited() || ws.Signaled():
				return d, false, c.died(ws)
			}
			if err := unix.PtraceGetRegs(c.tid, &regs); err != nil {
				return d, false, fmt.Errorf("stepkill: registers: %w", err)
			}
			switch ws.StopSignal() {
			case callStop:
				in := enteredCall(&regs)
				entered = &in
			case unix.SIGTRAP: // the target
			default:
				sig = int(ws.StopSignal())
			}
			if ended = c.board.phase.Load() == returned; ended {
				return die()
			}
			continue
		}
		var in call
		is := c.insnAt(pc)
		if is.call {
			in = callOf(&regs)
		}
		if entered != nil {
			in, is, entered = *entered, insn{call: true, writes: true}, nil
			pc -= callSize
		}
		done++
		if err := singleStep(c.tid, sig); err != nil {
			return d, false, fmt.Errorf("stepkill: single step: %w", err)
		}
		sig = 0

		var ws unix.WaitStatus
		if !is.call || !in.waits() {
			if ws, err = c.waitStep(); err != nil {
				return d, false, err
			}
		} else {
			if slept++; slept == mostSlices && counting && woken == nil && wake != nil {
				callWake()
			}
			limit := asleepAfter
			if c.tid != c.pid {
				limit = guardAsleepAfter
				if naps++; naps > guardNaps && (to == nil || naps > 2*guardNaps) { // where it runs, not all its effects are seen
					ended = true
					return die()
				}
			}
			if in.private() {
				limit = parkedAfter
			}
			ws, p.asleep, err = c.waitAwake(limit)
			if err != nil {
				return d, false, err
			}
			if p.asleep {
				c.thaw()
				// A goroutine parked by the runtime waits for another thread of
				// the victim, which is awake, or for what wake will do.
				if !in.private() || wake != nil && woken == nil {
					if counting {
						p.n, p.pc, p.effect = p.n+1, pc, true
						if kill(p) {
							return die()
						}
					}
					if wake == nil || !counting {
						ended = true
						return die()
					}
					if woken == nil {
						callWake()
					}
				}
				ws, p.asleep, err = c.waitAwake(mostAsleep)
				if err != nil {
					return d, false, err
				}
				if p.asleep {
					d, _, err = die()
					if err == nil {
						err = fmt.Errorf("stepkill: the victim hangs: %v", d)
					}
					return d, false, err
				}
				c.freeze()
			}
		}

		switch {
		case ws.Exited() || ws.Signaled():
			return d, false, c.died(ws)
		case !ws.Stopped():
			continue
		case ws.StopSignal() != unix.SIGTRAP:
			sig = int(ws.StopSignal()) // not ours: passed on with the next step
		case counting:
			p.n, p.pc = p.n+1, pc
			p.effect = is.call && in.visible()
			if p.effect {
				p.calls++
				u.passed(&p)
			}
			switch {
			case w == nil || p.calls < u.callsBefore():
			case p.effect:
				w.rescan() // there may be a file more
			case hit || !u.runs(p):
				p.effect = w.changed() && is.writes
			}
			if p.effect {
				naps = 0
			}
			ended = c.board.phase.Load() == returned
			if kill(p) || ended {
				return die()
			}
		}
		if err := unix.PtraceGetRegs(c.tid, &regs); err != nil {
			return d, false, fmt.Errorf("stepkill: registers: %w", err)
		}
	}
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
