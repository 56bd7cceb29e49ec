package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/stormtest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// listener subscribes, says so, and reads a message whenever it hears of it.
var listener = testproc.Role("listener", func(args []string) {
	b, err := ring.OpenBroadcast[int](attached(args[0]), "b", nil)
	testproc.Must(err)
	s, err := b.Subscribe()
	testproc.Must(err)
	testproc.Say("ready")
	for {
		if _, ok := testproc.Hear(); !ok {
			return
		}
		v, missed, err := s.Next(bg)
		testproc.Must(err)
		testproc.Say(v, missed)
	}
})

// Publish waits for the slowest subscriber, and hears of its death.
func TestBroadcastDeadSlowest(t *testing.T) {
	r, ctx := region(t), testproc.Watchdog(t)
	b := testproc.Get(ring.OpenBroadcast[int](r, "b", &ring.BroadcastOptions{Capacity: 2}))(t)
	s := testproc.Get(b.Subscribe())(t)
	c := listener.Start(t, r.Name())
	c.Expect("ready")
	for i := range 3 {
		testproc.OK(t, b.Publish(ctx, i))
		gets(t)(s.Next(ctx))
		if i == 0 {
			c.Say("one")
			c.Expect("0 0")
		}
	}
	if err := b.TryPublish(3); !errors.Is(err, ring.ErrFull) {
		t.Fatalf("it has read one of three, of two that are kept, and: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- b.Publish(ctx, 3) }()
	c.Signal(syscall.SIGSTOP)
	select {
	case err := <-done:
		t.Fatalf("nothing is taken from one that is stopped: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	killed := time.Now()
	c.Kill()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Logf("published %v after the kill", time.Since(killed))
	if v, _, err := s.Next(ctx); err != nil || v != 3 {
		t.Error(v, err)
	}
}

// A Lossy publisher does not wait for a subscriber that is stopped in the middle of
// anything, and that one knows exactly what it has missed.
func TestBroadcastStoppedSubscriber(t *testing.T) {
	r, ctx := region(t), testproc.Watchdog(t)
	b := testproc.Get(ring.OpenBroadcast[int](r, "b", &ring.BroadcastOptions{Mode: ring.Lossy, Capacity: 8}))(t)
	c := listener.Start(t, r.Name())
	c.Expect("ready")
	c.Signal(syscall.SIGSTOP)
	for i := range 803 {
		testproc.OK(t, b.Publish(ctx, i))
	}
	c.Signal(syscall.SIGCONT)
	c.Say("one")
	c.Expect("795 795")
	c.Say("one")
	c.Expect("796 0")
}

// A saying of the storm: whose, and which of its.
type utterance struct {
	By, N int64
	Check [3]int64
}

const (
	stormSpeakers  = 1000
	speakersCells  = "told"
	broadcastStorm = "storm"
)

// A speaker publishes until the broadcast ends: as how many it began, and how many
// Publishes returned, stands in the cells.
var speaker = testproc.Role("speaker", func(args []string) {
	r := attached(args[0])
	b, err := ring.OpenBroadcast[utterance](r, broadcastStorm, nil)
	testproc.Must(err)
	cells, err := atomics.OpenArray[int64](r, speakersCells, 0)
	testproc.Must(err)
	me, err := strconv.Atoi(args[1])
	testproc.Must(err)
	var wg sync.WaitGroup
	for k := range 2 {
		by := 2*me + k
		wg.Go(func() {
			for n := int64(1); ; n++ {
				cells.Store(2*by, n)
				err := b.Publish(bg, utterance{int64(by), n, [3]int64{n, int64(by), n}})
				if errors.Is(err, ring.ErrShutdown) {
					cells.Store(2*by, n-1)
					return
				}
				testproc.Must(err)
				cells.Store(2*by+1, n)
			}
		})
	}
	wg.Wait()
})

// An audience is two subscribers that see all, and says what each has received and missed.
var audience = testproc.Role("audience", func(args []string) {
	b, err := ring.OpenBroadcast[utterance](attached(args[0]), broadcastStorm, nil)
	testproc.Must(err)
	var wg sync.WaitGroup
	said := make([]string, 2)
	for k := range said {
		s, err := b.Subscribe()
		testproc.Must(err)
		wg.Go(func() { said[k] = attend(s) })
	}
	testproc.Say("ready")
	wg.Wait()
	for _, s := range said {
		testproc.Say(s)
	}
})

// attend sees all until the end, in the order of each speaker's.
func attend(s *ring.Subscriber[utterance]) string {
	last := map[int64]int64{}
	var received, lost uint64
	for {
		v, missed, err := s.Next(bg)
		lost += missed
		if errors.Is(err, io.EOF) {
			return fmt.Sprint(received, " ", lost)
		}
		testproc.Must(err)
		received++
		if v.Check != [3]int64{v.N, v.By, v.N} || v.N <= last[v.By] {
			testproc.Must(fmt.Errorf("after %d: %+v", last[v.By], v))
		}
		last[v.By] = v.N
	}
}

// A guest subscribes, sees some, and leaves or stays until it is killed.
var guest = testproc.Role("guest", func(args []string) {
	b, err := ring.OpenBroadcast[utterance](attached(args[0]), broadcastStorm, nil)
	testproc.Must(err)
	for {
		s, err := b.Subscribe()
		testproc.Must(err)
		for range rand.IntN(1000) {
			_, _, err := s.Next(bg)
			if errors.Is(err, io.EOF) {
				return
			}
			testproc.Must(err)
		}
		testproc.Must(s.Close())
	}
})

// A storm of kills and stops. What each of eight subscribers that live through it has
// received and missed is together what came into the ring; a Reliable broadcast's have
// missed nothing. What came is at least what Publishes returned, and at most what they began.
func TestBroadcastStorm(t *testing.T) {
	for name, mode := range map[string]ring.BroadcastMode{"reliable": ring.Reliable, "lossy": ring.Lossy} {
		t.Run(name, func(t *testing.T) { stormOfBroadcast(t, mode) })
	}
}

func stormOfBroadcast(t *testing.T, mode ring.BroadcastMode) {
	length, r := effort.Storm(t, 5*time.Second), region(t)
	b := testproc.Get(ring.OpenBroadcast[utterance](r, broadcastStorm, &ring.BroadcastOptions{Mode: mode, Capacity: 16}))(t)
	cells := testproc.Get(atomics.OpenArray[int64](r, speakersCells, 4*stormSpeakers))(t)
	var there, speakers, guests []*testproc.Child
	for range 4 {
		c := audience.Start(t, r.Name())
		c.Expect("ready")
		there = append(there, c)
	}
	next := 0
	speak := func() *testproc.Child {
		next++
		return speaker.Start(t, r.Name(), strconv.Itoa(next-1))
	}
	for range 2 {
		speakers, guests = append(speakers, speak()), append(guests, guest.Start(t, r.Name()))
	}
	kills, stops := 0, 0
	for end := time.Now().Add(length); time.Now().Before(end) && next < stormSpeakers-2; {
		time.Sleep(rand.N(10 * time.Millisecond))
		i := rand.IntN(2)
		switch rand.IntN(6) {
		case 0:
			speakers[i].Kill()
			speakers[i] = speak()
			kills++
		case 1:
			guests[i].Kill()
			guests[i] = guest.Start(t, r.Name())
			kills++
		case 2:
			stormtest.Halt(speakers[i])
			stops++
		case 3:
			stormtest.Halt(there[rand.IntN(4)])
			stops++
		}
	}
	testproc.OK(t, b.Shutdown())
	begun, returned := int64(0), int64(0)
	stormtest.Survive(t, r, speakers)
	stormtest.Survive(t, r, guests)
	for i := range 2 * stormSpeakers {
		begun, returned = begun+cells.Load(2*i), returned+cells.Load(2*i+1)
	}
	came := uint64(0)
	for _, o := range testproc.Get(r.Snapshot())(t).Objects {
		if o.Name == broadcastStorm {
			came = testproc.Get(strconv.ParseUint(o.Value, 10, 64))(t)
		}
	}
	if came < uint64(returned) || came > uint64(begun) {
		t.Errorf("%d came, %d Publishes returned and %d began", came, returned, begun)
	}
	for _, c := range there {
		for range 2 {
			var received, missed uint64
			if line := c.Line(); testproc.Get(fmt.Sscan(line, &received, &missed))(t) != 2 || received+missed != came || mode == ring.Reliable && missed != 0 {
				t.Errorf("a subscriber has %s, and %d came", line, came)
			}
		}
	}
	stormtest.Survive(t, r, there)
	stormtest.Recovered(t, r)
	t.Logf("%d kills, %d stops, %d messages", kills, stops, came)
}

// A handle on a broadcast is a child's argument, with its codec.
func TestBroadcastTravels(t *testing.T) {
	r := region(t)
	b := testproc.Get(ring.OpenBroadcast[string](r, "b", &ring.BroadcastOptions{Mode: ring.Lossy, Capacity: 4, Codec: picky{}}))(t)
	data := testproc.Get(b.MarshalBinary())(t)
	var there ring.Broadcast[string]
	testproc.OK(t, there.UnmarshalBinary(data))
	s := testproc.Get(there.Subscribe())(t)
	testproc.OK(t, b.TryPublish("here"))
	if v, _, err := s.Next(context.Background()); err != nil || v != "here" {
		t.Error(v, err)
	}
	testproc.OK(t, b.Close())
	if _, err := b.MarshalBinary(); !errors.Is(err, shm.ErrClosed) {
		t.Error(err)
	}
	if _, err := new(ring.Broadcast[string]).MarshalBinary(); err == nil {
		t.Error("what nobody opened travels")
	}
}
