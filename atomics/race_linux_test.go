//go:build race

package atomics_test

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

// unseen waits for ok without the race detector's noticing.
func unseen(ok func() bool) {
	for {
		mem.RaceDisable()
		done := ok()
		mem.RaceEnable()
		if done {
			return
		}
		runtime.Gosched()
	}
}

func seen(ok func() bool) {
	for !ok() {
		runtime.Gosched()
	}
}

// What is ordered by the library and what is not: first writes x and does
// something, second waits for that and then reads x.
type racePair struct {
	name          string
	first, second func(x *int, h raceHandles)
	race          bool
}

type raceHandles struct {
	v *atomics.Value[int32]
	a *atomics.Array[padded]
	b *atomics.Array[uint8]
}

func (h raceHandles) locked(f func()) {
	testproc.Must(h.v.Lock(context.Background()))
	f()
	testproc.Must(h.v.Unlock())
}

var sink int

var racePairs = []racePair{
	{
		name:   "Store, Load",
		first:  func(x *int, h raceHandles) { *x = 1; h.v.Store(1) },
		second: func(x *int, h raceHandles) { seen(func() bool { return h.v.Load() == 1 }); sink = *x },
	}, {
		name:   "Store, unseen Load",
		first:  func(x *int, h raceHandles) { *x = 1; h.v.Store(1) },
		second: func(x *int, h raceHandles) { unseen(func() bool { return h.v.Load() == 1 }); sink = *x },
		race:   true,
	}, {
		name:   "Load, Load",
		first:  func(x *int, h raceHandles) { *x = 1; h.v.Load(); unseen(func() bool { h.b.Store(0, 1); return true }) },
		second: func(x *int, h raceHandles) { unseen(func() bool { return h.b.Load(0) == 1 }); h.v.Load(); sink = *x },
		race:   true,
	}, {
		name:   "Add, Swap",
		first:  func(x *int, h raceHandles) { *x = 1; atomics.Add(h.v, 1) },
		second: func(x *int, h raceHandles) { seen(func() bool { return h.v.Swap(0) == 1 }); sink = *x },
	}, {
		name:  "AddAt, Update",
		first: func(x *int, h raceHandles) { *x = 1; atomics.AddAt(h.b, 3, 1) },
		second: func(x *int, h raceHandles) {
			seen(func() bool { return h.b.Update(3, func(x uint8) uint8 { return x * 2 }) > 0 })
			sink = *x
		},
	}, {
		name:  "CompareAndSwap, CompareAndSwap",
		first: func(x *int, h raceHandles) { *x = 1; h.a.CompareAndSwap(1, padded{}, padded{1, 2}) },
		second: func(x *int, h raceHandles) {
			seen(func() bool { return h.a.CompareAndSwap(1, padded{1, 2}, padded{}) })
			sink = *x
		},
	}, {
		name:  "Update, CopyTo",
		first: func(x *int, h raceHandles) { *x = 1; h.b.Update(2, func(uint8) uint8 { return 1 }) },
		second: func(x *int, h raceHandles) {
			buf := make([]uint8, 3)
			seen(func() bool { h.b.CopyTo(buf); return buf[2] == 1 })
			sink = *x
		},
	}, {
		name:   "one cell, another cell",
		first:  func(x *int, h raceHandles) { *x = 1; h.b.Store(0, 1) },
		second: func(x *int, h raceHandles) { unseen(func() bool { return h.b.Load(0) == 1 }); h.b.Load(1); sink = *x },
		race:   true,
	}, {
		name:   "one object, another object",
		first:  func(x *int, h raceHandles) { *x = 1; h.b.Store(0, 1) },
		second: func(x *int, h raceHandles) { unseen(func() bool { return h.b.Load(0) == 1 }); h.v.Load(); sink = *x },
		race:   true,
	}, {
		name: "under the lock",
		first: func(x *int, h raceHandles) {
			h.locked(func() { *x = 1 })
			unseen(func() bool { h.b.Store(0, 1); return true })
		},
		second: func(x *int, h raceHandles) {
			unseen(func() bool { return h.b.Load(0) == 1 })
			h.locked(func() { sink = *x })
		},
	}, {
		name: "waiting for the lock",
		first: func(x *int, h raceHandles) {
			h.locked(func() {
				unseen(func() bool { h.b.Store(0, 1); return h.b.Load(1) == 1 })
				*x = 1
			})
		},
		second: func(x *int, h raceHandles) {
			unseen(func() bool { return h.b.Load(0) == 1 })
			unseen(func() bool { h.b.Store(1, 1); return true })
			h.locked(func() { sink = *x })
		},
	}, {
		name: "after the lock",
		first: func(x *int, h raceHandles) {
			h.locked(func() {})
			*x = 1
			unseen(func() bool { h.b.Store(0, 1); return true })
		},
		second: func(x *int, h raceHandles) {
			unseen(func() bool { return h.b.Load(0) == 1 })
			h.locked(func() { sink = *x })
		},
		race: true,
	}, {
		name: "TryLock, Recover",
		first: func(x *int, h raceHandles) {
			seen(func() bool { ok, _ := h.a.TryLock(); return ok })
			*x = 1
			h.v.Store(1)
			testproc.Must(h.a.Unlock())
		},
		second: func(x *int, h raceHandles) {
			unseen(func() bool { return h.v.Load() == 1 })
			_, err := h.a.Recover(context.Background())
			testproc.Must(err)
			sink = *x
		},
	},
}

var racer = testproc.Role("racer", func(args []string) {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	var h raceHandles
	h.v, err = atomics.OpenValue(r, "v", int32(0))
	testproc.Must(err)
	h.a, err = atomics.OpenArray[padded](r, "a", 3)
	testproc.Must(err)
	h.b, err = atomics.OpenArray[uint8](r, "b", 100)
	testproc.Must(err)
	for _, p := range racePairs {
		if p.name == args[0] {
			x := new(int)
			done := make(chan bool)
			go func() { p.first(x, h); done <- true }()
			go func() { p.second(x, h); done <- true }()
			<-done
			<-done
		}
	}
})

// Each in a process of its own: of two races at one place one is reported.
func TestRaceDetector(t *testing.T) {
	dir := t.TempDir() // not the subtests', whose names end a path in GORACE
	for _, p := range racePairs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			err := racer.Start(t, "GORACE=exitcode=66 atexit_sleep_ms=50 log_path="+filepath.Join(dir, "report"), "--", p.name).Wait()
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
