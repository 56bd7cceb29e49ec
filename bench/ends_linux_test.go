package bench_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// until waits for what must become true.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(testproc.Patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

// A process that was seen, which is not another one with its number.
type process struct {
	pid   int
	start uint64
}

func (p process) ended() bool { return sys.Ended(p.pid, p.start) }

// work is how much processor time it has used, in ticks.
func (p process) work() int {
	f := statOf(p.pid)
	if len(f) < 14 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return user + system
}

// statOf is /proc/PID/stat behind the command's name, from the state on.
func statOf(pid int) []string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	s := string(b)
	return strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
}

// processes are all there are for which is says yes.
func processes(is func(pid int) bool) (ps []process) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if start, err := sys.StartTime(pid); err == nil && is(pid) && !sys.Ended(pid, start) {
			ps = append(ps, process{pid, start})
		}
	}
	return ps
}

// childrenOf are those that a process has started.
func childrenOf(pid int) []process {
	return processes(func(p int) bool {
		f := statOf(p)
		return len(f) > 1 && f[1] == strconv.Itoa(pid)
	})
}

// Whichever process of a contestant is killed, the turn that it was in ends and
// says whose end it was; and none of the others is left.
func TestContestEndsWithItsContestant(t *testing.T) {
	if len(processors) < 2 {
		t.Skip("two processors are needed")
	}
	const forever = 1 << 40
	for _, tt := range []struct {
		name   string
		in     place
		job    string
		victim int  // of the members
		child  bool // or its child
		want   string
	}{
		{"Go", here, "free/Mutex", 0, false, "Go, on processor"},
		{"goroutines", unpinned, "contended/sync.Mutex", 0, false, "Go ("},
		{"Go, side 0", two, "trip/Semaphore", 0, false, "Go, side 0 of 2, on processor"},
		{"Go, side 1", two, "trip/Semaphore", 1, false, "Go, side 1 of 2, on processor"},
		{"Go, side 0, asleep", twoFree, "trip/unix-socket", 0, false, "Go, side 0 of 2 "},
		{"Go, side 1, unpinned", twoFree, "contended/Mutex", 1, false, "Go, side 1 of 2 "},
		{"C alone", inC, "free/sem_t", 0, false, "C (testdata/peers.c)"},
		{"C", inC, "trip/pthread-cond", 0, false, "C (testdata/peers.c)"},
		{"C, its child", inC, "trip/sem_t", 0, true, "C (testdata/peers.c)"},
		{"C, its child, spinning", inC, "contended/pthread-robust", 0, true, "C (testdata/peers.c)"},
		{"C, mpmc ring", inC, "stream/mpmc-ring-8", 0, false, "C (testdata/peers.c)"},
		{"C, its child, spsc ring", inC, "stream/spsc-ring-64", 0, true, "C (testdata/peers.c)"},
		{"C, its child, locked ring", inC, "trip/locked-ring-64", 0, true, "C (testdata/peers.c)"},
		{"C, its child, memcpy ring", inC, "large/memcpy-ring-64K", 0, true, "C (testdata/peers.c)"},
		{"C, the first of four", many("C", 4), "many/mpmc-ring", 0, false, "C (testdata/peers.c)"},
		{"C, another of four", many("C", 4), "many/locked-ring", 0, true, "C (testdata/peers.c)"},
		{"Go, at a line", two, "line/cache-line", 1, false, "Go, side 1 of 2, on processor"},
		{"Go, batches", two, "stream/Queue-8-by-32", 1, false, "Go, side 1 of 2, on processor"},
		{"Go, long messages", two, "large/Queue-Put-Get-64K", 0, false, "Go, side 0 of 2, on processor"},
		{"Go, side 2 of 4", many("Go", 4), "many/Queue", 2, false, "Go, side 2 of 4 "},
		{"Go, side 1 of 4", many("Go", 4), "contended/Mutex", 1, false, "Go, side 1 of 4 "},
		{"goroutines at a queue", unpinned, "many/Queue-of-goroutines", 0, false, "Go ("},
		{"Python alone", inPython, "free/Lock", 0, false, "Python (testdata/peers.py)"},
		{"Python", inPython, "trip/Queue", 0, false, "Python (testdata/peers.py)"},
		{"Python, its child", inPython, "trip/Semaphore", 0, true, "Python (testdata/peers.py)"},
		{"Python, its child, at a pipe", inPython, "trip/Pipe", 0, true, "Python (testdata/peers.py)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			team, why := newTeams(t).in(t, tt.in)
			if why != "" {
				t.Skip(why)
			}
			if _, err := team.do(tt.job, 1); err != nil {
				t.Fatal(err)
			}
			var all []process
			for _, m := range team.members {
				start, err := sys.StartTime(m.pid())
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, process{m.pid(), start})
			}
			victim := all[tt.victim]
			for _, p := range all {
				all = append(all, childrenOf(p.pid)...)
			}
			if tt.child {
				victim = childrenOf(victim.pid)[0]
			}
			before := victim.work()
			over := make(chan error, 1)
			go func() {
				_, err := team.do(tt.job, forever)
				over <- err
			}()
			until(t, "the contest is under way", func() bool { return victim.work() > before+2 || len(over) > 0 })
			if err := syscall.Kill(victim.pid, syscall.SIGKILL); err != nil {
				t.Errorf("kill: %v", err)
			}
			err := <-over // at turnLimit at the latest
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "has ended") || !strings.Contains(err.Error(), tt.job) {
				t.Errorf("the turn ends with %v, want that %s has ended", err, tt.want)
			}
			for _, m := range team.members {
				m.stop(t)
			}
			for _, p := range all {
				until(t, fmt.Sprintf("process %d has ended", p.pid), p.ended)
			}
		})
	}
}

// One that ends before its first word is told of, with what it said of it; and
// a process that it leaves behind, with its pipes, does not live on.
func TestContestantThatNeverSpeaks(t *testing.T) {
	for _, tt := range []struct{ script, want string }{
		{"echo broken >&2; exit 3", "the script (process %d) has ended: exit status 3; it said:\nbroken"},
		{"exit 0", "the script (process %d) has ended: exit status 0"},
		{"sleep 1000000 & echo $!; exit 0", "the script (process %d) has ended: exit status 0"},
		{"sleep 1000000 & echo $!; wait", ""},
	} {
		team := newTeam(1)
		team.join(t, "the script", -1, exec.Command("sh", "-c", tt.script))
		m := team.members[0]
		var left process
		if strings.Contains(tt.script, "$!") {
			var err error
			if left.pid, err = strconv.Atoi(<-m.lines); err != nil {
				t.Fatal(err)
			}
			left.start, _ = sys.StartTime(left.pid)
		}
		if tt.want != "" {
			want := "job of 1 operations: " + fmt.Sprintf(tt.want, m.pid())
			if _, err := team.do("job", 1); err == nil || err.Error() != want {
				t.Errorf("%s: %v, want %s", tt.script, err, want)
			}
		}
		m.stop(t)
		if left.pid != 0 {
			until(t, "the process that was left behind has ended", left.ended)
		}
	}
}

// A benchmark that is killed leaves nobody, whenever that is: as soon as it has
// so many processes, from its first one to the last.
func TestKilledBenchmarkLeavesNobody(t *testing.T) {
	if len(processors) < 2 {
		t.Skip("two processors are needed")
	}
	binary, why := peersInC.build()
	inC := func(processes int) int {
		if why != "" {
			return 0
		}
		return processes
	}
	inPython := 0
	if _, err := exec.LookPath("python3"); err == nil {
		inPython = 2
	}
	for _, tt := range []struct {
		bench string
		most  int
		step  int
	}{
		{"^BenchmarkSemaphoreTrip$", 1 + 2 + 2 + 1 + inC(2) + inPython, 1},
		{"^BenchmarkMany$/^4$", 1 + 8 + inC(8) + 2, 8},
	} {
		for n := 2; n < tt.most; n += tt.step {
			killedAt(t, tt.bench, binary, n)
		}
		killedAt(t, tt.bench, binary, tt.most)
	}
}

// killedAt kills a benchmark as soon as it has n processes. peers are compiled.
func killedAt(t *testing.T, bench, peers string, n int) {
	t.Helper()
	mark := fmt.Sprintf("TANDEM_BENCH_TEST=%d/%s/%d", os.Getpid(), bench, n)
	cmd := exec.Command("/proc/self/exe", "-test.run=^$", "-test.bench="+bench, "-test.benchtime=1000000000x", "-peers="+peers)
	cmd.Env = append(os.Environ(), mark, "TMPDIR="+t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Who was started by it, or by who was, has the mark.
	marked := func() []process {
		return processes(func(pid int) bool {
			b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
			return strings.Contains("\x00"+string(b), "\x00"+mark+"\x00")
		})
	}
	until(t, fmt.Sprintf("%s has %d processes", bench, n), func() bool { return len(marked()) >= n })
	removeRegion(marked())
	cmd.Process.Kill()
	cmd.Wait()
	until(t, fmt.Sprintf("%s, killed at %d processes: none is left", bench, n), func() bool { return len(marked()) == 0 })
}

// removeRegion takes away what a killed benchmark cannot: a worker's first
// argument is its region.
func removeRegion(ps []process) {
	for _, p := range ps {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
		if args := strings.Split(string(b), "\x00"); len(args) > 1 && filepath.Base(args[1]) == "region" {
			os.RemoveAll(filepath.Dir(args[1]))
		}
	}
}
