package ring_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/stormtest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// mailing runs several that stormtest tells about until the storm ends; or the process hears
// that it is to close the region under their calls, and opens it anew.
func mailing(name string, works ...func(*stormtest.Letters) error) {
	orders := testproc.Orders()
	for {
		r := attached(name)
		l, err := stormtest.OpenLetters(r)
		testproc.Must(err)
		var wg sync.WaitGroup
		for _, work := range works {
			wg.Go(func() {
				if err := work(l); !errors.Is(err, shm.ErrClosed) {
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

const pipeStormEach = 2 // goroutines

// A letter writer sends until it is told to stop.
var letterWriter = testproc.Role("letter writer", func(args []string) {
	me, err := strconv.Atoi(args[1])
	testproc.Must(err)
	mailing(args[0], (&stormtest.Writer{Me: pipeStormEach * me}).Work, (&stormtest.Writer{Me: pipeStormEach*me + 1}).Work)
})

// A letter reader receives until the end.
var letterReader = testproc.Role("letter reader", func(args []string) {
	me, err := strconv.Atoi(args[1])
	testproc.Must(err)
	mailing(args[0], (&stormtest.Reader{Me: pipeStormEach * me}).Work, (&stormtest.Reader{Me: pipeStormEach*me + 1}).Work)
})

// A storm of kills, stops and Closes over one pipe; and one without kills, in which each
// letter that was sent is read once.
func TestPipeStorm(t *testing.T) {
	for kind, kill := range map[string]bool{"closes": false, "kills": true} {
		t.Run(kind, func(t *testing.T) { pipeStorm(t, kill) })
	}
}

func pipeStorm(t *testing.T, kill bool) {
	length, r := effort.Storm(t, 3*time.Second), region(t)
	l := testproc.Get(stormtest.OpenLetters(r))(t)
	mail := l.Mail(t)
	numbers := [2]int{}
	roles := [2]testproc.RoleName{letterWriter, letterReader}
	start := func(role int) *testproc.Child {
		numbers[role]++
		return roles[role].Start(t, r.Name(), strconv.Itoa(numbers[role]-1))
	}
	cs := [2][]*testproc.Child{{start(0), start(0)}, {start(1), start(1)}}
	mail.Begun(t, pipeStormEach*numbers[0])
	kills, stops, closes := [2]int{}, 0, 0
	for end := time.Now().Add(length); time.Now().Before(end) && pipeStormEach*numbers[0] < stormtest.Writers-2*pipeStormEach; {
		time.Sleep(rand.N(10 * time.Millisecond))
		role, i := rand.IntN(2), rand.IntN(2)
		switch c := cs[role][i]; rand.IntN(3) {
		case 0:
			if !kill {
				continue
			}
			c.Kill()
			cs[role][i] = start(role)
			kills[role]++
		case 1:
			stormtest.Halt(c)
			stops++
		default:
			c.Say("close")
			c.Expect("closed")
			closes++
		}
	}
	mail.End(t)
	stormtest.Survive(t, r, cs[0])
	stormtest.Survive(t, r, cs[1])
	sent, lost := mail.Balance(t, pipeStormEach*numbers[0], pipeStormEach*kills[1])
	stormtest.Recovered(t, r)
	t.Logf("%d kills, %d stops, %d closes, %d letters, %d gone with their readers", kills[0]+kills[1], stops, closes, sent, lost)
}

const penPals = "pen-pals" // their pipe

// A pen pal opens an end, sends and receives for a while, and leaves; again and again, by
// whatever pipe has the name.
var penPal = testproc.Role("pen pal", func(args []string) {
	r := attached(args[0])
	over := testproc.Orders()
	for {
		select {
		case <-over:
			return
		default:
		}
		end := ring.Left + ring.End(rand.IntN(2))
		c, err := ring.OpenPipe[[]byte](r, penPals, end, &ring.PipeOptions{Buffer: 256})
		if errors.Is(err, syscall.EPIPE) {
			continue
		}
		testproc.Must(err)
		ctx, cancel := context.WithTimeout(bg, rand.N(5*time.Millisecond))
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				err := c.Send(ctx, stormtest.NewLetter(nil, 1, rand.Int64N(3)))
				if errors.Is(err, syscall.EPIPE) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, shm.ErrClosed) {
					return
				}
				testproc.Must(err)
			}
		})
		wg.Go(func() {
			for {
				b, err := c.Recv(ctx)
				if errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, shm.ErrClosed) {
					return
				}
				testproc.Must(err)
				_, _, err = stormtest.ReadLetter(b)
				testproc.Must(err)
			}
		})
		if rand.IntN(2) == 0 {
			wg.Wait()
		}
		testproc.Must(c.Close())
		wg.Wait()
		cancel()
	}
})

// Pipes that begin and end all the time, under kills: whoever lives goes on, and the memory
// comes back.
func TestPipeEndsStorm(t *testing.T) {
	length, r := effort.Storm(t, 2*time.Second), region(t)
	used := testproc.Get(r.Snapshot())(t).Memory.Used
	var pals []*testproc.Child
	start := func() *testproc.Child { return penPal.Start(t, r.Name()) }
	for range 4 {
		pals = append(pals, start())
	}
	kills, stops := 0, 0
	for end := time.Now().Add(length); time.Now().Before(end); {
		time.Sleep(rand.N(20 * time.Millisecond))
		switch i := rand.IntN(len(pals)); rand.IntN(3) {
		case 0:
			pals[i].Kill()
			pals[i] = start()
			kills++
		case 1:
			stormtest.Halt(pals[i])
			stops++
		}
	}
	for _, c := range pals {
		c.Say("over")
	}
	stormtest.Survive(t, r, pals)
	stormtest.Recovered(t, r)
	if err := r.Remove(penPals); err != nil && !errors.Is(err, fs.ErrNotExist) { // one may have died between the one and the next
		t.Error(err)
	}
	stormtest.MemoryBack(t, r, used)
	t.Logf("%d kills, %d stops", kills, stops)
}
