//go:build race

package ring_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// flag orders the two goroutines of a pair without the detector's noticing.
var flag atomic.Int32

func raise() {
	mem.RaceDisable()
	flag.Store(1)
	mem.RaceEnable()
}

func raised() {
	for {
		mem.RaceDisable()
		up := flag.Load() == 1
		mem.RaceEnable()
		if up {
			return
		}
		runtime.Gosched()
	}
}

type raceHandles struct {
	ints, one *ring.Queue[int64] // of four slots, and of one that is full
	text      *ring.Queue[string]
	jobs      *ring.Queue[job]
}

var sink int

// first writes x and does something, second waits for that and then reads x.
// Two Puts of CBOR are not among them: the encoder has pools and caches of its
// own, which order those who use them.
var racePairs = []struct {
	name          string
	first, second func(x *int, h raceHandles)
	race          bool
}{
	{
		name:   "Put, Get",
		first:  func(x *int, h raceHandles) { *x = 1; testproc.Must(h.ints.Put(bg, 1)) },
		second: func(x *int, h raceHandles) { _, err := h.ints.Get(bg); testproc.Must(err); sink = *x },
	}, {
		name:   "Put, Get of long text",
		first:  func(x *int, h raceHandles) { *x = 1; testproc.Must(h.text.Put(bg, strings.Repeat("x", 5000))) },
		second: func(x *int, h raceHandles) { _, err := h.text.Get(bg); testproc.Must(err); sink = *x },
	}, {
		name:  "Put, Lease of CBOR",
		first: func(x *int, h raceHandles) { *x = 1; testproc.Must(h.jobs.Put(bg, job{URL: "x"})) },
		second: func(x *int, h raceHandles) {
			d, err := h.jobs.Lease(bg)
			testproc.Must(err)
			sink = *x
			testproc.Must(d.Ack())
		},
	}, {
		name:   "Get, Put into its slot",
		first:  func(x *int, h raceHandles) { *x = 1; _, err := h.one.Get(bg); testproc.Must(err) },
		second: func(x *int, h raceHandles) { testproc.Must(h.one.Put(bg, 2)); sink = *x },
	}, {
		name: "Ack, Put into its slot",
		first: func(x *int, h raceHandles) {
			d, err := h.one.Lease(bg)
			testproc.Must(err)
			*x = 1
			testproc.Must(d.Ack())
		},
		second: func(x *int, h raceHandles) { testproc.Must(h.one.Put(bg, 2)); sink = *x },
	}, {
		name: "Nack, Lease",
		first: func(x *int, h raceHandles) {
			d, err := h.one.Lease(bg)
			testproc.Must(err)
			raise()
			*x = 1
			testproc.Must(d.Nack())
		},
		second: func(x *int, h raceHandles) { raised(); _, err := h.one.Lease(bg); testproc.Must(err); sink = *x },
	}, {
		name:   "Put, Put",
		first:  func(x *int, h raceHandles) { *x = 1; testproc.Must(h.ints.Put(bg, 1)); raise() },
		second: func(x *int, h raceHandles) { raised(); testproc.Must(h.ints.Put(bg, 2)); sink = *x },
		race:   true,
	}, {
		name:  "Put, Put of long text",
		first: func(x *int, h raceHandles) { *x = 1; testproc.Must(h.text.Put(bg, strings.Repeat("x", 5000))); raise() },
		second: func(x *int, h raceHandles) {
			raised()
			testproc.Must(h.text.Put(bg, strings.Repeat("x", 5000)))
			sink = *x
		},
		race: true,
	}, {
		name:  "Ack, another's Lease",
		first: func(x *int, h raceHandles) { two(h, func() { *x = 1 }); raise() },
		second: func(x *int, h raceHandles) {
			raised()
			d, err := h.ints.Lease(bg)
			testproc.Must(err)
			testproc.Must(d.Ack())
			sink = *x
		},
		race: true,
	}, {
		name:   "a look at the length",
		first:  func(x *int, h raceHandles) { *x = 1; h.ints.Len(); raise() },
		second: func(x *int, h raceHandles) { raised(); h.ints.Len(); sink = *x },
		race:   true,
	},
}

// two puts two messages, leases the first, calls f and acknowledges.
func two(h raceHandles, f func()) {
	testproc.Must(h.ints.Put(bg, 1))
	testproc.Must(h.ints.Put(bg, 2))
	d, err := h.ints.Lease(bg)
	testproc.Must(err)
	f()
	testproc.Must(d.Ack())
}

var racer = testproc.Role("racer", func(args []string) {
	r, err := shm.Anonymous(nil)
	testproc.Must(err)
	var h raceHandles
	h.ints, err = ring.OpenQueue[int64](r, "ints", &ring.QueueOptions{Capacity: 4})
	testproc.Must(err)
	h.one, err = ring.OpenQueue[int64](r, "one", &ring.QueueOptions{Capacity: 1})
	testproc.Must(err)
	h.text, err = ring.OpenQueue[string](r, "text", nil)
	testproc.Must(err)
	h.jobs, err = ring.OpenQueue[job](r, "jobs", nil)
	testproc.Must(err)
	testproc.Must(h.one.TryPut(1))
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
