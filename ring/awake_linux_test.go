package ring_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

var answerer = testproc.Role("answerer", func(args []string) {
	e := tripping[args[1]](attached(args[0]), true)
	if args[1] != "stream" {
		testproc.Say("ready")
	}
	for b := make([]byte, 1); ; {
		testproc.Must(e.get(b))
		b[0]++
		testproc.Must(e.put(b))
	}
})

// A round trip takes no sleep, and so no wake-up, while both processes have a processor:
// of many hardly one does. What the threads of Go's runtime sleep is in the count.
func TestTripsStayAwake(t *testing.T) {
	trips := 1000
	if effort.Bars() {
		trips = 200_000
	}
	for name, open := range tripping {
		t.Run(name, func(t *testing.T) {
			testproc.Watchdog(t)
			r := region(t)
			c := answerer.Start(t, r.Name(), name)
			c.Expect("ready")
			e := open(r, false)
			b := make([]byte, 1)
			for try := 1; ; try++ {
				before := sleeps(t, c.PID()) + sleeps(t, os.Getpid())
				for i := range trips {
					b[0] = byte(i)
					testproc.OK(t, e.put(b))
					testproc.OK(t, e.get(b))
					if b[0] != byte(i+1) {
						t.Fatalf("%d was answered by %d", byte(i), b[0])
					}
				}
				slept := sleeps(t, c.PID()) + sleeps(t, os.Getpid()) - before
				t.Logf("%d round trips, %d sleeps", trips, slept)
				if !effort.Bars() || slept <= trips/100 {
					return
				}
				if try == 3 { // the machine may be busy, but not for ever
					t.Fatalf("%d sleeps in %d round trips", slept, trips)
				}
			}
		})
	}
}

// sleeps is how often the threads of a process have gone to sleep.
func sleeps(t *testing.T, pid int) (sum int) {
	t.Helper()
	for _, name := range testproc.Get(filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid)))(t) {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		var n int
		_, s, _ := strings.Cut(string(b), "\nvoluntary_ctxt_switches:")
		if _, err := fmt.Sscan(s, &n); err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
