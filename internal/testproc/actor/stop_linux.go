package actor

import (
	"strings"
	"syscall"
	"time"

	"example.com/tandem/internal/testproc"
)

// Stop stops the actor's process, and returns when each of its threads has
// stopped.
func (a *Actor) Stop() {
	a.World.T.Helper()
	a.process()
	a.signal(syscall.SIGSTOP)
	a.stopped = func() { a.signal(syscall.SIGCONT) }
	stopped := func() bool {
		states := testproc.Threads(a.PID)
		return states != "" && strings.Trim(states, "T") == ""
	}
	for begin := time.Now(); !stopped(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > testproc.Patience {
			a.World.Fatal("%s does not stop", a.name)
		}
	}
}

// Resume lets the actor's process go on after a Stop.
func (a *Actor) Resume() {
	a.World.T.Helper()
	a.process()
	a.signal(syscall.SIGCONT)
}
