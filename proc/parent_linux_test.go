package proc_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/proc"
)

// parent starts echo, with its own stdin and stdout, from a goroutine that
// ends its thread, waits until the thread is gone, and then for ever.
var parent = proc.Register("parent", func(ctx context.Context, keep bool) error {
	tid, errs := make(chan int, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and no Unlock: the thread ends
		tid <- unix.Gettid()
		_, err := echo.Start(context.Background(), struct{}{}, &proc.Options{Stdin: os.Stdin, KeepOnExit: keep})
		errs <- err
	}()
	if err := <-errs; err != nil {
		return err
	}
	task := fmt.Sprintf("/proc/self/task/%d", <-tid)
	for {
		// The main thread stays when its goroutine ends; try from another.
		if _, err := os.Stat(task); err != nil || strings.HasSuffix(task, fmt.Sprint("/", os.Getpid())) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Println("thread gone")
	select {}
})

func startParent(t *testing.T, keep bool) *talk {
	c := startTalk(t, parent, keep, proc.Options{})
	lines := []string{c.line(t), c.line(t)}
	if strings.HasPrefix(lines[1], "pid") {
		lines[0], lines[1] = lines[1], lines[0]
	}
	if !strings.HasPrefix(lines[0], "pid ") || lines[1] != "thread gone" {
		t.Fatalf("parent and child said %q", lines)
	}
	c.ask(t)
	return c
}

// ask shows that the child of the child is alive.
func (c *talk) ask(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(c.in, "there?\n"); err != nil {
		t.Fatal(err)
	}
	c.expect(t, "echo there?")
}

// X10, R20: the end of the thread that called Start does not kill the child,
// the end of its process does.
func TestParentDies(t *testing.T) {
	c := startParent(t, false)
	noError(t, c.Kill())
	wantCode(t, c.Process, -9)
	// The child had the other end of the pipe; it closes when it is dead.
	if rest, err := io.ReadAll(c.out); err != nil || len(rest) > 0 {
		t.Errorf("after its parent's death the child said %q, %v", rest, err)
	}
}

func TestKeepOnExit(t *testing.T) {
	c := startParent(t, true)
	noError(t, c.Kill())
	wantCode(t, c.Process, -9)
	c.ask(t)
	c.in.Close()
	if rest, err := io.ReadAll(c.out); err != nil || len(rest) > 0 {
		t.Errorf("at the end of its input the child said %q, %v", rest, err)
	}
}

// The main goroutine is locked to the main thread, as the step-kill harness
// has it, and starts a child; that one is started from another thread.
var locked = proc.Register("locked", func(ctx context.Context, _ struct{}) error {
	runtime.LockOSThread()
	p, err := ends.Start(ctx, how{}, nil)
	if err != nil {
		return err
	}
	return p.Wait(ctx)
})

func TestLockedMain(t *testing.T) { wantCode(t, start(t, locked, struct{}{}, nil), 0) }
