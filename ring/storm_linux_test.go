package ring_test

import (
	"errors"
	"io"
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

// A worker of the storm, which stormtest tells about: region, its first
// producer's number, "puts" or "takes", "kills" if there are some. Whenever it
// hears so it closes the region under its own calls, and opens it anew.
var stormWorker = testproc.Role("storm worker", func(args []string) {
	me, err := strconv.Atoi(args[1])
	testproc.Must(err)
	var putters []*stormtest.Putter
	var takers []*stormtest.Taker
	if args[2] == "puts" {
		putters = []*stormtest.Putter{{Me: me}, {Me: me + 1}}
	} else {
		takers = []*stormtest.Taker{{Kills: args[3] == "kills"}, {Kills: args[3] == "kills", Words: true}}
	}
	orders := testproc.Orders()
	for {
		r := attached(args[0])
		q, err := stormtest.Open(r)
		testproc.Must(err)
		var wg sync.WaitGroup
		over := func(err error) {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, shm.ErrClosed) {
				testproc.Must(err)
			}
		}
		for _, p := range putters {
			wg.Go(func() { over(p.Work(q)) })
		}
		for _, c := range takers {
			wg.Go(func() { over(c.Work(q)) })
		}
		if !stormtest.Ordered(r, &wg, orders, func() {}) {
			return
		}
		for _, c := range takers {
			c.Reopened()
		}
		testproc.Say("closed")
	}
})

// A storm of kills and stops.
func TestKillStorm(t *testing.T) { queueStorm(t, 5*time.Second, true, false) }

// A storm of Closes and stops, with kills and without. Without, every task is
// done exactly once: what returned ErrClosed had no effect, and what returned
// nil had one.
func TestClosingStorm(t *testing.T) {
	for kind, kill := range map[string]bool{"closes": false, "kills": true} {
		t.Run(kind, func(t *testing.T) { queueStorm(t, 4*time.Second, kill, true) })
	}
}

func queueStorm(t *testing.T, long time.Duration, kill, leave bool) {
	length, r := effort.Storm(t, long), region(t)
	q, err := stormtest.Open(r)
	if err != nil {
		t.Fatal(err)
	}
	y := q.Count(t)
	const each = 2
	next, kind := 1, "closes"
	if kill {
		kind = "kills"
	}
	startProducer := func() *testproc.Child {
		next += 2
		return stormWorker.Start(t, r.Name(), strconv.Itoa(next-2), "puts", kind)
	}
	startConsumer := func() *testproc.Child { return stormWorker.Start(t, r.Name(), "0", "takes", kind) }
	ps, cs := make([]*testproc.Child, each), make([]*testproc.Child, each)
	for i := range each {
		ps[i], cs[i] = startProducer(), startConsumer()
	}
	q.Begun(t, next)
	kills, stops, closes := 0, 0, 0
	for end := time.Now().Add(length); time.Now().Before(end) && next < stormtest.Producers-2; {
		time.Sleep(rand.N(10 * time.Millisecond))
		of, start := ps, startProducer
		if rand.IntN(2) == 0 {
			of, start = cs, startConsumer
		}
		i := rand.IntN(each)
		switch n := rand.IntN(8); {
		case n == 1:
			stormtest.Halt(of[i])
			stops++
		case n == 0 && kill, !leave && n < 4:
			of[i].Kill()
			of[i] = start()
			kills++
		case leave:
			of[i].Say("close")
			of[i].Expect("closed")
			closes++
		}
	}
	q.Stop()
	stormtest.Survive(t, r, ps)
	q.Join(t)
	q.Shutdown(t)
	stormtest.Survive(t, r, cs)
	committed := q.Balance(t, y, next, !kill)
	stormtest.Recovered(t, r)
	t.Logf("%d closes, %d kills, %d stops, %d messages committed, %d delivered again", closes, kills, stops, committed, y.Again)
}
