package bench_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm/shmtest"
)

func TestMain(m *testing.M) {
	testproc.RunRole()
	before := load()
	code := m.Run()
	if *wantTable {
		printTable(before)
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

// A place is where a contestant runs: so many processes of one language.
type place struct {
	language  string
	processes int
	pinned    bool // the first two to a processor each
}

var (
	here     = place{"Go", 1, true}
	unpinned = place{"Go", 1, false}
	two      = place{"Go", 2, true}
	twoFree  = place{"Go", 2, false}
	inC      = place{"C", 2, true} // testdata/peers.c
	inCFree  = place{"C", 2, false}
	inPython = place{"Python", 2, true} // testdata/peers.py
)

// many are n processes on all processors.
func many(language string, n int) place { return place{language, n, false} }

// String is a part of objects' names.
func (p place) String() string {
	s := p.language + "-" + strconv.Itoa(p.processes)
	if !p.pinned {
		s += "-unpinned"
	}
	return s
}

func (p place) prefix() string {
	switch {
	case p == inPython:
		return "Python-"
	case p.processes > 1 && !p.pinned:
		return "unpinned-"
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
	t := newTeam(p.processes)
	cpus := []string{strconv.Itoa(processors[0]), strconv.Itoa(processors[1])}
	switch p.language {
	case "C":
		binary, why := peersInC.build()
		if why != "" {
			return nil, why
		}
		if !p.pinned {
			cpus = nil
		}
		t.join(b, "C (testdata/peers.c)", -1, exec.Command(binary, append([]string{strconv.Itoa(p.processes)}, cpus...)...))
	case "Python":
		python, err := exec.LookPath("python3")
		if err != nil {
			return nil, "python3 is not there"
		}
		t.join(b, "Python (testdata/peers.py)", -1, exec.Command(python, append([]string{"testdata/peers.py"}, cpus...)...))
	default:
		for side := range p.processes {
			ts.start(b, t, p, side)
		}
	}
	ts.of[p] = t
	return t, ""
}

// start starts one side of a Go team.
func (ts *teams) start(b testing.TB, t *team, p place, side int) {
	b.Helper()
	name, cpu := "Go", -1
	if p.processes > 1 {
		name = fmt.Sprintf("Go, side %d of %d", side, p.processes)
	}
	if p.pinned {
		cpu = processors[side]
		name += fmt.Sprintf(", on processor %d", cpu)
	}
	t.join(b, name, cpu, worker.Command(ts.region, p.String(), strconv.Itoa(side), strconv.Itoa(p.processes)))
}

var (
	peersInC cProgram
	compiled = flag.String("peers", "", "the program of testdata/*.c, where it is compiled already")
)

// A cProgram is compiled once.
type cProgram struct {
	once   sync.Once
	binary string
	dir    string // of ours
	why    string // there is none
}

func (c *cProgram) build() (binary, why string) {
	c.once.Do(func() {
		if *compiled != "" {
			c.binary = *compiled
			return
		}
		gcc, err := exec.LookPath("gcc")
		if err != nil {
			c.why = "gcc is not there"
			return
		}
		if c.dir, err = os.MkdirTemp("", "tandem-bench-"); err != nil {
			c.why = err.Error()
			return
		}
		sources, _ := filepath.Glob("testdata/*.c")
		c.binary = filepath.Join(c.dir, "peers")
		args := append([]string{"-O2", "-o", c.binary}, sources...)
		out, err := exec.Command(gcc, append(args, "-lpthread")...).CombinedOutput()
		if err != nil {
			c.why = fmt.Sprintf("gcc: %v\n%s", err, out)
		}
	})
	return c.binary, c.why
}

// load is the machine's, of the last minute.
func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(b), " ")
	return one
}
