package ring_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/stormtest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// talksIn opens what stormtest tells about.
func talksIn(r *shm.Region) *stormtest.Talks {
	k, err := stormtest.OpenTalks(r, 0, 0)
	testproc.Must(err)
	return k
}

// talking runs both, of the plain broadcast and of that with texts, until the storm ends;
// or the process hears that it is to close the region under its own calls, and open it anew.
func talking(name string, work func(k *stormtest.Talks, text int) error) {
	orders := testproc.Orders()
	for {
		r := attached(name)
		k := talksIn(r)
		var wg sync.WaitGroup
		for text := range 2 {
			wg.Go(func() {
				if err := work(k, text); !errors.Is(err, shm.ErrClosed) {
					testproc.Must(err)
				}
			})
		}
		if !stormtest.Ordered(r, &wg, orders, func() {}) {
			return
		}
		testproc.Say("closed")
	}
}

// A speaker publishes, until the end.
var speaker = testproc.Role("speaker", func(args []string) {
	me, err := strconv.Atoi(args[1])
	testproc.Must(err)
	of := [2]*stormtest.Speaker{{Me: 2 * me}, {Me: 2*me + 1, Text: true}}
	talking(args[0], func(k *stormtest.Talks, text int) error { return of[text].Work(k) })
})

// A guest subscribes, sees some, and leaves, until it is killed, or the end.
var guest = testproc.Role("guest", func(args []string) {
	talking(args[0], func(k *stormtest.Talks, text int) error { return k.Visit(text == 1) })
})

// An audience is two subscribers of each that see all. It says what each has received and
// missed.
var audience = testproc.Role("audience", func(args []string) {
	k := talksIn(attached(args[0]))
	var wg sync.WaitGroup
	heard := make(chan string, 4)
	for i := range cap(heard) {
		name := []string{stormtest.PlainTalk, stormtest.TextTalk}[i%2]
		seesAll, err := k.Attend(i%2 == 1)
		testproc.Must(err)
		wg.Go(func() {
			received, missed, err := seesAll()
			testproc.Must(err)
			heard <- fmt.Sprintf("%s %d %d", name, received, missed)
		})
	}
	testproc.Say("ready")
	wg.Wait()
	for range cap(heard) {
		testproc.Say(<-heard)
	}
})

// A storm of kills, stops and Closes, which eight subscribers of each live through.
func TestBroadcastStorm(t *testing.T) {
	for name, mode := range map[string]ring.BroadcastMode{"reliable": ring.Reliable, "lossy": ring.Lossy} {
		t.Run(name, func(t *testing.T) { stormOfBroadcast(t, mode) })
	}
}

func stormOfBroadcast(t *testing.T, mode ring.BroadcastMode) {
	length, r := effort.Storm(t, 5*time.Second), region(t)
	k := testproc.Get(stormtest.OpenTalks(r, mode, mode))(t)
	there := make([]*testproc.Child, 4)
	for i := range there {
		there[i] = audience.Start(t, r.Name())
		there[i].Expect("ready")
	}
	next := 0
	speak := func() *testproc.Child {
		next++
		return speaker.Start(t, r.Name(), strconv.Itoa(next-1))
	}
	visits := func() *testproc.Child { return guest.Start(t, r.Name()) }
	talkers, guests := []*testproc.Child{speak(), speak()}, []*testproc.Child{visits(), visits()}
	k.Begun(t, 2*next)
	kills, stops, closes := 0, 0, 0
	for end := time.Now().Add(length); time.Now().Before(end) && 2*next < stormtest.Speakers-4; {
		time.Sleep(rand.N(10 * time.Millisecond))
		of, start := talkers, speak
		if rand.IntN(2) == 0 {
			of, start = guests, visits
		}
		i := rand.IntN(2)
		switch rand.IntN(6) {
		case 0, 1:
			of[i].Kill()
			of[i] = start()
			kills++
		case 2:
			of[i].Say("close")
			of[i].Expect("closed")
			closes++
		case 3:
			stormtest.Halt(of[i])
			stops++
		case 4:
			stormtest.Halt(there[rand.IntN(len(there))])
			stops++
		}
	}
	k.Stop()
	stormtest.Survive(t, r, talkers)
	k.Shutdown(t)
	stormtest.Survive(t, r, guests)
	came := k.Came(t, r, 2*next, func(p int) bool { return p%2 == 1 })
	for _, c := range there {
		for range 4 {
			var name string
			var received, missed uint64
			line := c.Line()
			if testproc.Get(fmt.Sscan(line, &name, &received, &missed))(t) != 3 || received+missed != came[name] || mode == ring.Reliable && missed != 0 {
				t.Errorf("a subscriber has %s, and %d came", line, came[name])
			}
		}
	}
	stormtest.Survive(t, r, there)
	stormtest.Recovered(t, r)
	t.Logf("%d kills, %d stops, %d closes, messages: %v", kills, stops, closes, came)
}
