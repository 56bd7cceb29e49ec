package ring_test

import (
	"net"
	"os"
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
		there, here := onProcessor(s.PID()), onProcessor(os.Getpid())
		time.Sleep(span)
		there, here = (onProcessor(s.PID())-there)/2, (onProcessor(os.Getpid())-here)/2
		t.Logf("each second %v there, %v here", time.Duration(there), time.Duration(here))
		if effort.Bars() && max(there, here) > int64(20*time.Millisecond) {
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
