package bench_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm/shmtest"
)

func TestMain(m *testing.M) {
	testproc.RunRole()
	code := m.Run()
	if *wantTable {
		printTable()
	}
	if peersInC.dir != "" {
		os.RemoveAll(peersInC.dir)
	}
	os.Exit(code)
}

// processors are those that this process may use.
var processors = func() (cpus []int) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	for cpu := range 64 * len(set) {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}()

// A place is where a contestant runs.
type place int

const (
	here     place = iota // one Go process, pinned
	unpinned              // one Go process on all processors
	two                   // two Go processes, each pinned
	twoFree               // two Go processes on all processors
	inC                   // testdata/peers.c
	inPython              // testdata/peers.py
)

func (p place) prefix() string {
	switch p {
	case twoFree:
		return "unpinned-"
	case inPython:
		return "Python-"
	}
	return ""
}

// A team is the processes of a place, at work on one job at a time.
type team []*testproc.Child

// do has the team do n operations.
func (t team) do(b *testing.B, job string, n int) (all outcome) {
	b.Helper()
	for _, c := range t {
		c.Say(job, n)
	}
	least := n
	for _, c := range t {
		var o outcome
		if line := c.Line(); parse(line, &o) != nil {
			b.Fatalf("%s: a process says %q", job, line)
		}
		all.ns, all.done, all.share = max(all.ns, o.ns), all.done+o.done, o.share
		least = min(least, o.done)
	}
	if len(t) > 1 {
		all.share = float64(least) / float64(max(all.done, 1))
	}
	return all
}

func parse(line string, o *outcome) error {
	_, err := fmt.Sscan(line, &o.ns, &o.done, &o.share)
	return err
}

// teams are a contest's, each started when it is first asked for.
type teams struct {
	region string
	of     map[place]*team
}

func newTeams(b *testing.B) *teams {
	return &teams{region: shmtest.Region(b).Name(), of: map[place]*team{}}
}

// in returns the team of a place, or why there is none.
func (ts *teams) in(b *testing.B, p place) (_ *team, why string) {
	if t := ts.of[p]; t != nil {
		return t, ""
	}
	t := new(team)
	cpus := []string{strconv.Itoa(processors[0]), strconv.Itoa(processors[1])}
	switch p {
	case inC:
		binary, why := peersInC.build()
		if why != "" {
			return nil, why
		}
		*t = team{become.Start(b, append([]string{binary}, cpus...)...)}
	case inPython:
		python, err := exec.LookPath("python3")
		if err != nil {
			return nil, "python3 is not there"
		}
		*t = team{become.Start(b, append([]string{python, "testdata/peers.py"}, cpus...)...)}
	case here, unpinned:
		*t = team{ts.start(b, p, 0, 1)}
	case two, twoFree:
		*t = team{ts.start(b, p, 0, 2), ts.start(b, p, 1, 2)}
	}
	ts.of[p] = t
	return t, ""
}

// start starts one side of a Go team. Pinned, it inherits the processor from
// the thread that starts it, and so has GOMAXPROCS 1.
func (ts *teams) start(b *testing.B, p place, side, sides int) *testproc.Child {
	b.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if p == here || p == two {
		var all, one unix.CPUSet
		one.Set(processors[side])
		if err := unix.SchedGetaffinity(0, &all); err != nil {
			b.Fatal(err)
		}
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			b.Fatal(err)
		}
		defer unix.SchedSetaffinity(0, &all)
	}
	return worker.Start(b, ts.region, fmt.Sprint(p), fmt.Sprint(side), fmt.Sprint(sides))
}

// become is a process that becomes another program.
var become = testproc.Role("become", func(args []string) {
	testproc.Must(syscall.Exec(args[0], args, os.Environ()))
})

var peersInC cProgram

// A cProgram is compiled once.
type cProgram struct {
	once sync.Once
	dir  string
	why  string
}

func (c *cProgram) build() (binary, why string) {
	c.once.Do(func() {
		gcc, err := exec.LookPath("gcc")
		if err != nil {
			c.why = "gcc is not there"
			return
		}
		if c.dir, err = os.MkdirTemp("", "tandem-bench-"); err != nil {
			c.why = err.Error()
			return
		}
		out, err := exec.Command(gcc, "-O2", "-o", filepath.Join(c.dir, "peers"), "testdata/peers.c", "-lpthread").CombinedOutput()
		if err != nil {
			c.why = fmt.Sprintf("gcc: %v\n%s", err, out)
		}
	})
	return filepath.Join(c.dir, "peers"), c.why
}
