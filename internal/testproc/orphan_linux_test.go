package testproc

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

var waiting = Role("waiting", func([]string) {
	Say("here")
	select {}
})

// A child whose parent is gone ends, whatever it waits for.
func TestOrphanEnds(t *testing.T) {
	c := waiting.Command()
	c.Env = append(c.Env, parentVar+"=1")
	var exit *exec.ExitError
	if err := c.Run(); !errors.As(err, &exit) || exit.ExitCode() != orphaned {
		t.Errorf("an orphan ended with %v", err)
	}
	d := waiting.Start(t)
	d.Expect("here")
	d.Kill()
}

// A parent of its own child, of which it tells.
var parent = Role("parent", func([]string) {
	c := waiting.Command()
	c.Env = append(c.Env, parentVar+"="+strconv.Itoa(os.Getpid()))
	c.Stdout = os.Stdout // open until the child's end
	Must(c.Run())        // which ends only if this process does, first
})

// So does one whose parent is killed while it waits.
func TestKilledParent(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := parent.Command()
	c.Stdout = w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	out := bufio.NewReader(r)
	r.SetDeadline(time.Now().Add(Patience))
	if line, err := out.ReadString('\n'); err != nil || line != "here\n" {
		t.Errorf("the child said %q, %v", line, err)
	}
	c.Process.Kill()
	if s := Get(c.Process.Wait())(t).Sys().(syscall.WaitStatus); !s.Signaled() {
		t.Errorf("the parent ended by itself: %d", s.ExitStatus())
	}
	if _, err := out.ReadByte(); err != io.EOF {
		t.Errorf("the child of a killed parent goes on: %v", err)
	}
}
