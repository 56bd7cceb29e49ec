package ring_test

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/stormtest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

// streamer puts on one line and gets on the other, as stormtest tells: region, its number,
// the line that it puts on. Whenever it hears so it closes the region under its own calls,
// and opens it anew.
var streamer = testproc.Role("streamer", func(args []string) {
	me, err := strconv.Atoi(args[1])
	testproc.Must(err)
	line, err := strconv.Atoi(args[2])
	testproc.Must(err)
	teller, hearer := &stormtest.Teller{Me: me}, &stormtest.Hearer{Me: me}
	orders := testproc.Orders()
	for {
		r := attached(args[0])
		s, err := stormtest.OpenStreams(r)
		testproc.Must(err)
		var wg sync.WaitGroup
		over := func(err error) {
			if err != nil && !errors.Is(err, shm.ErrClosed) {
				testproc.Must(err)
			}
		}
		wg.Go(func() { over(teller.Work(s, line)) })
		wg.Go(func() { over(hearer.Work(s, stormtest.Lines-1-line)) })
		if !stormtest.Ordered(r, &wg, orders, func() {}) {
			return
		}
		testproc.Say("closed")
	}
})

// A storm of kills and stops over SPSCs that are shut down all the while.
func TestSPSCKillStorm(t *testing.T) { spscStorm(t, 5*time.Second, true, false) }

// A storm of Closes and stops, with kills and without. Without, each message that was put
// is heard once.
func TestSPSCClosingStorm(t *testing.T) {
	for kind, kill := range map[string]bool{"closes": false, "kills": true} {
		t.Run(kind, func(t *testing.T) { spscStorm(t, 4*time.Second, kill, true) })
	}
}

func spscStorm(t *testing.T, long time.Duration, kill, leave bool) {
	length, r := effort.Storm(t, long), region(t)
	s := testproc.Get(stormtest.OpenStreams(r))(t)
	used := testproc.Get(r.Snapshot())(t).Memory.Used
	h := s.Hear(t)
	h.Tend(t, false)
	next := 0
	start := func(line int) *testproc.Child {
		next++
		return streamer.Start(t, r.Name(), strconv.Itoa(next-1), strconv.Itoa(line))
	}
	cs := make([]*testproc.Child, 2*stormtest.Lines)
	for i := range cs {
		cs[i] = start(i % stormtest.Lines)
	}
	h.Begun(t, next)
	kills, stops, closes := 0, 0, 0
	for end := time.Now().Add(length); time.Now().Before(end) && next < stormtest.Tellers-2; {
		time.Sleep(rand.N(10 * time.Millisecond))
		h.Tend(t, true)
		i := rand.IntN(len(cs))
		switch n := rand.IntN(8); {
		case n == 1:
			stormtest.Halt(cs[i])
			stops++
		case n == 0 && kill, !leave && n < 4:
			cs[i].Kill()
			cs[i] = start(i % stormtest.Lines)
			kills++
		case leave:
			cs[i].Say("close")
			cs[i].Expect("closed")
			closes++
		}
	}
	h.End(t)
	stormtest.Survive(t, r, cs)
	put, lost := h.Balance(t, next, kills)
	stormtest.MemoryBack(t, r, used)
	stormtest.Recovered(t, r)
	t.Logf("%d closes, %d kills, %d stops, %d messages put, %d lost in hands", closes, kills, stops, put, lost)
}
