// Package testproc runs parts of a test in processes of their own: the test
// binary again, in a role. It is for tests only.
//
//	func TestMain(m *testing.M) { testproc.Main(m) }
//
//	var holder = testproc.Role("holder", func(args []string) {
//		… open the region named args[0], take the lock …
//		testproc.Say("locked")
//		testproc.Hear() // blocks until the parent says something, or is gone
//	})
//
//	c := holder.Start(t, regionName) // killed at the test's end at the latest
//	c.Expect("locked")
//	c.Kill()
package testproc

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	roleVar   = "TANDEM_TEST_ROLE"
	parentVar = "TANDEM_TEST_PARENT" // whom a child does not outlive
	orphaned  = 4                    // what it exits with then
)

// Patience is how long a test waits for an event that must come.
const Patience = 60 * time.Second

var (
	roles = map[string]func(args []string){}
	stdin = bufio.NewReader(os.Stdin)
)

// A RoleName starts children in its role.
type RoleName string

// Role says what a child in the role does; at package level.
func Role(name string, f func(args []string)) RoleName {
	if roles[name] != nil {
		panic("testproc: two roles " + name)
	}
	roles[name] = f
	return RoleName(name)
}

// Main runs the tests, or in a child its role. TestMain ends in it.
func Main(m *testing.M) {
	RunRole()
	os.Exit(m.Run())
}

// RunRole runs a child's role and exits; in the parent it returns.
func RunRole() {
	name := os.Getenv(roleVar)
	if name == "" {
		return
	}
	f := roles[name]
	if f == nil {
		fmt.Fprintln(os.Stderr, "testproc: no role", name)
		os.Exit(3)
	}
	if parent := os.Getenv(parentVar); parent != "" {
		os.Unsetenv(parentVar) // its own children are nobody else's
		go endWith(parent)
	}
	f(os.Args[1:])
	os.Exit(0)
}

// endWith ends the child when its parent is gone, who was killed, or was not through in
// time: what it waits for comes from nobody then. A pid namespace shows no parent.
func endWith(parent string) {
	for {
		pid := os.Getppid()
		if pid == 0 {
			return
		}
		if strconv.Itoa(pid) != parent {
			os.Exit(orphaned)
		}
		awaitGone(pid)
	}
}

// Say tells the parent a line.
func Say(a ...any) { fmt.Fprintln(os.Stdout, a...) }

// Hear returns the next line the parent says; false when there is no more.
func Hear() (string, bool) {
	line, err := stdin.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err == nil
}

// Orders are the lines that the parent says, until it says no more.
func Orders() <-chan string {
	orders := make(chan string)
	go func() {
		defer close(orders)
		for {
			line, ok := Hear()
			if !ok {
				return
			}
			orders <- line
		}
	}()
	return orders
}

// A Child is a process in a role.
type Child struct {
	t     testing.TB
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
	once  sync.Once
	done  chan struct{}
	err   error
}

// Command is a child in the role that the caller runs.
func (r RoleName) Command(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), roleVar+"="+string(r))
	return cmd
}

// Start runs a child in the role; extra environment ("K=V") may stand before
// "--" in args.
func (r RoleName) Start(t testing.TB, args ...string) *Child {
	t.Helper()
	return r.start(t, nil, args)
}

// start starts a child after prepare, if there is one, has had its command.
func (r RoleName) start(t testing.TB, prepare func(*exec.Cmd), args []string) *Child {
	t.Helper()
	var env []string
	for i, a := range args {
		if a == "--" {
			env, args = args[:i], args[i+1:]
			break
		}
	}
	cmd := r.Command(args...)
	cmd.Env = append(append(cmd.Env, parentVar+"="+strconv.Itoa(os.Getpid())), env...)
	cmd.Stderr = os.Stderr
	if prepare != nil {
		prepare(cmd)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		SkipForeign(t, err)
		t.Fatal(err)
	}
	c := &Child{t: t, cmd: cmd, in: in, lines: make(chan string, 1024), done: make(chan struct{})}
	go func() {
		s := bufio.NewScanner(out)
		s.Buffer(nil, 64<<20) // a line may be a whole ledger
		for s.Scan() {
			c.lines <- s.Text()
		}
		close(c.lines)
		c.err = cmd.Wait()
		close(c.done)
	}()
	t.Cleanup(func() { c.Kill() })
	return c
}

func (c *Child) PID() int { return c.cmd.Process.Pid }

// Say tells the child a line.
func (c *Child) Say(a ...any) { fmt.Fprintln(c.in, a...) }

// Lines are what the child says, for one reader: instead of Line, Next and
// Expect. The channel is closed when the child says no more.
func (c *Child) Lines() <-chan string { return c.lines }

// HangUp lets the child hear that there is no more.
func (c *Child) HangUp() { c.once.Do(func() { c.in.Close() }) }

// Line is the next line the child says; the test fails if none comes.
func (c *Child) Line() string {
	c.t.Helper()
	select {
	case l, ok := <-c.lines:
		if !ok {
			c.t.Fatalf("child %d ended without a word", c.PID())
		}
		return l
	case <-time.After(Patience):
		c.t.Fatalf("child %d says nothing", c.PID())
	}
	return ""
}

// Next is Line, and false if the child has ended instead of saying one.
func (c *Child) Next() (line string, ok bool) {
	c.t.Helper()
	select {
	case line, ok = <-c.lines:
	case <-time.After(Patience):
		c.t.Fatalf("child %d says nothing", c.PID())
	}
	return line, ok
}

// Expect fails the test unless the child's next line is want.
func (c *Child) Expect(want string) {
	c.t.Helper()
	if l := c.Line(); l != want {
		c.t.Fatalf("child said %q, want %q", l, want)
	}
}

// Kill kills -9 and reaps.
func (c *Child) Kill() {
	c.cmd.Process.Kill()
	c.Wait()
}

// Signal sends a signal.
func (c *Child) Signal(s syscall.Signal) { c.cmd.Process.Signal(s) }

// Wait waits for the child's end and returns how it ended.
func (c *Child) Wait() error {
	c.HangUp()
	for range c.lines { // nobody reads on: let the reader get to the end
	}
	<-c.done
	return c.err
}
