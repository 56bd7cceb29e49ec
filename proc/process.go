package proc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// A Process is a child of this process. Any number of goroutines may use it.
type Process struct {
	name string
	os   *os.Process
	mail *os.File // the hand-over, to announce interrupts in; closed when done

	mu         sync.Mutex
	interrupts uint64 // announced

	done chan struct{}
	told *engine.Signal // given when done is closed

	// Written before done is closed.
	code  int
	coded bool  // the exit code is known
	err   error // what Wait returns
}

// ExitError is what Wait returns for a process that did not end well.
type ExitError struct {
	Name   string
	PID    int
	Code   int       // exit code; −n where signal n killed it
	Signal os.Signal // nil unless a signal killed it
}

// Error says which process ended, and how.
func (e *ExitError) Error() string {
	if e.Signal != nil {
		return fmt.Sprintf("proc: %s (pid %d): killed by signal %v", e.Name, e.PID, e.Signal)
	}
	return fmt.Sprintf("proc: %s (pid %d): exit code %d", e.Name, e.PID, e.Code)
}

// Name is Options.Name, or the name the function was registered under.
func (p *Process) Name() string { return p.name }

// PID is the process's id, also after its end, when the system may have given
// it to another process. Signal, Terminate and Kill never reach that one.
func (p *Process) PID() int { return p.os.Pid }

// Done is closed when the process has ended and what it wrote has been given
// to Options.Stdout and Stderr, or they have not taken it for 10 s.
func (p *Process) Done() <-chan struct{} { return p.done }

// Alive reports that the process is not Done. It does not block.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ExitCode is 0 to 255 for a process that exited, −n for one that signal n
// killed. ok is false while it is alive. It does not block.
func (p *Process) ExitCode() (code int, ok bool) {
	if p.Alive() {
		return 0, false
	}
	return p.code, p.coded
}

// Wait blocks until the process is Done. It returns nil for exit code 0, an
// *ExitError for any other end, and what went wrong with its input or output
// if only that did; every caller and every call gets the same. If ctx ends
// first it returns ctx's error, and the process goes on.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
	default:
		select {
		case <-p.done:
		case <-ctx.Done():
			if p.Alive() {
				return p.fail("process.Wait", ctx.Err())
			}
		}
	}
	children.told(p)
	return p.err
}

// WaitSource is for [shm.WaitAny], which waits for several things at once: for a process
// until it is Done.
func (p *Process) WaitSource() object.Source {
	if p.told == nil {
		return object.Source{Err: errNotStarted}
	}
	return object.Source{Of: p.told}
}

var errNotStarted = fmt.Errorf("the process was not made by Start: %w", fs.ErrInvalid)

// Signal sends a signal. os.Interrupt ends the context of the child's
// function as SIGTERM does; for a process that has ended the error is
// os.ErrProcessDone. It does not block.
func (p *Process) Signal(s os.Signal) error {
	const op = "process.Signal"
	if !p.Alive() {
		return p.fail(op, os.ErrProcessDone)
	}
	if s == os.Interrupt {
		if err := p.announceInterrupt(); err != nil {
			return p.fail(op, err)
		}
	}
	if err := p.os.Signal(s); err != nil {
		return p.fail(op, err)
	}
	return nil
}

func (p *Process) fail(op string, err error) error {
	return &shm.Error{Op: op, Object: p.name, Err: fmt.Errorf("pid %d: %w", p.PID(), err)}
}

// Terminate sends SIGTERM, which ends the context of the child's function;
// the second kills it. For a process that has ended it does nothing. It does not
// block.
func (p *Process) Terminate() error { return ignoreDone(p.Signal(syscall.SIGTERM)) }

// Kill sends SIGKILL. For a process that has ended it does nothing. It does not
// block: the end is waited for by [Process.Wait].
func (p *Process) Kill() error { return ignoreDone(p.Signal(os.Kill)) }

func ignoreDone(err error) error {
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// finish takes what the system said about the end; state is nil where it said
// nothing, and err then tells why.
func (p *Process) finish(state *os.ProcessState, err error) {
	switch {
	case state == nil:
		p.err = p.fail("process.Wait", fmt.Errorf("exit code unknown: %w", err))
	default:
		e := &ExitError{Name: p.name, PID: p.PID(), Code: state.ExitCode()}
		if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			e.Code, e.Signal = -int(ws.Signal()), ws.Signal()
		}
		p.code, p.coded = e.Code, true
		if e.Code != 0 {
			p.err = e
		} else if err != nil {
			p.err = p.fail("process.Wait", fmt.Errorf("input or output: %w", err))
		}
	}
	p.mail.Close()
	children.ended(p)
	close(p.done)
	p.told.Give()
}

// WaitAll blocks until this process has no child that is alive, those started
// meanwhile included. It returns the joined errors of Wait of all of them,
// and of those that ended before without any Wait having told; or, if ctx
// ends first, those so far and ctx's error, and the processes go on.
func WaitAll(ctx context.Context) error {
	var errs []error
	seen := map[*Process]bool{}
	for {
		batch := children.list(seen)
		if len(batch) == 0 {
			return errors.Join(errs...)
		}
		for _, p := range batch {
			err := p.Wait(ctx)
			if err != nil {
				errs = append(errs, err)
			}
			if p.Alive() {
				return errors.Join(errs...)
			}
			seen[p] = true
		}
	}
}

// children are the processes that WaitAll has to wait for or to tell about:
// the live ones, and those that failed until somebody was told.
var children processes

type processes struct {
	mu sync.Mutex
	in []*Process // in the order of their starts
}

func (c *processes) add(p *Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in = append(c.in, p)
}

func (c *processes) ended(p *Process) {
	if p.err == nil {
		c.told(p)
	}
}

func (c *processes) told(p *Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.in {
		if c.in[i] == p {
			c.in = append(c.in[:i:i], c.in[i+1:]...)
			return
		}
	}
}

func (c *processes) list(without map[*Process]bool) []*Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	var l []*Process
	for _, p := range c.in {
		if !without[p] {
			l = append(l, p)
		}
	}
	return l
}
