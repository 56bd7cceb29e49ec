package closing

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

func TestMain(m *testing.M) {
	testproc.RunRole()
	os.Exit(m.Run())
}

// A report is what a leaver's calls returned, of one round.
type report struct {
	Took, Gave int     // calls that took something, or gave something, and returned nil
	Values     []int64 // messages that a Get returned, or that a Put was told are in
	Last       string  // the last call that returned nil
	Fault      string  // an error that no call may return
}

// note keeps messages of a call that returned err: none, if that is not nil. It returns err.
func (r *report) note(mu *sync.Mutex, err error, ns ...int64) error {
	if err == nil {
		mu.Lock()
		r.Values = append(r.Values, ns...)
		mu.Unlock()
	}
	return err
}

// A deed is what one goroutine of the leaver does over and over: it opens what
// it needs, and the function that it returns does it once more. What comes of
// it goes into the report, under its lock. An error ends the goroutine. The first
// time does not wait for another goroutine's second.
type deed func(r *shm.Region, rep *report, mu *sync.Mutex) (func(context.Context) error, error)

// deeds are what leavers can do, by name.
var deeds = map[string]deed{}

// leaver is the process that closes the region, once for each line that it hears.
var leaver = testproc.Role("leaver", func(args []string) {
	do := deeds[args[1]]
	for {
		if _, ok := testproc.Hear(); !ok {
			return
		}
		r, err := shm.Open(args[0], nil)
		testproc.Must(err)
		line, err := json.Marshal(leave(r, do))
		testproc.Must(err)
		testproc.Say(string(line))
	}
})

// hands is how many goroutines of a leaver do it at a time.
const hands = 3

func leave(r *shm.Region, do deed) (rep report) {
	var mu sync.Mutex
	var wg, begun sync.WaitGroup
	begun.Add(hands)
	var all [hands]func(context.Context) error
	for i := range all { // all, before one begins: it might fill what the next one comes to
		f, err := do(r, &rep, &mu)
		testproc.Must(err)
		all[i] = f
	}
	for _, f := range all {
		wg.Go(func() {
			for n := 0; ; n++ {
				err := f(context.Background())
				if n == 0 { // Close comes upon hands that are all at it
					begun.Done()
					begun.Wait()
				}
				if err == nil {
					continue
				}
				if !errors.Is(err, shm.ErrClosed) {
					mu.Lock()
					rep.Fault = err.Error()
					mu.Unlock()
				}
				return
			}
		})
	}
	begun.Wait()
	for range rand.IntN(5) { // a while, and never the same
		runtime.Gosched()
	}
	if err := r.Close(); err != nil {
		rep.Fault = err.Error()
	}
	wg.Wait()
	return rep
}

// rounds is how often a leaver closes the region in each test.
func rounds() int { return effort.Or(75, 12) }

// leaving runs the rounds of one deed. before prepares a round, and may be nil;
// after judges it.
func leaving(t *testing.T, r *shm.Region, name string, before func(), after func(t *testing.T, rep report)) {
	t.Helper()
	c := leaver.Start(t, r.Name(), name)
	for range rounds() {
		if before != nil {
			before()
		}
		c.Say("leave")
		var rep report
		if err := json.Unmarshal([]byte(c.Line()), &rep); err != nil {
			t.Fatal(err)
		}
		if rep.Fault != "" {
			t.Fatalf("a call of the leaver's returned %s", rep.Fault)
		}
		if after(t, rep); t.Failed() {
			return
		}
	}
}
