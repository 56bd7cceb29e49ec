package contract_test

import (
	"fmt"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// A world is one run of a row: a region, and those who use it.
type world struct {
	t       *testing.T
	way     string // "goroutines", "children" or "unrelated"
	region  *shm.Region
	started []*actor
}

// ways runs a row's body in each way, in a region of its own.
func ways(t *testing.T, body func(t *testing.T, w *world)) {
	t.Helper()
	runWays(t, []string{"goroutines", "children", "unrelated"}, body)
}

// processes runs a row's body in the ways in which actors are processes, and
// so can be killed and stopped.
func processes(t *testing.T, body func(t *testing.T, w *world)) {
	t.Helper()
	runWays(t, []string{"children", "unrelated"}, body)
}

func runWays(t *testing.T, ways []string, body func(t *testing.T, w *world)) {
	t.Helper()
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			body(t, &world{t: t, way: way, region: shmtest.Region(t)})
		})
	}
}

// processes reports that the world's actors are processes.
func (w *world) processes() bool { return w.way != "goroutines" }

// actors starts n actors.
func (w *world) actors(n int) []*actor {
	w.t.Helper()
	var as []*actor
	for range n {
		as = append(as, w.actor())
	}
	return as
}

// fatal fails the row, and shows the region as it is.
func (w *world) fatal(format string, args ...any) {
	w.t.Helper()
	s, err := w.region.Snapshot()
	if err != nil {
		w.t.Errorf("no snapshot: %v", err)
	}
	w.t.Fatalf("%s\n%v", fmt.Sprintf(format, args...), s)
}

// until waits for something that must come to be.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for begin := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > testproc.Patience {
			w.fatal("it does not come to be that %s", what)
		}
	}
}
