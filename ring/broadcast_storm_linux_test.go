package ring_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/stormtest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// A talk is a broadcast of the storm: how a message says whose it is, and which of its.
type talk[T any] struct {
	name string
	o    ring.BroadcastOptions
	make func(by, n int64) T
	of   func(T) (by, n int64, whole bool)
}

type utterance struct {
	By, N int64
	Check [3]int64
}

var (
	plainTalk = talk[utterance]{"plain", ring.BroadcastOptions{Capacity: 16},
		func(by, n int64) utterance { return utterance{by, n, [3]int64{n, by, n}} },
		func(u utterance) (int64, int64, bool) { return u.By, u.N, u.Check == [3]int64{u.N, u.By, u.N} },
	}
	// Two of the longest are all the memory that there is.
	textTalk = talk[[]byte]{"text", ring.BroadcastOptions{Capacity: 16, Buffer: 2 * (longestTalk + 16), MaxMessage: longestTalk},
		func(by, n int64) []byte {
			k := rand.IntN(100)
			if n%4 == 0 {
				k = rand.IntN(longestTalk - 16)
			}
			return sayLong(by, n, k)
		},
		func(b []byte) (by, n int64, whole bool) {
			if len(b) < 16 || strings.Trim(string(b[16:]), "x") != "" {
				return 0, 0, false
			}
			return int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:])), true
		},
	}
)

const longestTalk = 1008

func sayLong(by, n int64, more int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(by))
	b = binary.LittleEndian.AppendUint64(b, uint64(n))
	return append(b, strings.Repeat("x", more)...)
}

func (k *talk[T]) open(r *shm.Region) *ring.Broadcast[T] {
	b, err := ring.OpenBroadcast[T](r, k.name, &ring.BroadcastOptions{Capacity: k.o.Capacity, Buffer: k.o.Buffer, MaxMessage: k.o.MaxMessage})
	testproc.Must(err)
	return b
}

const (
	speakers  = 1 << 14 // at most, in a storm: two numbers each
	talkCells = "told"  // of each number: messages begun, and told to be published; then a word that ends it
	stopTalk  = 4 * speakers
)

func talkCellsIn(r *shm.Region) *atomics.Array[int64] {
	cells, err := atomics.OpenArray[int64](r, talkCells, 4*speakers+1)
	testproc.Must(err)
	return cells
}

// speak publishes until the storm ends, or the region is closed. A Publish that returned
// ErrClosed has published nothing.
func (k *talk[T]) speak(b *ring.Broadcast[T], cells *atomics.Array[int64], by int, done *int64) {
	for cells.Load(stopTalk) == 0 {
		n := *done + 1
		cells.Store(2*by, n)
		err := b.Publish(bg, k.make(int64(by), n))
		if errors.Is(err, shm.ErrClosed) {
			return
		}
		testproc.Must(err)
		*done = n
		cells.Store(2*by+1, n)
	}
}

// A speaker publishes, until it hears that it is to close the region under its own calls
// and open it anew, or the storm ends.
var speaker = testproc.Role("speaker", func(args []string) {
	me, err := strconv.Atoi(args[1])
	testproc.Must(err)
	orders := testproc.Orders()
	var done [2]int64
	for {
		r := attached(args[0])
		plain, text, cells := plainTalk.open(r), textTalk.open(r), talkCellsIn(r)
		for i, n := range done { // the last one may have gone with the region
			cells.Store(2*(2*me+i), n)
			cells.Store(2*(2*me+i)+1, n)
		}
		var wg sync.WaitGroup
		wg.Go(func() { plainTalk.speak(plain, cells, 2*me, &done[0]) })
		wg.Go(func() { textTalk.speak(text, cells, 2*me+1, &done[1]) })
		if !stormtest.Ordered(r, &wg, orders, func() {}) {
			return
		}
		testproc.Say("closed")
	}
})

// An audience is two subscribers of each that see all. It says what each has received and
// missed.
var audience = testproc.Role("audience", func(args []string) {
	r := attached(args[0])
	var wg sync.WaitGroup
	heard := make(chan string, 4)
	for range 2 {
		attend(&wg, &plainTalk, r, heard)
		attend(&wg, &textTalk, r, heard)
	}
	testproc.Say("ready")
	wg.Wait()
	for range cap(heard) {
		testproc.Say(<-heard)
	}
})

// attend sees all until the end, in the order of each speaker's.
func attend[T any](wg *sync.WaitGroup, k *talk[T], r *shm.Region, heard chan<- string) {
	s, err := k.open(r).Subscribe()
	testproc.Must(err)
	wg.Go(func() {
		last := map[int64]int64{}
		var received, lost uint64
		for {
			v, missed, err := s.Next(bg)
			lost += missed
			if errors.Is(err, io.EOF) {
				heard <- fmt.Sprintf("%s %d %d", k.name, received, lost)
				return
			}
			testproc.Must(err)
			received++
			by, n, whole := k.of(v)
			if !whole || n <= last[by] {
				testproc.Must(fmt.Errorf("after %d of %d's: %v", last[by], by, v))
			}
			last[by] = n
		}
	})
}

// A guest subscribes, sees some, and leaves, until it is killed, or the storm ends, or it
// hears that it is to close the region.
var guest = testproc.Role("guest", func(args []string) {
	orders := testproc.Orders()
	for {
		r := attached(args[0])
		plain, text := plainTalk.open(r), textTalk.open(r)
		var wg sync.WaitGroup
		wg.Go(func() { visit(plain, plainTalk.of) })
		wg.Go(func() { visit(text, textTalk.of) })
		if !stormtest.Ordered(r, &wg, orders, func() {}) {
			return
		}
		testproc.Say("closed")
	}
})

func visit[T any](b *ring.Broadcast[T], of func(T) (int64, int64, bool)) {
	over := func(err error) bool {
		if errors.Is(err, io.EOF) || errors.Is(err, shm.ErrClosed) {
			return true
		}
		testproc.Must(err)
		return false
	}
	for {
		s, err := b.Subscribe()
		if over(err) {
			return
		}
		for range rand.IntN(1000) {
			v, _, err := s.Next(bg)
			if over(err) {
				return
			}
			if _, _, whole := of(v); !whole {
				testproc.Must(fmt.Errorf("torn: %v", v))
			}
		}
		if over(s.Close()) {
			return
		}
	}
}

// A storm of kills, stops and Closes. What each of eight subscribers that live through it has
// received and missed is together what came into the ring; a Reliable broadcast's have missed
// nothing. What came is at least what Publishes returned, and at most what they began. And in
// the end all memory is there.
func TestBroadcastStorm(t *testing.T) {
	for name, mode := range map[string]ring.BroadcastMode{"reliable": ring.Reliable, "lossy": ring.Lossy} {
		t.Run(name, func(t *testing.T) { stormOfBroadcast(t, mode) })
	}
}

func stormOfBroadcast(t *testing.T, mode ring.BroadcastMode) {
	length, r := effort.Storm(t, 5*time.Second), region(t)
	plainOptions, textOptions := plainTalk.o, textTalk.o
	plainOptions.Mode, textOptions.Mode = mode, mode
	plain := testproc.Get(ring.OpenBroadcast[utterance](r, plainTalk.name, &plainOptions))(t)
	text := testproc.Get(ring.OpenBroadcast[[]byte](r, textTalk.name, &textOptions))(t)
	cells := talkCellsIn(r)
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
	for ctx := testproc.Watchdog(t); cells.Load(1) == 0; time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatal("nobody says anything")
		}
	}
	kills, stops, closes := 0, 0, 0
	for end := time.Now().Add(length); time.Now().Before(end) && next < speakers-2; {
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
	cells.Store(stopTalk, 1)
	stormtest.Survive(t, r, talkers)
	fillsAll(t, text)
	testproc.OK(t, errors.Join(plain.Shutdown(), text.Shutdown()))
	stormtest.Survive(t, r, guests)
	came := map[string]uint64{}
	for _, o := range testproc.Get(r.Snapshot())(t).Objects {
		if o.Kind == "broadcast" {
			came[o.Name] = testproc.Get(strconv.ParseUint(o.Value, 10, 64))(t)
		}
	}
	for i, name := range []string{plainTalk.name, textTalk.name} {
		begun, returned := uint64(0), uint64(0)
		for by := i; by < 2*next; by += 2 {
			begun, returned = begun+uint64(cells.Load(2*by)), returned+uint64(cells.Load(2*by+1))
		}
		if name == textTalk.name {
			begun, returned = begun+filling, returned+filling
		}
		if n := came[name]; n < returned || n > begun || n == 0 {
			t.Errorf("%s: %d came, %d Publishes returned and %d began", name, n, returned, begun)
		}
	}
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

// filling is how many messages are all the memory of textTalk.
const filling = 2

// fillsAll fails the test if a death has lost some memory.
func fillsAll(t *testing.T, b *ring.Broadcast[[]byte]) {
	ctx := testproc.Watchdog(t)
	s := testproc.Get(b.Subscribe())(t)
	for n := range filling {
		testproc.OK(t, b.Publish(ctx, sayLong(-1, int64(n+1), longestTalk-16)))
	}
	for n := range int64(filling) {
		if _, missed, err := s.Next(ctx); err != nil || missed != 0 {
			t.Errorf("of the last, number %d: %d missed, %v: there is too little room", n, missed, err)
			break
		}
	}
	testproc.OK(t, s.Close())
}
