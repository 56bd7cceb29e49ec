package proc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/sys"
)

// child is this process, if Start made it; nil in any other.
//
// It is known before the init functions of the packages that import proc: the
// variable is gone from the environment, and the descriptors are closed on
// exec, before they can leak into a process they start.
var child = findChild()

type childProcess struct {
	name  string // for messages
	file  *os.File
	token string

	mu    sync.Mutex
	end   context.CancelCauseFunc // of the function's context; nil until it is called
	cause *signalError            // the signal that ended it
}

// signalError is the cause of the end of the function's context.
type signalError struct{ sig syscall.Signal }

func (e *signalError) Error() string        { return "proc: asked to end by signal " + e.sig.String() }
func (e *signalError) Is(target error) bool { return target == context.Canceled }

func findChild() *childProcess {
	v, ok := os.LookupEnv(childVar)
	if !ok {
		return nil
	}
	os.Unsetenv(childVar)
	c := &childProcess{name: "proc"}
	count, rest, _ := strings.Cut(v, ":")
	token, parent, _ := strings.Cut(rest, ":")
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || n > 1<<20 {
		// Going on as an ordinary process could start children without end.
		c.fail(fmt.Errorf("%s=%s is not what Start sets: unset it", childVar, v))
	}
	for fd := handoverFD; fd < handoverFD+n; fd++ {
		unix.CloseOnExec(fd)
	}
	if parent != "" {
		endWith(parent)
	}
	c.token = token
	c.file = os.NewFile(handoverFD, "hand-over")
	c.watchInterrupts()
	return c
}

// endWith has this process killed when its parent ends, whose pid is given. That Start has
// asked for it is forgotten in an exec that gives capabilities, or changes user or group
// (prctl(2), PR_SET_PDEATHSIG). It is called while the main thread is this goroutine's.
func endWith(parent string) {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err == nil && strconv.Itoa(os.Getppid()) != parent {
		unix.Kill(os.Getpid(), unix.SIGKILL) // it has ended since
	}
}

// run is the child's whole life.
func (c *childProcess) run() {
	h, arg, err := readHandover(c.file, c.token)
	if err != nil {
		c.fail(fmt.Errorf("%s is set, but descriptor %d is not what Start hands over: %w", childVar, handoverFD, err))
	}
	c.name = h.Name
	sys.SetName(h.Name)
	os.WriteFile("/proc/self/comm", []byte(h.Name), 0) // for ps and top, which would show "exe"
	functionsMu.Lock()
	fn := functions[h.Function]
	functionsMu.Unlock()
	if fn == nil {
		c.fail(fmt.Errorf("proc: function %q is not registered here: call Register at package level", h.Function))
	}
	if err := attach(h); err != nil {
		c.fail(fmt.Errorf("proc: %w", err))
	}
	var call func(context.Context) error
	if err := c.own("what decodes the argument", func() (err error) {
		call, err = fn.bind(arg)
		return err
	}); err != nil {
		c.fail(fmt.Errorf("proc: %w", err))
	}
	arg = nil // may be big
	landed(h)

	ctx, cancel := context.WithCancelCause(context.Background())
	c.watchTerm(cancel)
	err = c.own("the function", func() error { return call(ctx) })
	if err != nil {
		if sig := c.obeyed(err); sig != 0 {
			detach(h)
			die(sig)
		}
		c.print(err)
		detach(h)
		os.Exit(1)
	}
	detach(h)
	os.Exit(0)
}

// own returns what f does, which is code of the user's. A panic goes on its way:
// its trace, exit code 2.
func (c *childProcess) own(what string, f func() error) error {
	returned := false
	defer func() {
		if !returned && goexiting() {
			// Else the process would go on without its function.
			c.print(fmt.Errorf("proc: runtime.Goexit in %s of a process", what))
			os.Exit(2)
		}
	}()
	err := f()
	returned = true
	return err
}

// goexiting reports, in a deferred function, that Goexit and not a panic
// called it.
func goexiting() bool {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(1, pc)])
	for {
		f, more := frames.Next()
		switch f.Function {
		case "runtime.gopanic":
			return false
		case "runtime.Goexit":
			return true
		}
		if !more {
			return false
		}
	}
}

// print writes the last words. A pipe that nobody reads must not turn the
// exit code into SIGPIPE.
func (c *childProcess) print(err error) {
	signal.Ignore(syscall.SIGPIPE)
	fmt.Fprintf(os.Stderr, "%s: %v\n", c.name, err)
}

func (c *childProcess) fail(err error) {
	c.print(err)
	os.Exit(1)
}

// watchTerm lets the first SIGTERM end the function's context. The second
// takes its default action, as one before the function was called does.
func (c *childProcess) watchTerm(end context.CancelCauseFunc) {
	c.mu.Lock()
	c.end = end
	c.mu.Unlock()
	term := make(chan os.Signal, 2)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		<-term
		c.asked(syscall.SIGTERM)
		signal.Stop(term)
		if len(term) > 0 { // it came before Stop
			die(syscall.SIGTERM)
		}
	}()
}

// watchInterrupts: Ctrl-C sends SIGINT to every process of the terminal's
// foreground group. What it means for children is for their parent to decide,
// so that one is dropped; for each that Process.Signal announced one counts, whichever
// comes first.
func (c *childProcess) watchInterrupts() {
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, syscall.SIGINT)
	go func() {
		seen := uint64(0)
		for range interrupts { // two of them may have come as one
			for n := c.announced(); seen < n; seen++ {
				if !c.asked(syscall.SIGINT) {
					die(syscall.SIGINT)
				}
			}
		}
	}()
}

// announced is how often the parent has sent SIGINT by Process.Signal, or is about to.
func (c *childProcess) announced() uint64 {
	var b [8]byte
	if _, err := c.file.ReadAt(b[:], interruptsAt); err != nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b[:])
}

// asked ends the function's context, once; false if it has not been called
// yet or has been asked before.
func (c *childProcess) asked(sig syscall.Signal) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil || c.cause != nil {
		return false
	}
	c.cause = &signalError{sig}
	c.end(c.cause)
	return true
}

// obeyed is the signal that ended the function's context, if err says no more
// than that the function returned because of it; else 0.
func (c *childProcess) obeyed(err error) syscall.Signal {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil || !onlyCanceled(err) {
		return 0
	}
	return c.cause.sig
}

func onlyCanceled(err error) bool {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if err != nil && !onlyCanceled(err) {
				return false
			}
		}
		return true
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return onlyCanceled(inner)
		}
	}
	return errors.Is(err, context.Canceled)
}

// die ends this process by sig's default action, so that its parent sees what
// ended it.
func die(sig syscall.Signal) {
	signal.Reset(sig)
	unix.Kill(os.Getpid(), sig)
	// Still here: another thread is being told, or sig is ignored or blocked.
	time.Sleep(time.Second)
	os.Exit(128 + int(sig))
}
