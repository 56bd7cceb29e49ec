//go:build race

package sync_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// A moment is an order of events that the race detector does not notice.
type moment struct{ come atomic.Bool }

func (m *moment) now() {
	mem.RaceDisable()
	m.come.Store(true)
	mem.RaceEnable()
}

func (m *moment) wait() {
	for come := false; !come; runtime.Gosched() {
		mem.RaceDisable()
		come = m.come.Load()
		mem.RaceEnable()
	}
}

type raceWorld struct {
	m, same, other *sync.Mutex
	a, b           moment
	x              int
}

func (w *raceWorld) with(m *sync.Mutex, f func()) {
	testproc.Must(m.Lock(background))
	f()
	testproc.Must(m.Unlock())
}

var sink int

// What is ordered by the library and what is not: first writes x, and second
// reads it, later in time.
var racePairs = []struct {
	name          string
	first, second func(w *raceWorld)
	race          bool
}{
	{
		name:   "under the lock",
		first:  func(w *raceWorld) { w.with(w.m, func() { w.x = 1 }); w.a.now() },
		second: func(w *raceWorld) { w.a.wait(); w.with(w.m, func() { sink = w.x }) },
	}, {
		name:   "by two handles",
		first:  func(w *raceWorld) { w.with(w.m, func() { w.x = 1 }); w.a.now() },
		second: func(w *raceWorld) { w.a.wait(); w.with(w.same, func() { sink = w.x }) },
	}, {
		name:   "under another lock",
		first:  func(w *raceWorld) { w.with(w.m, func() { w.x = 1 }); w.a.now() },
		second: func(w *raceWorld) { w.a.wait(); w.with(w.other, func() { sink = w.x }) },
		race:   true,
	}, {
		name:   "after Unlock",
		first:  func(w *raceWorld) { w.with(w.m, func() {}); w.x = 1; w.a.now() },
		second: func(w *raceWorld) { w.a.wait(); w.with(w.m, func() { sink = w.x }) },
		race:   true,
	}, {
		name:   "before Lock",
		first:  func(w *raceWorld) { w.with(w.m, func() { w.x = 1 }); w.a.now() },
		second: func(w *raceWorld) { w.a.wait(); sink = w.x; w.with(w.m, func() {}) },
		race:   true,
	}, {
		name: "waiting for the lock",
		first: func(w *raceWorld) {
			w.with(w.m, func() { w.a.now(); w.b.wait(); time.Sleep(20 * time.Millisecond); w.x = 1 })
		},
		second: func(w *raceWorld) { w.a.wait(); w.b.now(); w.with(w.m, func() { sink = w.x }) },
	}, {
		name: "TryLock, Recover",
		first: func(w *raceWorld) {
			_, err := w.m.TryLock()
			testproc.Must(err)
			w.x = 1
			testproc.Must(w.m.Unlock())
			w.a.now()
		},
		second: func(w *raceWorld) {
			w.a.wait()
			_, err := w.m.Recover(background)
			testproc.Must(err)
			sink = w.x
		},
	}, {
		name: "TryLock that fails",
		first: func(w *raceWorld) {
			testproc.Must(w.m.Lock(background))
			w.x = 1
			w.a.now()
		},
		second: func(w *raceWorld) { w.a.wait(); w.m.TryLock(); sink = w.x },
		race:   true,
	}, {
		name: "misuse",
		first: func(w *raceWorld) {
			w.with(w.m, func() { w.x = 1 })
			w.a.now()
		},
		second: func(w *raceWorld) { w.a.wait(); w.m.Unlock(); sink = w.x },
		race:   true,
	}, {
		name: "both asleep for locks of their own",
		first: func(w *raceWorld) {
			w.x = 1
			testproc.Must(w.m.Lock(background))
			w.a.now()
		},
		second: func(w *raceWorld) {
			w.a.wait()
			testproc.Must(w.other.Lock(background))
			sink = w.x
		},
		race: true,
	},
}

var racer = testproc.Role("racer", func(args []string) {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	w := new(raceWorld)
	for name, m := range map[string]**sync.Mutex{"m": &w.m, "other": &w.other} {
		*m, err = sync.OpenMutex(r, name)
		testproc.Must(err)
	}
	w.same, err = sync.OpenMutex(r, "m")
	testproc.Must(err)
	asleep := args[0] == "both asleep for locks of their own"
	if asleep {
		testproc.Must(w.m.Lock(background))
		testproc.Must(w.other.Lock(background))
	}
	for _, p := range racePairs {
		if p.name == args[0] {
			done := make(chan bool)
			go func() { p.first(w); done <- true }()
			go func() { p.second(w); done <- true }()
			if asleep {
				time.Sleep(20 * time.Millisecond)
				testproc.Must(w.m.Unlock())
				w.a.wait()
				time.Sleep(20 * time.Millisecond)
				testproc.Must(w.other.Unlock())
			}
			<-done
			<-done
		}
	}
})

// Each in a process of its own: of two races at one place one is reported.
func TestRaceDetector(t *testing.T) {
	dir := t.TempDir()
	for _, p := range racePairs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			env := "GORACE=exitcode=66 atexit_sleep_ms=50 log_path=" + filepath.Join(dir, "report")
			err := racer.Start(t, env, "--", p.name).Wait()
			var exit *exec.ExitError
			switch {
			case err == nil && p.race:
				t.Error("the race was not reported")
			case errors.As(err, &exit) && exit.ExitCode() == 66 && !p.race:
				t.Error("a race was reported")
			case err != nil && !(exit != nil && exit.ExitCode() == 66):
				t.Error(err)
			}
		})
	}
}
