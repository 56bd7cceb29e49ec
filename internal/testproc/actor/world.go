package actor

import (
	"fmt"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// A World is a region, and those who use it.
type World struct {
	T      testing.TB
	Way    string // Goroutines, Children or Unrelated
	Region *shm.Region

	started []*Actor
}

// What actors can be.
const (
	Goroutines = "goroutines"
	Children   = "children"
	Unrelated  = "unrelated" // processes that open the region by its name

	finding = "finding" // unrelated, and they make nothing: see Start
)

// Ways runs body in each way, as a subtest, in a region of its own.
func Ways(t *testing.T, body func(t *testing.T, w *World)) {
	t.Helper()
	runWays(t, []string{Goroutines, Children, Unrelated}, body)
}

// Processes runs body in the ways in which actors are processes, and so can be
// killed and stopped.
func Processes(t *testing.T, body func(t *testing.T, w *World)) {
	t.Helper()
	runWays(t, []string{Children, Unrelated}, body)
}

func runWays(t *testing.T, ways []string, body func(t *testing.T, w *World)) {
	t.Helper()
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			body(t, &World{T: t, Way: way, Region: shmtest.Region(t)})
		})
	}
}

// Processes reports that the world's actors are processes.
func (w *World) Processes() bool { return w.Way != Goroutines }

// Actors starts n actors.
func (w *World) Actors(n int) []*Actor {
	w.T.Helper()
	var as []*Actor
	for range n {
		as = append(as, w.Actor())
	}
	return as
}

// Fatal fails the test, and shows the region as it is.
func (w *World) Fatal(format string, args ...any) {
	w.T.Helper()
	s, err := w.Region.Snapshot()
	if err != nil {
		w.T.Errorf("no snapshot: %v", err)
	}
	w.T.Fatalf("%s\n%v", fmt.Sprintf(format, args...), s)
}

// Until waits for something that must come to be.
func (w *World) Until(what string, ok func() bool) {
	w.T.Helper()
	for begin := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > testproc.Patience {
			w.Fatal("it does not come to be that %s", what)
		}
	}
}
