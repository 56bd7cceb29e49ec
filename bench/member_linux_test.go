package bench_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// A member is a contestant's process, or one of its two.
//
// It is the leader of a process group, and whoever it starts is of the group,
// too. Two things end all of them:
//
//	the leader ends   the group is killed: nobody is left who holds the pipes
//	                  that this process reads to their end
//	this process ends the kernel kills the leader (PDEATHSIG), and each process
//	                  that a leader starts asks for the same
//
// PDEATHSIG follows the thread that started the leader and not its process, so
// that thread is the member's until the member has ended.
type member struct {
	name  string // for errors
	cmd   *exec.Cmd
	start uint64 // when, as the kernel counts
	in    io.WriteCloser
	lines chan string   // what it says
	ended chan struct{} // closed when the group is gone
	err   error         // how it ended, after that
	said  bytes.Buffer  // on its standard error, after that
}

// turnLimit is how long a turn may take.
const turnLimit = testproc.Patience

// launch starts a member. cpu is the processor that it is pinned to, or -1:
// it inherits it from the thread that starts it, so that a Go process has
// GOMAXPROCS 1. fell is told when it ends; it must not block.
func launch(t testing.TB, name string, cpu int, fell chan<- *member, cmd *exec.Cmd) *member {
	t.Helper()
	m := &member{name: name, cmd: cmd, lines: make(chan string, 16), ended: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = &m.said
	cmd.WaitDelay = testproc.Patience
	var err error
	if m.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan error)
	go m.keep(cpu, out, started, fell)
	if err := <-started; err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	t.Cleanup(func() { m.stop(t) })
	return m
}

// keep is a member's life, on a thread of its own.
func (m *member) keep(cpu int, out io.Reader, started chan<- error, fell chan<- *member) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := pinned(cpu, m.cmd.Start)
	if err == nil {
		if m.start, err = sys.StartTime(m.pid()); err != nil { // it may be a zombie, but is there
			m.cmd.Process.Kill()
			m.cmd.Wait()
		}
	}
	started <- err
	if err != nil {
		return
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		s := bufio.NewScanner(out)
		s.Buffer(nil, 1<<20) // a line may tell of many trips
		for s.Scan() {
			m.lines <- s.Text()
		}
	}()
	// Not reaped yet, the leader keeps its number, which is the group's.
	for unix.Waitid(unix.P_PID, m.pid(), nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	unix.Kill(-m.pid(), unix.SIGKILL)
	select {
	case <-read:
	case <-time.After(testproc.Patience): // who left the group has the pipe; Wait closes this end
	}
	m.err = m.cmd.Wait()
	close(m.ended)
	fell <- m
}

// pinned calls start on a processor.
func pinned(cpu int, start func() error) error {
	if cpu < 0 {
		return start()
	}
	var all, one unix.CPUSet
	one.Set(cpu)
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	defer unix.SchedSetaffinity(0, &all)
	return start()
}

func (m *member) pid() int { return m.cmd.Process.Pid }

// stop kills the member, with its group, and waits for its end.
func (m *member) stop(t testing.TB) {
	m.cmd.Process.Kill()
	for limit := time.After(2 * testproc.Patience); ; {
		select {
		case <-m.ended:
			return
		case <-m.lines: // nobody reads on
		case <-limit:
			t.Errorf("%s (process %d) was killed and does not end", m.name, m.pid())
			return
		}
	}
}

// exiting reports that the member is on its way out, or gone: its first thread
// will not run again. That is the first thread of a Go program only where all
// of it ends; and of all threads one cannot always tell while they go one by one.
func (m *member) exiting() bool {
	const flag = 0x4 // PF_EXITING
	f := statOf(m.pid())
	if len(f) < 7 || strings.Contains("ZX", f[0]) {
		return true
	}
	flags, err := strconv.ParseUint(f[6], 10, 64)
	return err == nil && flags&flag != 0
}

// fallen is the error that a member has ended, which it should not.
func (m *member) fallen() error {
	how := "exit status 0"
	if m.err != nil {
		how = m.err.Error()
	}
	if said := strings.TrimSpace(m.said.String()); said != "" {
		how += "; it said:\n" + said
	}
	return fmt.Errorf("%s (process %d) has ended: %s", m.name, m.pid(), how)
}

// A team is the processes of a place, at work on one job at a time.
type team struct {
	members []*member
	fell    chan *member // who has ended
}

// newTeam has n members at most.
func newTeam(n int) *team { return &team{fell: make(chan *member, n)} }

func (t *team) join(tb testing.TB, name string, cpu int, cmd *exec.Cmd) {
	tb.Helper()
	t.members = append(t.members, launch(tb, name, cpu, t.fell, cmd))
}

// do has the team do n operations. It ends when all have answered, when one of
// them has ended instead, whoever waits for it, and after turnLimit.
func (t *team) do(job string, n int, how ...string) (all outcome, err error) {
	order := strings.Join(append([]string{job, strconv.Itoa(n)}, how...), " ")
	for _, m := range t.members {
		fmt.Fprintln(m.in, order) // who does not read any more has ended
	}
	limit := time.After(turnLimit)
	least := n
	for _, m := range t.members {
		var line string
		select {
		case line = <-m.lines:
		case who := <-t.fell:
			return all, fmt.Errorf("%s of %d operations: %w", job, n, t.fallen(who))
		case <-limit:
			return all, fmt.Errorf("%s of %d operations: %s (process %d) has said nothing for %v", job, n, m.name, m.pid(), turnLimit)
		}
		var o outcome
		if parse(line, &o) != nil {
			return all, fmt.Errorf("%s of %d operations: %s says %q", job, n, m.name, line)
		}
		all.ns, all.done, all.share = max(all.ns, o.ns), all.done+o.done, o.share
		all.trips = append(all.trips, o.trips...)
		least = min(least, o.done)
	}
	if len(t.members) > 1 {
		all.share = float64(least) / float64(max(all.done, 1))
	}
	return all, nil
}

// fallen is the error that who has ended, and of the others those who have: one
// may have ended because another did, and be heard of first. That other was
// exiting by then, for what tells of it, a closed socket, comes later.
func (t *team) fallen(who *member) error {
	errs := []error{who.fallen()}
	for _, m := range t.members {
		if m != who && m.exiting() {
			<-m.ended
			errs = append(errs, m.fallen())
		}
	}
	return errors.Join(errs...)
}

func parse(line string, o *outcome) error {
	if _, err := fmt.Sscan(line, &o.ns, &o.done, &o.share); err != nil {
		return err
	}
	var err error
	o.trips, err = parseTrips(strings.Fields(line)[3:])
	return err
}
