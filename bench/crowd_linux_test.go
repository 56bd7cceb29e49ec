package bench_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

// One of a crowd: path index. It opens the region and says how long that took, of
// the clock and of a processor; then it does nothing, but, once it is told to,
// listen for the ends of others, and note when it hears of one.
var crowder = testproc.Role("crowder", func(args []string) {
	i, err := strconv.Atoi(args[1])
	testproc.Must(err)
	slate, err := mapSlate(args[0], i+1)
	testproc.Must(err)
	runtime.GC()
	began, used := time.Now(), processorTime()
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	testproc.Say(int64(time.Since(began)), processorTime()-used)
	if _, ok := testproc.Hear(); !ok {
		return
	}
	exits := r.Exits(context.Background())
	testproc.Say("listens")
	for p := range exits {
		slate[i].hear(p.PID, sys.MonotonicNow())
	}
})

// A slate is where one of a crowd notes what it heard. That costs the others no
// processor, as saying it to their parent would, while they are yet to hear it.
type slate struct{ pid, at atomic.Int64 }

func (s *slate) hear(pid int, at int64) {
	s.pid.Store(int64(pid))
	s.at.Store(at)
}

// mapSlate maps the slates of the first n in the crowd at path.
func mapSlate(path string, n int) ([]slate, error) {
	f, err := os.OpenFile(path+".slate", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size := int(unsafe.Sizeof(slate{})) * n
	if info, err := f.Stat(); err != nil || info.Size() < int64(size) {
		if err := errors.Join(err, f.Truncate(int64(size))); err != nil {
			return nil, err
		}
	}
	m, err := sys.Map(f, uintptr(size), true)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*slate)(m), n), nil
}

// processorTime is what this process has used, in nanoseconds.
func processorTime() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// timeOf is what a process and its threads have been on a processor for.
func timeOf(pid int) (ns int64) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, f := range files {
		b, _ := os.ReadFile(f)
		if fields := strings.Fields(string(b)); len(fields) > 0 {
			n, _ := strconv.ParseInt(fields[0], 10, 64)
			ns += n
		}
	}
	return ns
}

// Many processes in one region: what the last of them pay to open it, what all
// pay together while nothing happens, in percent of one processor, and how
// long it takes until all have heard that one of them was killed.
//
//	go test -run XXX -bench Crowd -benchtime 20x ./bench
func BenchmarkCrowd(b *testing.B) {
	for _, n := range []int{16, 64, 256, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			c := newCrowd(b, n)
			last := func(ns []int64) (median float64) {
				ns = slices.Clone(ns[max(0, len(ns)-16):])
				slices.Sort(ns)
				return float64(ns[len(ns)/2]) / 1e6
			}
			lastWall, lastCPU := last(c.wall), last(c.cpu)
			idle := c.idle(5 * time.Second)
			c.listen()
			var took []int64
			for b.Loop() {
				took = append(took, int64(c.kill()))
			}
			b.ReportMetric(c.attached.Seconds(), "s-to-attach")
			b.ReportMetric(lastWall, "ms-last-opens")
			b.ReportMetric(lastCPU, "cpu-ms-last-opens")
			b.ReportMetric(idle.Seconds()*100, "%-of-a-processor-idle")
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2])/1e6, "ms-death-heard")
			b.ReportMetric(0, "ns/op") // of what else is in the loop: a process is started
		})
	}
}

// What is promised of a crowd.
func TestCrowd(t *testing.T) {
	n := 8
	if effort.Bars() {
		n = 64
	}
	c := newCrowd(t, n)
	if effort.Bars() {
		t.Log("all together use of one processor in a second")
		effort.Median(t, 15*time.Millisecond, 3, func() time.Duration { return c.idle(time.Second) })
	}
	c.listen()
	t.Log("a death is heard by all after")
	effort.Median(t, 20*time.Millisecond, 20, c.kill)
}

// A crowd is so many processes in one region, and nobody else: what they cost is
// what all cost who are in it.
type crowd struct {
	tb        testing.TB
	path      string
	cs        []*testproc.Child
	slates    []slate
	wall, cpu []int64 // what Open took
	attached  time.Duration
}

func newCrowd(tb testing.TB, n int) *crowd {
	tb.Helper()
	c := &crowd{tb: tb, path: filepath.Join(tb.TempDir(), "crowd"), cs: make([]*testproc.Child, n)}
	r, err := shm.Create(c.path, &shm.Options{Participants: n + 8})
	if errors.Is(err, errors.ErrUnsupported) {
		tb.Skip(err)
	}
	if err == nil {
		err = r.Close() // or it would be one of them
	}
	if err != nil {
		tb.Fatal(err)
	}
	if c.slates, err = mapSlate(c.path, n); err != nil {
		tb.Fatal(err)
	}
	began := time.Now()
	for i := range c.cs {
		c.cs[i] = c.start(i)
	}
	c.attached = time.Since(began)
	tb.Cleanup(func() { // all at once: or of each end all others would hear
		for _, child := range c.cs {
			child.Signal(syscall.SIGKILL)
		}
	})
	return c
}

func (c *crowd) start(i int) *testproc.Child {
	c.tb.Helper()
	child := crowder.Start(c.tb, c.path, strconv.Itoa(i))
	var w, p int64
	if _, err := fmt.Sscan(child.Line(), &w, &p); err != nil {
		c.tb.Fatal(err)
	}
	c.wall, c.cpu = append(c.wall, w), append(c.cpu, p)
	return child
}

// idle is how long all together are on a processor in a second, over some time.
func (c *crowd) idle(over time.Duration) time.Duration {
	time.Sleep(time.Second) // what the last one to come set going is over
	used, since := int64(0), time.Now()
	for _, child := range c.cs {
		used -= timeOf(child.PID())
	}
	time.Sleep(over)
	for _, child := range c.cs {
		used += timeOf(child.PID())
	}
	return time.Duration(float64(used) / time.Since(since).Seconds())
}

// listen has all listen for the ends of others.
func (c *crowd) listen() {
	c.tb.Helper()
	for _, child := range c.cs {
		child.Say("listen")
		child.Expect("listens")
	}
}

// kill kills one of those who listen and returns after how long all others had
// heard; then there is another in its place.
func (c *crowd) kill() time.Duration {
	c.tb.Helper()
	i := len(c.cs) / 2
	victim := c.cs[i]
	for k := range c.slates {
		c.slates[k].at.Store(0)
	}
	killed := sys.MonotonicNow()
	victim.Kill()
	heard, limit := int64(0), time.Now().Add(testproc.Patience)
	for k := range c.slates {
		if k == i {
			continue
		}
		s := &c.slates[k]
		for s.at.Load() == 0 {
			if time.Now().After(limit) {
				c.tb.Fatalf("process %d has not heard of the end of %d", c.cs[k].PID(), victim.PID())
			}
			time.Sleep(time.Millisecond)
		}
		if pid := int(s.pid.Load()); pid != victim.PID() {
			c.tb.Fatalf("told of %d, want %d", pid, victim.PID())
		}
		heard = max(heard, s.at.Load()-killed)
	}
	c.cs[i] = c.start(i)
	c.cs[i].Say("listen")
	c.cs[i].Expect("listens")
	return time.Duration(heard)
}
