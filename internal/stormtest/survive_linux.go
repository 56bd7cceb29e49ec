package stormtest

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

// Survive waits for children that are left to end by themselves.
func Survive(t testing.TB, r *shm.Region, cs []*testproc.Child) {
	t.Helper()
	limit := time.After(testproc.Patience)
	for _, c := range cs {
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		select {
		case err := <-ended:
			if err != nil {
				t.Error("a child that was not killed:", err)
			}
		case <-limit:
			snapshot, _ := r.Snapshot()
			t.Fatalf("a survivor hangs:\n%v", snapshot)
		}
	}
}

// Halt stops a child for a while.
func Halt(c *testproc.Child) {
	c.Signal(syscall.SIGSTOP)
	time.Sleep(rand.N(10 * time.Millisecond))
	c.Signal(syscall.SIGCONT)
}
