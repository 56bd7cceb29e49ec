package bench_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

// One of a crowd: path. It opens the region and says how long that took, of the
// clock and of a processor; then it does nothing, but, once it is told to, listen
// for the ends of others, and say when it hears of one.
var crowder = testproc.Role("crowder", func(args []string) {
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
		testproc.Say(p.PID, sys.MonotonicNow())
	}
})

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
		b.Run(strconv.Itoa(n), func(b *testing.B) { crowd(b, n) })
	}
}

func crowd(b *testing.B, n int) {
	dir := b.TempDir()
	r, err := shm.Create(filepath.Join(dir, "crowd"), &shm.Options{Participants: n + 8})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	var wall, cpu []int64
	start := func() *testproc.Child {
		c := crowder.Start(b, r.Name())
		var w, p int64
		if _, err := fmt.Sscan(c.Line(), &w, &p); err != nil {
			b.Fatal(err)
		}
		wall, cpu = append(wall, w), append(cpu, p)
		return c
	}
	began := time.Now()
	cs := make([]*testproc.Child, n)
	for i := range cs {
		cs[i] = start()
	}
	attached := time.Since(began).Seconds()
	last := func(ns []int64) (median float64) {
		ns = slices.Clone(ns[max(0, len(ns)-16):])
		slices.Sort(ns)
		return float64(ns[len(ns)/2]) / 1e6
	}
	lastWall, lastCPU, idle := last(wall), last(cpu), idleShare(cs)

	for _, c := range cs {
		c.Say("listen")
		c.Expect("listens")
	}
	var took []int64
	for b.Loop() {
		i := len(cs) / 2
		victim := cs[i]
		killed := sys.MonotonicNow()
		victim.Kill()
		heard := int64(0)
		for k, c := range cs {
			if k == i {
				continue
			}
			var pid int
			var at int64
			if _, err := fmt.Sscan(c.Line(), &pid, &at); err != nil || pid != victim.PID() {
				b.Fatalf("told of %d, want %d: %v", pid, victim.PID(), err)
			}
			heard = max(heard, at-killed)
		}
		took = append(took, heard)
		cs[i] = start()
		cs[i].Say("listen")
		cs[i].Expect("listens")
	}
	b.ReportMetric(attached, "s-to-attach")
	b.ReportMetric(lastWall, "ms-last-opens")
	b.ReportMetric(lastCPU, "cpu-ms-last-opens")
	b.ReportMetric(idle, "%-of-a-processor-idle")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2])/1e6, "ms-death-heard")
	b.ReportMetric(0, "ns/op") // of what else is in the loop: a process is started
}

// idleShare is how much of a processor all use together, over some seconds.
func idleShare(cs []*testproc.Child) float64 {
	time.Sleep(time.Second) // what the last one to come set going is over
	used, since := int64(0), time.Now()
	for _, c := range cs {
		used -= timeOf(c.PID())
	}
	time.Sleep(5 * time.Second)
	for _, c := range cs {
		used += timeOf(c.PID())
	}
	return float64(used) / float64(time.Since(since)) * 100
}
