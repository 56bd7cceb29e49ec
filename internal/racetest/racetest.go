// Package racetest asks the race detector what it sees of two goroutines that
// a library's calls do order, or do not. It is for tests only, built for the
// detector.
//
//	var pairs = []racetest.Pair[*world]{{
//		Name:   "under the lock",
//		First:  func(x *int, w *world) { w.lock(func() { *x = 1 }); w.over.Come() },
//		Second: func(x *int, w *world) { w.over.Wait(); w.lock(func() { racetest.Sink = *x }) },
//	}, …}
//
//	var racer = racetest.Role("racer", pairs, func() *world { … })
//
//	func TestRaceDetector(t *testing.T) { racetest.Run(t, racer, pairs) }
package racetest

import (
	"errors"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
)

// A Pair is two goroutines: First writes x and does something, and Second waits
// for that, or does something later, and then reads x.
type Pair[W any] struct {
	Name          string
	Prepare       func(w W) // runs before both; may be nil
	First, Second func(x *int, w W)
	Race          bool // nothing orders them: the detector must report it
}

// Sink is where a Second reads x to.
var Sink int

// Role is the named role of a child which runs one pair in a world of its own.
func Role[W any](name string, pairs []Pair[W], world func() W) testproc.RoleName {
	return testproc.Role(name, func(args []string) {
		w := world()
		for _, p := range pairs {
			if p.Name != args[0] {
				continue
			}
			if p.Prepare != nil {
				p.Prepare(w)
			}
			x := new(int)
			done := make(chan bool)
			go func() { p.First(x, w); done <- true }()
			go func() { p.Second(x, w); done <- true }()
			<-done
			<-done
		}
	})
}

// Run runs every pair, in a process of its own: of two races at one place one
// is reported.
func Run[W any](t *testing.T, racer testproc.RoleName, pairs []Pair[W]) {
	dir := t.TempDir() // not the subtests', whose names end a path in GORACE
	for _, p := range pairs {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			err := racer.Start(t, "GORACE=exitcode=66 atexit_sleep_ms=50 history_size=7 log_path="+filepath.Join(dir, "report"), "--", p.Name).Wait()
			var exit *exec.ExitError
			reported := errors.As(err, &exit) && exit.ExitCode() == 66
			switch {
			case err != nil && !reported:
				t.Error(err)
			case p.Race && !reported:
				t.Error("the race was not reported")
			case reported && !p.Race:
				t.Error("a race was reported")
			}
		})
	}
}

// Unseen waits for ok without the race detector's noticing.
func Unseen(ok func() bool) {
	for done := false; !done; runtime.Gosched() {
		mem.RaceDisable()
		done = ok()
		mem.RaceEnable()
	}
}

// A Moment orders two goroutines without the race detector's noticing.
type Moment struct{ come atomic.Bool }

// Come says that it is there.
func (m *Moment) Come() {
	mem.RaceDisable()
	m.come.Store(true)
	mem.RaceEnable()
}

// Wait returns once it is.
func (m *Moment) Wait() { Unseen(m.come.Load) }
