package ring_test

import (
	"net"
	"os"
	"testing"
	"time"

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
	const many, threads = 1000, 80
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
	asleep := func() (n int) {
		for _, p := range testproc.Get(r.Snapshot())(t).Participants {
			n += p.Asleep
		}
		return n
	}
	few := func() bool {
		return asleep() >= 2*many && len(testproc.Threads(s.PID())) < threads && len(testproc.Threads(os.Getpid())) < threads
	}
	for end := time.Now().Add(testproc.Patience); !few(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d asleep of %d; %d threads there, %d here", asleep(), 2*many, len(testproc.Threads(s.PID())), len(testproc.Threads(os.Getpid())))
		}
	}
	for i := range all {
		testproc.Get(all[i].Write([]byte{1}))(t)
		if k := <-came; k != i {
			t.Fatalf("%d is up, and not %d", k, i)
		}
	}
}
