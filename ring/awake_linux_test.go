package ring_test

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// tripEnds are one process's of what two make round trips by.
type tripEnds struct {
	put, get func(b []byte) error
}

// tripping are the kinds of it. The child's are those that listen.
var tripping = map[string]func(r *shm.Region, child bool) tripEnds{
	"stream": func(r *shm.Region, child bool) tripEnds {
		dial := func() (io.ReadWriter, error) { return ring.Dial(bg, r, "trips") }
		if child {
			l, err := ring.Listen(r, "trips", nil)
			testproc.Must(err)
			testproc.Say("ready")
			dial = func() (io.ReadWriter, error) { return l.Accept() }
		}
		c, err := dial()
		testproc.Must(err)
		return tripEnds{
			func(b []byte) error { _, err := c.Write(b); return err },
			func(b []byte) error { _, err := io.ReadFull(c, b); return err },
		}
	},
	"pipe": func(r *shm.Region, child bool) tripEnds {
		end := ring.Left
		if child {
			end = ring.Right
		}
		c, err := ring.OpenPipe[[]byte](r, "pipe", end, nil)
		testproc.Must(err)
		into := make([]byte, 1)
		return tripEnds{
			func(b []byte) error { return c.Send(bg, b) },
			func(b []byte) error { err := c.RecvInto(bg, &into); copy(b, into); return err },
		}
	},
	"queues":           queuesOf(ring.Adaptive),
	"queues that spin": queuesOf(ring.Spin),
}

func queuesOf(mode ring.Wait) func(r *shm.Region, child bool) tripEnds {
	return func(r *shm.Region, child bool) tripEnds {
		var qs [2]*ring.Queue[byte]
		for i := range qs {
			var err error
			qs[i], err = ring.OpenQueue[byte](r, fmt.Sprint("queue", i), &ring.QueueOptions{Wait: mode})
			testproc.Must(err)
		}
		if child {
			qs[0], qs[1] = qs[1], qs[0]
		}
		return tripEnds{
			func(b []byte) error { return qs[0].Put(bg, b[0]) },
			func(b []byte) (err error) { b[0], err = qs[1].Get(bg); return err },
		}
	}
}

// A tripper makes round trips, or answers. Its process is bound to a processor, if that is 0
// or more.
var tripper = testproc.Role("tripper", func(args []string) {
	kind, trips, cpu := args[1], number(args[2]), number(args[3])
	bound(cpu)
	e := tripping[kind](attached(args[0]), trips == 0)
	if kind != "stream" || trips > 0 {
		testproc.Say("ready")
	}
	b := make([]byte, 1)
	for trips == 0 {
		if e.get(b) != nil { // the other has ended
			return
		}
		b[0]++
		testproc.Must(e.put(b))
	}
	for {
		if _, ok := testproc.Hear(); !ok {
			return
		}
		for i := range trips {
			b[0] = byte(i)
			testproc.Must(e.put(b))
			testproc.Must(e.get(b))
			if b[0] != byte(i+1) {
				testproc.Must(fmt.Errorf("%d was answered by %d", byte(i), b[0]))
			}
		}
		testproc.Say("done")
	}
})

func number(s string) int {
	n, err := strconv.Atoi(s)
	testproc.Must(err)
	return n
}

// bound binds the threads that there are, and so those that they start.
func bound(cpu int) {
	for range 3 {
		threads, err := filepath.Glob("/proc/self/task/*")
		testproc.Must(err)
		for _, name := range threads {
			if cpu >= 0 {
				var set unix.CPUSet
				set.Set(cpu)
				testproc.Must(unix.SchedSetaffinity(number(filepath.Base(name)), &set))
			}
		}
	}
}

// A round trip takes no sleep, and so no wake-up, while both processes have a processor:
// of many hardly one does. (A fifth is what it is held to: two that sleep in each have
// two for each, or more.) What the threads of Go's runtime sleep is in the count.
func TestTripsStayAwake(t *testing.T) {
	trips := 500
	if effort.Bars() {
		trips = 200_000
	}
	var all unix.CPUSet
	testproc.OK(t, unix.SchedGetaffinity(0, &all))
	for kind := range tripping {
		for name, cpus := range map[string][2]int{"": {-1, -1}, ", each bound": {0, 1}} {
			t.Run(kind+name, func(t *testing.T) {
				testproc.Watchdog(t)
				if all.Count() < 2 {
					t.Skip("there is one processor: to sleep is the rule")
				}
				for _, cpu := range cpus {
					if cpu >= 0 && !all.IsSet(cpu) {
						t.Skip("there is no processor ", cpu)
					}
				}
				r := region(t)
				answers := tripper.Start(t, r.Name(), kind, "0", strconv.Itoa(cpus[0]))
				answers.Expect("ready")
				asks := tripper.Start(t, r.Name(), kind, strconv.Itoa(trips), strconv.Itoa(cpus[1]))
				asks.Expect("ready")
				for try := 1; ; try++ {
					before := testproc.AllSleep(asks.PID()) + testproc.AllSleep(answers.PID())
					asks.Say("go")
					asks.Expect("done")
					slept := testproc.AllSleep(asks.PID()) + testproc.AllSleep(answers.PID()) - before
					t.Logf("%d round trips, %d sleeps", trips, slept)
					if !effort.Bars() || slept <= trips/5 {
						return
					}
					if try == 3 { // the machine may be busy, but not for ever
						t.Fatalf("%d sleeps in %d round trips", slept, trips)
					}
				}
			})
		}
	}
}
