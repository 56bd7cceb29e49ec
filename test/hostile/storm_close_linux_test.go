package hostile_test

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	tsync "example.com/tandem/sync"
)

// A leaver is a worker of the storm that closes the region under its own calls
// whenever it hears so, tells how many locks it was inside of, and opens it anew.
var stormLeaver = testproc.Role("storm leaver", func(args []string) {
	orders := make(chan string)
	go func() {
		defer close(orders)
		for {
			line, ok := testproc.Hear()
			if !ok {
				return
			}
			orders <- line
		}
	}()
	for {
		r, err := shm.Open(args[0], nil)
		testproc.Must(err)
		s, err := openStorm(r)
		testproc.Must(err)
		end, err := tsync.OpenEvent(r, "end")
		testproc.Must(err)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				h, own := s.re.NewHolder(), s.own.Holder()
				for !end.IsSet() {
					err := s.one(h, own)
					if s.leaving.Load() && (err == nil || errors.Is(err, shm.ErrClosed)) {
						return
					}
					testproc.Must(err)
				}
			})
		}
		ended := make(chan bool)
		go func() { wg.Wait(); close(ended) }()
		select {
		case <-ended:
			testproc.Must(r.Close())
			return
		case _, ok := <-orders:
			if !ok { // there are no more orders, and the end is near
				<-ended
				testproc.Must(r.Close())
				return
			}
		}
		s.leaving.Store(true)
		testproc.Must(r.Close())
		<-ended
		testproc.Say(s.in.Load())
	}
})

// A storm of Closes and stops, with kills and without. Without, a lock is
// abandoned only if somebody was inside of it when the region was closed, as
// calls said: it is counted by those who find it so, in other processes.
func TestClosingStorm(t *testing.T) {
	for name, kill := range map[string]bool{"closes": false, "closes and kills": true} {
		t.Run(name, func(t *testing.T) {
			r := shmtest.Region(t)
			s := must[*storm](t)(openStorm(r))
			end := must[*tsync.Event](t)(tsync.OpenEvent(r, "end"))
			start := func() *testproc.Child { return stormLeaver.Start(t, r.Name()) }
			var cs [4]*testproc.Child
			for i := range cs {
				cs[i] = start()
			}
			kills, stops, closes, insides := 0, 0, 0, 0
			for over := time.Now().Add(effort.Storm(t, 4*time.Second)); time.Now().Before(over); {
				time.Sleep(rand.N(10 * time.Millisecond))
				c := cs[rand.IntN(len(cs))]
				switch n := rand.IntN(8); {
				case n == 0 && kill:
					i := rand.IntN(len(cs))
					cs[i].Kill()
					cs[i] = start()
					kills++
				case n < 2:
					c.Signal(syscall.SIGSTOP)
					time.Sleep(rand.N(10 * time.Millisecond))
					c.Signal(syscall.SIGCONT)
					stops++
				default:
					c.Say("close")
					line, ok := c.Next()
					if !ok {
						t.Fatal("a worker that closed the region has ended")
					}
					inside, err := strconv.Atoi(line)
					if err != nil {
						t.Fatal(err)
					}
					insides += inside
					closes++
				}
			}
			if err := end.Set(); err != nil {
				t.Fatal(err)
			}
			s.survive(t, r, cs[:])
			s.balance(t, r)
			suspects := int(s.suspects.Load())
			t.Logf("%d closes with %d locks held, %d kills, %d stops; a lock was found abandoned %d times", closes, insides, kills, stops, suspects)
			if !kill && suspects > insides {
				t.Errorf("a lock was found abandoned %d times; those who closed were inside %d", suspects, insides)
			}
		})
	}
}
