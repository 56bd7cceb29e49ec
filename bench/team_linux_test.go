package bench_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
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

// teams are a contest's, each started when it is first asked for.
type teams struct {
	region string
	of     map[place]*team
}

func newTeams(b testing.TB) *teams {
	return &teams{region: shmtest.Region(b).Name(), of: map[place]*team{}}
}

// in returns the team of a place, or why there is none.
func (ts *teams) in(b testing.TB, p place) (_ *team, why string) {
	b.Helper()
	if t := ts.of[p]; t != nil {
		return t, ""
	}
	t := newTeam(2)
	cpus := []string{strconv.Itoa(processors[0]), strconv.Itoa(processors[1])}
	switch p {
	case inC:
		binary, why := peersInC.build()
		if why != "" {
			return nil, why
		}
		t.join(b, "C (testdata/peers.c)", -1, exec.Command(binary, cpus...))
	case inPython:
		python, err := exec.LookPath("python3")
		if err != nil {
			return nil, "python3 is not there"
		}
		t.join(b, "Python (testdata/peers.py)", -1, exec.Command(python, append([]string{"testdata/peers.py"}, cpus...)...))
	case here, unpinned:
		ts.start(b, t, p, 0, 1)
	case two, twoFree:
		ts.start(b, t, p, 0, 2)
		ts.start(b, t, p, 1, 2)
	}
	ts.of[p] = t
	return t, ""
}

// start starts one side of a Go team.
func (ts *teams) start(b testing.TB, t *team, p place, side, sides int) {
	b.Helper()
	name, cpu := "Go", -1
	if sides > 1 {
		name = fmt.Sprintf("Go, side %d of %d", side, sides)
	}
	if p == here || p == two {
		cpu = processors[side]
		name += fmt.Sprintf(", on processor %d", cpu)
	}
	t.join(b, name, cpu, worker.Command(ts.region, fmt.Sprint(p), fmt.Sprint(side), fmt.Sprint(sides)))
}

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
