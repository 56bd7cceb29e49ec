package shm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/testproc"
)

// wardens keeps open what children hang on.
var wardens []io.Closer

// warden: path gigabytes fork neighbours how. The first process of a pid
// namespace: it starts so many neighbours there, a holder and a visitor, and
// kills the holder when it is told to. Of the neighbours it is told how:
// stopped, they are before the holder comes; killed, they are with it.
var warden = testproc.Role("warden", func(args []string) {
	if err := testproc.MountProc(); err != nil {
		testproc.Say("cannot mount /proc:", err)
		return
	}
	testproc.Say("ready")
	start := func(role testproc.RoleName, args ...string) *os.Process {
		cmd := role.Command(args...)
		in, err := cmd.StdinPipe() // it waits there
		testproc.Must(err)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		testproc.Must(cmd.Start())
		wardens = append(wardens, in)
		return cmd.Process
	}
	var victims []*os.Process
	n, err := strconv.Atoi(args[3])
	testproc.Must(err)
	for range n {
		p := start(visitor, args[0])
		testproc.Hear()
		if args[4] == "killed" {
			victims = append(victims, p)
			continue
		}
		testproc.Must(p.Signal(syscall.SIGSTOP))
		_, err := syscall.Wait4(p.Pid, nil, syscall.WUNTRACED, nil) // until it has stopped
		testproc.Must(err)
	}
	victims = append(victims, start(holder, args[0], args[1], args[2]))
	testproc.Hear()
	start(visitor, args[0])
	testproc.Hear()
	for _, p := range victims {
		testproc.Must(p.Signal(syscall.SIGKILL))
	}
	testproc.Hear()
})

// abroad is a region whose posts are taken by processes of this namespace, and
// who waits for what a holder in another one holds.
type abroad struct {
	r *Region
	m *engine.Mutex
}

func newAbroad(t *testing.T) *abroad {
	path := testPath(t)
	r := testproc.Get(Create(path, nil))(t)
	t.Cleanup(func() { r.Close() })
	m, core, err := lockable(r, "m")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(core.KeepAlive)
	for range region.DutyPosts - 1 { // r's process is the first
		visitor.Start(t, path).Line()
	}
	return &abroad{r, m}
}

// death has a warden kill a holder, and returns how long it took until the one
// here who waits for its lock has heard of it.
func (a *abroad) death(t *testing.T, gigabytes, fork string, neighbours int, how string) time.Duration {
	t.Helper()
	c := warden.StartIn(t, unix.CLONE_NEWPID|unix.CLONE_NEWNS, a.r.Name(), gigabytes, fork, strconv.Itoa(neighbours), how)
	if l := c.Line(); l != "ready" {
		t.Skip(l)
	}
	come := func() {
		t.Helper()
		if i, err := strconv.Atoi(c.Line()); err != nil || i < region.DutyPosts {
			t.Fatalf("one in another namespace is participant %d, %v", i, err)
		}
		c.Say("go on")
	}
	for range neighbours {
		come()
	}
	if fork != "" {
		c.Line()
	}
	c.Expect("held")
	c.Say("and a visitor")
	w := a.r.a.list.Waiter(context.Background())
	defer w.Done()
	heard := make(chan error, 1)
	go func() { heard <- a.m.Lock(w) }()
	for a.r.a.list.Sleeping() == 0 {
		time.Sleep(100 * time.Microsecond)
	}
	start := time.Now()
	come()
	select {
	case err := <-heard:
		if !errors.Is(err, engine.ErrOwnerDied) {
			t.Fatalf("Lock = %v, want ErrOwnerDied", err)
		}
	case <-time.After(testproc.Patience):
		t.Error("nobody has heard of the death")
		c.Kill() // and with it all of its namespace
		<-heard
		t.FailNow()
	}
	took := time.Since(start)
	mend(t, a.r, a.m)
	c.Kill()
	for end := time.Now().Add(testproc.Patience); len(a.r.Participants()) > region.DutyPosts; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("participants: %v", a.r.Participants())
		}
	}
	return took
}

// Who was killed is heard of by those who cannot ask the kernel about it, from
// one of its own namespace who can: long before its gigabytes are given back, and
// though a child that it forked has its byte locked for ever. Nobody there is on
// duty, and of those who can some are stopped, or killed at the same time.
func TestDeathAcrossNamespacesIsHeard(t *testing.T) {
	gigabytes, n := "0", 1
	if effort.Bars() {
		gigabytes, n = "1", 9
	}
	for _, tt := range []struct {
		gigabytes, fork string
		neighbours      int
		how             string
		bar             time.Duration
	}{
		{gigabytes, "", 0, "", 30 * time.Millisecond},
		{"0", "fork", 0, "", 30 * time.Millisecond},
		{"0", "fork", watchers, "stopped", 90 * time.Millisecond},
		{"0", "fork", watchers, "killed", 90 * time.Millisecond},
	} {
		name := fmt.Sprintf("%s GiB %s %d %s", tt.gigabytes, tt.fork, tt.neighbours, tt.how)
		t.Run(name, func(t *testing.T) {
			a := newAbroad(t)
			effort.Median(t, tt.bar, n, func() time.Duration {
				return a.death(t, tt.gigabytes, tt.fork, tt.neighbours, tt.how)
			})
		})
	}
}
