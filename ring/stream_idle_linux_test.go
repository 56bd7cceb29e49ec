package ring_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

// A thousand idle connections, with a Read at each end, need a few threads, and each is
// there when it is spoken to.
func TestIdleStreamsShareThreads(t *testing.T) {
	if !sys.HaveWaitv() {
		t.Skip("without futex_waitv each sleeps on a thread of its own")
	}
	testproc.Watchdog(t)
	const many = 1000
	threads := 80 + len(testproc.Threads(os.Getpid())) // none ends
	r := region(t)
	s := server.Start(t, r.Name())
	s.Expect("ready")
	s.Say("serve")
	var all []net.Conn
	came := make(chan int)
	for i := range many {
		c := testproc.Get(ring.Dial(bg, r, "svc"))(t)
		defer c.Close()
		all = append(all, c)
		go func() {
			var b [1]byte
			for {
				if _, err := c.Read(b[:]); err != nil {
					return
				}
				came <- i
			}
		}()
	}
	few := func() bool {
		return asleep(t, r) >= 2*many && len(testproc.Threads(s.PID())) < threads && len(testproc.Threads(os.Getpid())) < threads
	}
	for end := time.Now().Add(testproc.Patience); !few(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d asleep of %d; %d threads there, %d here", asleep(t, r), 2*many, len(testproc.Threads(s.PID())), len(testproc.Threads(os.Getpid())))
		}
	}
	t.Logf("%d threads there, %d here", len(testproc.Threads(s.PID())), len(testproc.Threads(os.Getpid())))
	if effort.Long() || effort.Bars() {
		const span = 2 * time.Second
		time.Sleep(span) // each has slept for long by then
		there, here := ran(t, s.PID()), ran(t, os.Getpid())
		time.Sleep(span)
		there, here = (ran(t, s.PID())-there)/2, (ran(t, os.Getpid())-here)/2
		t.Logf("each second %v there, %v here", there, here)
		if effort.Bars() && max(there, here) > 20*time.Millisecond {
			t.Error("idle connections take a processor's time")
		}
	}
	for i := range all {
		testproc.Get(all[i].Write([]byte{1}))(t)
		if k := <-came; k != i {
			t.Fatalf("%d is up, and not %d", k, i)
		}
	}
}

// ran is for how long the threads of a process have had a processor.
func ran(t *testing.T, pid int) (sum time.Duration) {
	all := testproc.Get(filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid)))(t)
	for _, name := range all {
		b, err := os.ReadFile(name)
		var ns time.Duration
		if _, e := fmt.Sscan(string(b), &ns); err == nil && e == nil {
			sum += ns
		}
	}
	return sum
}
