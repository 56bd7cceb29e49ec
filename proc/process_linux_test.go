package proc_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/proc"
)

// A talk is the other side of a child's stdin and stdout.
type talk struct {
	*proc.Process
	in  *os.File
	out *bufio.Reader
	// childIn and childOut are the child's ends.
}

// startTalk starts f with both ends of pipes, which nobody copies.
func startTalk[A any](t *testing.T, f proc.Func[A], arg A, o proc.Options) *talk {
	t.Helper()
	r, in, err := os.Pipe()
	check(err)
	out, w, err := os.Pipe()
	check(err)
	o.Stdin, o.Stdout = r, w
	c := &talk{start(t, f, arg, &o), in, bufio.NewReader(out)}
	r.Close()
	w.Close()
	out.SetReadDeadline(time.Now().Add(testproc.Patience))
	t.Cleanup(func() { in.Close(); out.Close() })
	return c
}

func (c *talk) expect(t *testing.T, want string) {
	t.Helper()
	if got := c.line(t); got != want {
		t.Fatalf("%s said %q, want %q", c.Name(), got, want)
	}
}

func (c *talk) line(t *testing.T) string {
	t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v after %q", c.Name(), err, line)
	}
	return strings.TrimSuffix(line, "\n")
}

// X2, X3, X7, X9.
func TestLife(t *testing.T) {
	c := startTalk(t, echo, struct{}{}, proc.Options{})
	if !c.Alive() || c.Name() != "echo" {
		t.Errorf("alive %v, name %q", c.Alive(), c.Name())
	}
	if code, ok := c.ExitCode(); ok {
		t.Errorf("ExitCode = %d while alive", code)
	}
	select {
	case <-c.Done():
		t.Error("Done while alive")
	default:
	}
	c.expect(t, "pid "+itoa(c.PID()))
	c.in.Close()
	wantCode(t, c.Process, 0)
	wantCode(t, c.Process, 0)
	<-c.Done()
	if err := c.Terminate(); err != nil {
		t.Errorf("Terminate of an ended process = %v", err)
	}
	if err := c.Kill(); err != nil {
		t.Errorf("Kill of an ended process = %v", err)
	}
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGUSR1} {
		if err := c.Signal(s); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("Signal(%v) of an ended process = %v", s, err)
		}
	}
}

// X4: a Wait that its context ends leaves the child running, and one on an
// ended process has its answer, whatever the context.
func TestWaitContext(t *testing.T) {
	c := startTalk(t, ends, how{Do: "stdin"}, proc.Options{})
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Wait(over); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait with an ended context = %v", err)
	}
	soon, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := c.Wait(soon); !errors.Is(err, context.DeadlineExceeded) || !c.Alive() {
		t.Errorf("Wait for 10 ms = %v, alive %v", err, c.Alive())
	}
	c.in.Close()
	wantCode(t, c.Process, 0)
	if err := c.Wait(over); err != nil {
		t.Errorf("Wait for an ended process = %v", err)
	}
}

// X5, X6.
func TestEnds(t *testing.T) {
	for _, tt := range []struct {
		how    how
		do     func(t *testing.T, c *talk)
		code   int
		err    string // after "proc: NAME (pid N): "
		stderr string // a part of it; "" is nothing at all
	}{
		{how: how{Do: "nil"}},
		{how: how{Do: "error"}, code: 1, err: "exit code 1", stderr: "error: boom\n"},
		{how: how{Do: "panic"}, code: 2, err: "exit code 2", stderr: "panic: kaboom\n\ngoroutine "},
		{how: how{Do: "goexit"}, code: 2, err: "exit code 2", stderr: "goexit: proc: runtime.Goexit"},
		{how: how{Do: "exit"}},
		{how: how{Do: "exit", Code: 8}, code: 8, err: "exit code 8"},
		{how: how{Do: "exit", Code: 300}, code: 44, err: "exit code 44"},
		{how{Do: "listen"}, terminate, -15, "killed by signal terminated", ""},
		{how{Do: "listen"}, interrupt, -2, "killed by signal interrupt", ""},
		{how{Do: "cause"}, terminate, -15, "killed by signal terminated", ""},
		{how{Do: "finish"}, terminate, 0, "", ""},
		{how{Do: "fail"}, terminate, 1, "exit code 1", "half a file\n"},
		{how{Do: "stuck"}, twice(terminate), -15, "killed by signal terminated", ""},
		{how{Do: "stuck"}, twice(interrupt), -2, "killed by signal interrupt", ""},
		{how{Do: "stuck"}, relayed, -9, "killed by signal killed", ""},
		{how{Do: "listen"}, kill, -9, "killed by signal killed", ""},
		{how{Do: "listen"}, quit, 2, "exit code 2", "SIGQUIT"},
		{how{Do: "stdin"}, controlC, 0, "", ""},
	} {
		t.Run(tt.how.Do, func(t *testing.T) {
			var stderr bytes.Buffer
			c := startTalk(t, ends, tt.how, proc.Options{Name: tt.how.Do, Stderr: &stderr})
			if tt.do != nil {
				c.expect(t, "ready")
				tt.do(t, c)
			}
			wantCode(t, c.Process, tt.code)
			want := "proc: " + tt.how.Do + " (pid " + itoa(c.PID()) + "): " + tt.err
			if err := c.Wait(testproc.Watchdog(t)); tt.err != "" && err.Error() != want {
				t.Errorf("Wait = %q, want %q", err, want)
			}
			if s := stderr.String(); tt.stderr == "" && s != "" || !strings.Contains(s, tt.stderr) {
				t.Errorf("stderr %q, want %q", s, tt.stderr)
			}
		})
	}
}

func terminate(t *testing.T, c *talk) { noError(t, c.Terminate()) }
func kill(t *testing.T, c *talk)      { noError(t, c.Kill()) }
func interrupt(t *testing.T, c *talk) { noError(t, c.Signal(os.Interrupt)) }
func quit(t *testing.T, c *talk)      { noError(t, c.Signal(syscall.SIGQUIT)) }

// controlC is what a terminal does: not the parent's doing, so it is dropped.
func controlC(t *testing.T, c *talk) {
	noError(t, syscall.Kill(c.PID(), syscall.SIGINT))
	noError(t, c.in.Close())
}

// relayed is a terminal's, which the parent passes on: whichever of the two comes first,
// and whatever else the terminal sends, the child was told once.
func relayed(t *testing.T, c *talk) {
	terminal := func() { noError(t, syscall.Kill(c.PID(), syscall.SIGINT)) }
	for range 20 {
		terminal()
	}
	interrupt(t, c)
	terminal()
	c.expect(t, "told")
	for range 20 {
		terminal()
		time.Sleep(time.Millisecond)
	}
	if !c.Alive() {
		t.Error("a terminal's interrupt ended it")
	}
	kill(t, c)
}

func twice(f func(*testing.T, *talk)) func(*testing.T, *talk) {
	return func(t *testing.T, c *talk) {
		f(t, c)
		c.expect(t, "told")
		f(t, c)
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// X20.
func TestManyWaiters(t *testing.T) {
	c := startTalk(t, ends, how{Do: "stdin"}, proc.Options{})
	ctx := testproc.Watchdog(t)
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Go(func() {
			errs[i] = c.Wait(ctx)
			if code, ok := c.ExitCode(); code != -9 || !ok || c.Alive() {
				t.Errorf("after Wait: ExitCode %d, %v, alive %v", code, ok, c.Alive())
			}
		})
	}
	c.expect(t, "ready")
	noError(t, c.Kill())
	wg.Wait()
	for _, err := range errs {
		if err == nil || err != errs[0] {
			t.Errorf("Wait = %v and %v", errs[0], err)
		}
	}
}

// X14: each of 100 that are terminated right after their start dies of it,
// be it before or after its function was called.
func TestManyProcesses(t *testing.T) {
	var all []*proc.Process
	for range 100 {
		all = append(all, start(t, ends, how{}, nil))
	}
	for _, p := range all {
		wantCode(t, p, 0)
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	check(err)
	defer null.Close()
	all = all[:0]
	for range 100 {
		p := start(t, ends, how{Do: "listen"}, &proc.Options{Stdout: null})
		noError(t, p.Terminate())
		all = append(all, p)
	}
	for _, p := range all {
		wantCode(t, p, -15)
	}
}

// The end of Start's context: SIGTERM, and SIGKILL after Grace.
func TestStartContext(t *testing.T) {
	for _, tt := range []struct {
		do    string
		grace time.Duration
		code  int
	}{
		{"listen", 0, -15},
		{"finish", 0, 0},
		{"stuck", 20 * time.Millisecond, -9},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		out, w, err := os.Pipe()
		check(err)
		defer out.Close()
		p, err := ends.Start(ctx, how{Do: tt.do}, &proc.Options{Stdout: w, Grace: tt.grace})
		w.Close()
		if err != nil {
			t.Fatal(err)
		}
		out.SetReadDeadline(time.Now().Add(testproc.Patience))
		if _, err := out.Read(make([]byte, 6)); err != nil {
			t.Error(err)
		}
		began := time.Now()
		cancel()
		wantCode(t, p, tt.code)
		if d := time.Since(began); d < tt.grace {
			t.Errorf("%s: killed after %v, before its grace of %v", tt.do, d, tt.grace)
		}
		if p, err := ends.Start(ctx, how{}, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("Start with an ended context = %v, %v", p, err)
		}
	}
}

// X12.
func TestChildrenOfChildren(t *testing.T) {
	var out bytes.Buffer
	wantCode(t, start(t, tree, 2, &proc.Options{Stdout: &out}), 0)
	if want := "(2(1(0)(0))(1(0)(0)))"; out.String() != want {
		t.Errorf("tree said %q, want %q", out.String(), want)
	}
}

func TestWaitAll(t *testing.T) {
	proc.WaitAll(testproc.Watchdog(t)) // of earlier tests
	if err := proc.WaitAll(testproc.Watchdog(t)); err != nil {
		t.Errorf("WaitAll without children = %v", err)
	}
	// One that failed and that nobody has waited for yet, one that was waited
	// for, one that succeeds, and one that is alive.
	failed := start(t, ends, how{Do: "exit", Code: 3}, nil)
	<-failed.Done()
	known := start(t, ends, how{Do: "exit", Code: 4}, nil)
	wantCode(t, known, 4)
	start(t, ends, how{}, nil)
	c := startTalk(t, ends, how{Do: "stdin"}, proc.Options{})
	soon, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := proc.WaitAll(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("WaitAll for 10 ms = %v", err)
	}
	again := start(t, ends, how{Do: "exit", Code: 5}, nil)
	<-again.Done()
	c.in.Close()
	err := proc.WaitAll(testproc.Watchdog(t))
	if err == nil || err.Error() != again.Wait(testproc.Watchdog(t)).Error() {
		t.Errorf("WaitAll = %v, want %v", err, again.Wait(testproc.Watchdog(t)))
	}
	if err := proc.WaitAll(testproc.Watchdog(t)); err != nil {
		t.Errorf("WaitAll when all was told = %v", err)
	}
}
