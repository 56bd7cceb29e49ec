package ring_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
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

// A storm over one pipe, whose ends this process holds from begin to end.

const (
	pipeStorm       = "storm"
	pipeStormNotes  = "notes"
	pipeStormBits   = "bits"
	pipeSenders     = 400     // that there may be
	pipeSenderMost  = 1 << 18 // messages of each
	pipeStormBuffer = 4096
	pipeStormEach   = 2 // goroutines
)

// A letter of the storm begins with whose it is, and which of its, and goes on as that says.
func letter(b []byte, by, n int64) []byte {
	b = b[:0]
	for i := range 8 {
		b = append(b, byte(by>>(8*i)))
	}
	for i := range 8 {
		b = append(b, byte(n>>(8*i)))
	}
	for i := range n * 37 % 600 {
		b = append(b, byte(n+i))
	}
	return b
}

func readLetter(b []byte) (by, n int64) {
	if len(b) < 16 {
		testproc.Must(errors.New("a torn letter"))
	}
	for i := range 8 {
		by |= int64(b[i]) << (8 * i)
		n |= int64(b[8+i]) << (8 * i)
	}
	if string(letter(nil, by, n)) != string(b) {
		testproc.Must(errors.New("a torn letter"))
	}
	return by, n
}

// A letter writer sends until it is told to stop. How many it began, and how many Sends
// returned, stands in the notes.
var letterWriter = testproc.Role("letter writer", func(args []string) {
	r := attached(args[0])
	c, err := ring.OpenPipe[[]byte](r, pipeStorm, ring.Left, nil)
	testproc.Must(err)
	notes, err := atomics.OpenArray[int64](r, pipeStormNotes, 0)
	testproc.Must(err)
	me, err := strconv.ParseInt(args[1], 10, 64)
	testproc.Must(err)
	ctx, cancel := context.WithCancel(bg)
	go func() {
		testproc.Hear()
		cancel()
	}()
	var wg sync.WaitGroup
	for k := range int64(pipeStormEach) {
		by := pipeStormEach*me + k
		wg.Go(func() {
			var b []byte
			for n := int64(1); n < pipeSenderMost; n++ {
				b = letter(b, by, n)
				notes.Store(int(2*by), n)
				err := c.Send(ctx, b)
				if errors.Is(err, context.Canceled) {
					notes.Store(int(2*by), n-1)
					return
				}
				testproc.Must(err)
				notes.Store(int(2*by+1), n)
			}
		})
	}
	wg.Wait()
})

// A letter reader notes a bit for each letter, until the end.
var letterReader = testproc.Role("letter reader", func(args []string) {
	r := attached(args[0])
	c, err := ring.OpenPipe[[]byte](r, pipeStorm, ring.Right, nil)
	testproc.Must(err)
	s, err := atomics.OpenSlice[uint64](r, pipeStormBits, 0)
	testproc.Must(err)
	bits := s.Data()
	var wg sync.WaitGroup
	for range pipeStormEach {
		wg.Go(func() {
			for {
				if rand.IntN(8) == 0 {
					testproc.Must(c.Poll(bg))
				}
				b, err := c.Recv(bg)
				if errors.Is(err, io.EOF) {
					return
				}
				testproc.Must(err)
				by, n := readLetter(b)
				at := by*pipeSenderMost + n
				if was := atomic.OrUint64(&bits[at/64], 1<<(at%64)); was>>(at%64)&1 != 0 {
					testproc.Must(errors.New("a letter came twice"))
				}
			}
		})
	}
	wg.Wait()
})

// A storm of kills and stops: no letter is lost whose Send returned, but one that a reader
// died with; none comes twice, and none that was not sent.
func TestPipeStorm(t *testing.T) {
	length, r := effort.Storm(t, 3*time.Second), region(t)
	o := &ring.PipeOptions{Direction: ring.OneWay, Buffer: pipeStormBuffer}
	left, right := bothEnds[[]byte](t, r, pipeStorm, o)
	notes := testproc.Get(atomics.OpenArray[int64](r, pipeStormNotes, 2*pipeStormEach*pipeSenders))(t)
	bits := testproc.Get(atomics.OpenSlice[uint64](r, pipeStormBits, pipeStormEach*pipeSenders*pipeSenderMost/64))(t).Data()
	next := 0
	write := func() *testproc.Child {
		next++
		return letterWriter.Start(t, r.Name(), strconv.Itoa(next-1))
	}
	read := func() *testproc.Child { return letterReader.Start(t, r.Name()) }
	writers, readers := []*testproc.Child{write(), write()}, []*testproc.Child{read(), read()}
	kills, deadReaders, stops := 0, 0, 0
	for end := time.Now().Add(length); time.Now().Before(end) && next < pipeSenders-2; {
		time.Sleep(rand.N(10 * time.Millisecond))
		i := rand.IntN(2)
		switch rand.IntN(6) {
		case 0:
			writers[i].Kill()
			writers[i] = write()
			kills++
		case 1:
			readers[i].Kill()
			readers[i] = read()
			kills++
			deadReaders++
		case 2:
			stormtest.Halt(writers[i])
			stops++
		case 3:
			stormtest.Halt(readers[i])
			stops++
		}
	}
	for _, c := range writers {
		c.Say("stop")
	}
	stormtest.Survive(t, r, writers)
	testproc.OK(t, left.Close())
	stormtest.Survive(t, r, readers)
	if _, err := right.Recv(bg); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	lost, came := 0, 0
	for by := range pipeStormEach * next {
		begun, returned := notes.Load(2*by), notes.Load(2*by+1)
		for n := range int64(pipeSenderMost) {
			at := int64(by)*pipeSenderMost + n
			if at%64 == 0 && n > begun && bits[at/64] == 0 {
				continue
			}
			there := bits[at/64]>>(at%64)&1 != 0
			if there {
				came++
			}
			if there && (n == 0 || n > begun) {
				t.Errorf("letter %d of %d came, which has begun %d", n, by, begun)
			}
			if !there && n > 0 && n <= returned {
				lost++
			}
		}
	}
	if lost > pipeStormEach*deadReaders {
		t.Errorf("%d letters are lost, and %d readers died", lost, deadReaders)
	}
	testproc.OK(t, right.Close())
	stormtest.Recovered(t, r)
	t.Logf("%d kills, %d stops, %d letters, %d gone with their readers", kills, stops, came, lost)
}

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
		c, err := ring.OpenPipe[[]byte](r, pipeStorm, end, &ring.PipeOptions{Buffer: 256})
		if errors.Is(err, syscall.EPIPE) {
			continue
		}
		testproc.Must(err)
		ctx, cancel := context.WithTimeout(bg, rand.N(5*time.Millisecond))
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				err := c.Send(ctx, letter(nil, 1, rand.Int64N(3)))
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
				readLetter(b)
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
	if err := r.Remove(pipeStorm); err != nil && !errors.Is(err, fs.ErrNotExist) { // one may have died between the one and the next
		t.Error(err)
	}
	for end := time.Now().Add(testproc.Patience); ; time.Sleep(time.Millisecond) {
		now := testproc.Get(r.Snapshot())(t)
		if now.Memory.Used <= used {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d bytes are used, and were %d\n%v", now.Memory.Used, used, now)
		}
	}
	t.Logf("%d kills, %d stops", kills, stops)
}
