package shm

import (
	"context"
	"errors"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/testproc"
)

// warden: path gigabytes. The first process of a pid namespace: it starts a
// holder there and a visitor, and kills the holder when it is told to.
var warden = testproc.Role("warden", func(args []string) {
	if err := testproc.MountProc(); err != nil {
		testproc.Say("cannot mount /proc:", err)
		return
	}
	start := func(role testproc.RoleName, args ...string) *os.Process {
		cmd := role.Command(args...)
		in, err := cmd.StdinPipe() // it waits there
		testproc.Must(err)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		testproc.Must(cmd.Start())
		_ = in
		return cmd.Process
	}
	h := start(holder, args[0], args[1], "")
	testproc.Hear()
	start(visitor, args[0])
	testproc.Hear()
	testproc.Must(h.Signal(syscall.SIGKILL))
	testproc.Hear()
})

// Who was killed is heard of by those who cannot ask the kernel about it, from
// one of its own namespace who can: long before its gigabytes are given back.
func TestDeathAcrossNamespacesIsHeard(t *testing.T) {
	path := testPath(t)
	r := must(Create(path, nil))(t)
	defer r.Close()
	m, core, err := lockable(r, "m")
	if err != nil {
		t.Fatal(err)
	}
	defer core.KeepAlive()
	for range watchers { // they are on duty, and watch the holder
		visitor.Start(t, path).Line()
	}
	gigabytes, n := "0", 1
	if effort.Bars() {
		gigabytes, n = "1", 9
	}
	w := r.a.list.Waiter(context.Background())
	defer w.Done()
	effort.Median(t, 30*time.Millisecond, n, func() time.Duration {
		c := warden.StartIn(t, unix.CLONE_NEWPID|unix.CLONE_NEWNS, path, gigabytes)
		if l := c.Line(); l != "held" {
			t.Skip(l)
		}
		c.Say("and a visitor")
		if i, err := strconv.Atoi(c.Line()); err != nil || i <= watchers {
			t.Fatalf("the visitor is participant %d, %v", i, err)
		}
		heard := make(chan error, 1)
		go func() { heard <- m.Lock(w) }()
		for r.a.list.Sleeping() == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		start := time.Now()
		c.Say("kill the holder")
		if err := <-heard; !errors.Is(err, engine.ErrOwnerDied) {
			t.Fatalf("Lock = %v, want ErrOwnerDied", err)
		}
		took := time.Since(start)
		mend(t, r, m)
		c.Kill() // and with it all of its namespace
		for end := time.Now().Add(testproc.Patience); len(r.Participants()) > 1+watchers; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("participants: %v", r.Participants())
			}
		}
		return took
	})
}
