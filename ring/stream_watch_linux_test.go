package ring_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// awaitWatch waits until somebody watches, or nobody, and so many Reads are parked.
func awaitWatch(t *testing.T, on bool, parked int) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(50 * time.Microsecond) {
		o, n := ring.Watching()
		if o == on && n == parked {
			return
		}
		if time.Since(start) > testproc.Patience {
			t.Fatalf("watched: %v, and %d are parked; want %v and %d", o, n, on, parked)
		}
	}
}

// readBegins begins a Read, and returns where its error comes.
func readBegins(c net.Conn) chan error {
	errs := make(chan error, 1)
	go func() { errs <- reading(c) }()
	return errs
}

// Many Reads that wait: one of them watches, and each hears of its own bytes, whichever
// comes first.
func TestStreamWatch(t *testing.T) {
	ring.SpinWatch(t)
	const many = 8
	r := region(t)
	var ends [many]*ring.StreamPair
	for i := range ends {
		ends[i] = ring.NewStreamPair(t, r, 128)
	}
	for range 10 {
		var errs [many]chan error
		for i, p := range ends {
			errs[i] = readBegins(p.Dialer)
			awaitWatch(t, true, i)
		}
		for left, i := range rand.Perm(many) {
			writes(t, ends[i].Acceptor, "x")
			endsWith(t, fmt.Sprint("Read ", i), errs[i], nil)
			awaitWatch(t, many-left > 1, max(0, many-left-2))
		}
	}
}

// However the call ends that watches, another watches then.
func TestStreamWatchIsHandedOn(t *testing.T) {
	ring.SpinWatch(t)
	for name, tt := range map[string]struct {
		end  func(t *testing.T, r *shm.Region, p *ring.StreamPair)
		want error
	}{
		"bytes":        {func(t *testing.T, _ *shm.Region, p *ring.StreamPair) { writes(t, p.Acceptor, "x") }, nil},
		"Close":        {func(t *testing.T, _ *shm.Region, p *ring.StreamPair) { p.Dialer.Close() }, net.ErrClosed},
		"CloseRead":    {func(t *testing.T, _ *shm.Region, p *ring.StreamPair) { p.Dialer.CloseRead() }, io.EOF},
		"peer's Close": {func(t *testing.T, _ *shm.Region, p *ring.StreamPair) { p.Acceptor.Close() }, io.EOF},
		"deadline": {func(t *testing.T, _ *shm.Region, p *ring.StreamPair) {
			p.Dialer.SetReadDeadline(time.Unix(1, 0))
		}, os.ErrDeadlineExceeded},
		"Region.Close": {func(t *testing.T, r *shm.Region, _ *ring.StreamPair) { r.Close() }, shm.ErrClosed},
		"a fault":      {func(t *testing.T, _ *shm.Region, p *ring.StreamPair) { writes(t, p.Acceptor, "x") }, errFault},
	} {
		t.Run(name, func(t *testing.T) {
			r := shmtest.Region(t)
			p, other := ring.NewStreamPair(t, r, 128), ring.NewStreamPair(t, region(t), 128)
			first := make(chan error, 1)
			go func() {
				if tt.want != errFault {
					first <- reading(p.Dialer)
					return
				}
				if b := mapped(t, unix.PROT_READ); faults(func() { p.Dialer.Read(b) }) {
					first <- errFault
				} else {
					first <- nil
				}
			}()
			awaitWatch(t, true, 0)
			second := readBegins(other.Dialer)
			awaitWatch(t, true, 1)
			tt.end(t, r, p)
			endsWith(t, "the watcher's Read", first, tt.want)
			awaitWatch(t, true, 0)
			writes(t, other.Acceptor, "x")
			endsWith(t, "the other's", second, nil)
			awaitWatch(t, false, 0)
		})
	}
}

var errFault = errors.New("a fault")

// Who is parked hears of all that ends a Read, while another watches.
func TestStreamWatchTells(t *testing.T) {
	ring.SpinWatch(t)
	for name, tt := range map[string]struct {
		before, then func(t *testing.T, r *shm.Region, p *ring.StreamPair)
		want         error
	}{
		"Close":        {then: func(t *testing.T, _ *shm.Region, p *ring.StreamPair) { p.Dialer.Close() }, want: net.ErrClosed},
		"CloseRead":    {then: func(t *testing.T, _ *shm.Region, p *ring.StreamPair) { p.Dialer.CloseRead() }, want: io.EOF},
		"peer's Close": {then: func(t *testing.T, _ *shm.Region, p *ring.StreamPair) { p.Acceptor.Close() }, want: io.EOF},
		"peer's Close, of what was written here": {
			before: func(t *testing.T, _ *shm.Region, p *ring.StreamPair) { writes(t, p.Dialer, "x") },
			then:   func(t *testing.T, _ *shm.Region, p *ring.StreamPair) { p.Acceptor.Close() }, want: syscall.ECONNRESET},
		"peer's CloseWrite": {then: func(t *testing.T, _ *shm.Region, p *ring.StreamPair) { p.Acceptor.CloseWrite() }, want: io.EOF},
		"a new deadline": {then: func(t *testing.T, _ *shm.Region, p *ring.StreamPair) {
			p.Dialer.SetReadDeadline(time.Now().Add(time.Millisecond))
		}, want: os.ErrDeadlineExceeded},
		"Region.Close": {then: func(t *testing.T, r *shm.Region, _ *ring.StreamPair) { r.Close() }, want: shm.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			watcher := ring.NewStreamPair(t, region(t), 128)
			first := readBegins(watcher.Dialer)
			awaitWatch(t, true, 0)
			r := region(t)
			p := ring.NewStreamPair(t, r, 128)
			if tt.before != nil {
				tt.before(t, r, p)
			}
			second := readBegins(p.Dialer)
			awaitWatch(t, true, 1)
			tt.then(t, r, p)
			endsWith(t, "the parked Read", second, tt.want)
			awaitWatch(t, true, 0)
			writes(t, watcher.Acceptor, "x")
			endsWith(t, "the watcher's", first, nil)
		})
	}
}

// A deadline that was there before is heard by who is parked while another watches, and
// not only when that one goes to sleep, after a second.
func TestStreamWatchKnowsDeadlines(t *testing.T) {
	ring.SpinWatch(t)
	d, a, _ := stream(t, 128)
	p := ring.NewStreamPair(t, region(t), 128)
	for tries := 0; ; tries++ {
		begun := time.Now()
		first := readBegins(d)
		awaitWatch(t, true, 0)
		testproc.OK(t, p.Dialer.SetReadDeadline(time.Now().Add(5*time.Millisecond)))
		endsWith(t, "a parked Read", readBegins(p.Dialer), os.ErrDeadlineExceeded)
		took := time.Since(begun)
		writes(t, a, "x")
		endsWith(t, "the watcher's", first, nil)
		if took < 500*time.Millisecond {
			return
		}
		if tries == 20 {
			t.Fatalf("a deadline of 5 ms was over after %v", took)
		}
	}
}

// The watcher's own deadline ends it, though others keep it at work.
func TestStreamWatchersDeadline(t *testing.T) {
	r := region(t)
	p, other := ring.NewStreamPair(t, r, 128), ring.NewStreamPair(t, r, 128)
	ring.SpinWatch(t)
	testproc.OK(t, p.Dialer.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	first := readBegins(p.Dialer)
	stop := make(chan bool)
	var echoes sync.WaitGroup
	echoes.Go(func() {
		for b := make([]byte, 1); ; {
			if _, err := other.Dialer.Read(b); err != nil {
				return
			}
			other.Dialer.Write(b)
		}
	})
	echoes.Go(func() {
		defer other.Acceptor.Close()
		for {
			select {
			case <-stop:
				return
			default:
				writes(t, other.Acceptor, "x")
				reads(t, other.Acceptor, "x")
			}
		}
	})
	endsWith(t, "the watcher's Read", first, os.ErrDeadlineExceeded)
	close(stop)
	echoes.Wait()
}

// Where the peer only answers, a Read naps until something was asked; and no more where
// it has spoken unasked.
func TestStreamNaps(t *testing.T) {
	d, a, _ := stream(t, 128)
	ask := func(nap bool) {
		t.Helper()
		answer := readBegins(d)
		for start := time.Now(); nap && !ring.StreamNaps(d); time.Sleep(10 * time.Microsecond) {
			if len(answer) > 0 || time.Since(start) > testproc.Patience {
				t.Fatal("it does not nap")
			}
			if time.Since(start)%(5*time.Millisecond) < 100*time.Microsecond { // it was over before it was seen
				writes(t, d, "?")
				reads(t, a, "?")
				writes(t, a, "!")
				endsWith(t, "Read", answer, nil)
				answer = readBegins(d)
			}
		}
		writes(t, d, "?")
		reads(t, a, "?")
		writes(t, a, "!")
		endsWith(t, "Read", answer, nil)
	}
	writes(t, d, "?")
	reads(t, a, "?")
	writes(t, a, "!")
	reads(t, d, "!")
	if ring.StreamTrusts(d) {
		t.Error("an end that asked before it read learned that its peer only answers")
	}
	answer := readBegins(d)
	time.Sleep(time.Millisecond) // else it begins after the question
	writes(t, d, "?")
	reads(t, a, "?")
	writes(t, a, "!")
	endsWith(t, "Read", answer, nil)
	for start := time.Now(); !ring.StreamTrusts(d); {
		ask(false)
		if time.Since(start) > testproc.Patience {
			t.Fatal("it does not learn that its peer only answers")
		}
	}
	ask(true)

	// With somebody who watches.
	w := ring.NewStreamPair(t, region(t), 128)
	ring.SpinWatch(t)
	other := readBegins(w.Dialer)
	awaitWatch(t, true, 0)
	ask(true)
	writes(t, w.Acceptor, "x")
	endsWith(t, "the watcher's Read", other, nil)

	// Unasked.
	writes(t, a, "!")
	endsWith(t, "a Read", readBegins(d), nil)
	answer = readBegins(d)
	time.Sleep(time.Millisecond)
	writes(t, a, "!")
	endsWith(t, "a Read", answer, nil)
	if ring.StreamTrusts(d) {
		t.Error("it was spoken to unasked, and naps")
	}
}

// trusting is a stream whose Reads nap, if they begin quietly, at its dialer.
func trusting(t *testing.T) (d, a *ring.StreamConn) {
	t.Helper()
	d, a, _ = stream(t, 128)
	for start := time.Now(); !ring.StreamTrusts(d); {
		answer := readBegins(d)
		time.Sleep(100 * time.Microsecond)
		testproc.OK(t, d.SetReadDeadline(time.Unix(1, 0)))
		endsWith(t, "Read", answer, os.ErrDeadlineExceeded)
		testproc.OK(t, d.SetReadDeadline(time.Time{}))
		if time.Since(start) > testproc.Patience {
			t.Fatal("it does not learn from being roused")
		}
	}
	return d, a
}

// All Reads that wait for long sleep in the kernel, each where its bytes wake it.
func TestStreamWatchSleeps(t *testing.T) {
	r := region(t)
	var ends [6]*ring.StreamPair
	var errs [len(ends)]chan error
	for i := range ends {
		ends[i] = ring.NewStreamPair(t, r, 128)
		errs[i] = readBegins(ends[i].Dialer)
	}
	for _, p := range ends {
		shmtest.AwaitWaiting(t, r, p.Name, 1)
	}
	awaitWatch(t, false, 0)
	for i, p := range ends {
		writes(t, p.Acceptor, "x")
		endsWith(t, fmt.Sprint("Read ", i), errs[i], nil)
	}
}

// Who was roused before it was parked, or has asked before its nap, does not wait.
func TestStreamRousedBefore(t *testing.T) {
	d, _, _ := stream(t, 128)
	endsWith(t, "who was roused", blocked(func() error {
		if ring.ParkRoused(d) {
			return errors.New("it watches, beside another")
		}
		return nil
	}), nil)
	awaitWatch(t, false, 0)
}

func TestStreamAskedBefore(t *testing.T) {
	d, _ := trusting(t)
	ring.NoTicks(t)
	endsWith(t, "who has asked", blocked(func() error { ring.NapAsked(d); return nil }), nil)
	awaitWatch(t, false, 0)
}

// Its own Write ends a nap: then it watches, or is as one who is parked, who may.
func TestStreamAsking(t *testing.T) {
	d, a := trusting(t)
	w := ring.NewStreamPair(t, region(t), 128)
	ring.NoTicks(t)
	ring.SpinWatch(t)
	answer := readBegins(d)
	awaitWatch(t, false, 1)
	writes(t, d, "?")
	awaitWatch(t, true, 0)
	writes(t, a, "!")
	endsWith(t, "Read", answer, nil)

	answer = readBegins(d)
	awaitWatch(t, false, 1)
	other := readBegins(w.Dialer)
	awaitWatch(t, true, 1)
	writes(t, d, "?")
	writes(t, w.Acceptor, "x")
	endsWith(t, "the watcher's Read", other, nil)
	awaitWatch(t, true, 0)
	writes(t, a, "!")
	endsWith(t, "Read", answer, nil)
}

// Whatever writes ends a nap, and a Write that waits for room: not only one that is through.
func TestStreamAskingOtherwise(t *testing.T) {
	file := func(t *testing.T) *os.File {
		f := testproc.Get(os.Create(filepath.Join(t.TempDir(), "f")))(t)
		t.Cleanup(func() { f.Close() })
		return f
	}
	for name, ask := range map[string]func(t *testing.T, d net.Conn) (asked chan error, bytes int){
		"ReadFrom": func(t *testing.T, d net.Conn) (chan error, int) {
			f := file(t)
			testproc.Get(f.WriteString("question"))(t)
			testproc.Get(f.Seek(0, io.SeekStart))(t)
			return blocked(func() error { _, err := d.(io.ReaderFrom).ReadFrom(f); return err }), 8
		},
		"a long Write": func(t *testing.T, d net.Conn) (chan error, int) {
			return blocked(func() error { _, err := d.Write(make([]byte, 200)); return err }), 200
		},
	} {
		for _, first := range []string{"nap", "ask"} {
			t.Run(name+", first "+first, func(t *testing.T) {
				d, a := trusting(t)
				ring.NoTicks(t)
				ring.SpinWatch(t)
				var answer chan error
				if first == "nap" {
					answer = readBegins(d)
					awaitWatch(t, false, 1)
				}
				asked, n := ask(t, d)
				if first == "ask" {
					answer = readBegins(d)
				}
				awaitWatch(t, true, 0)
				testproc.Get(io.ReadFull(a, make([]byte, n)))(t)
				endsWith(t, "the question", asked, nil)
				writes(t, a, "!")
				endsWith(t, "Read", answer, nil)
			})
		}
	}
	t.Run("WriteTo does not nap", func(t *testing.T) {
		d, a := trusting(t)
		ring.NoTicks(t)
		ring.SpinWatch(t)
		f := file(t)
		done := blocked(func() error { _, err := d.WriteTo(f); return err })
		awaitWatch(t, true, 0)
		writes(t, a, "all")
		testproc.OK(t, a.Close())
		endsWith(t, "WriteTo", done, nil)
	})
}

// What came in a nap was not asked for, though its end did ask for something then.
func TestStreamAskedTooLate(t *testing.T) {
	d, a := trusting(t)
	ring.NoTicks(t)
	answer := readBegins(d)
	awaitWatch(t, false, 1)
	writes(t, a, "!")
	writes(t, d, "?")
	endsWith(t, "Read", answer, nil)
	if ring.StreamTrusts(d) {
		t.Error("it was spoken to in a nap, and naps again")
	}
}

// A server that reads while it works on an answer, and is roused when it is done, expects
// the next question.
func TestStreamServerExpects(t *testing.T) {
	d, a := trusting(t)
	ring.NoTicks(t)
	ring.SpinWatch(t)
	writes(t, a, "?")
	reads(t, d, "?")
	while := readBegins(d)
	awaitWatch(t, false, 1)
	writes(t, d, "!")
	testproc.OK(t, d.SetReadDeadline(time.Unix(1, 0)))
	endsWith(t, "a Read", while, os.ErrDeadlineExceeded)
	testproc.OK(t, d.SetReadDeadline(time.Time{}))
	next := readBegins(d)
	awaitWatch(t, true, 0)
	writes(t, a, "?")
	endsWith(t, "the next", next, nil)
}

// A Read that naps is roused by all that ends a Read, and by what comes.
func TestStreamNapEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		then func(d, a net.Conn)
		want error
		self bool // it would last for ever
	}{
		"bytes":        {func(_, a net.Conn) { io.WriteString(a, "x") }, nil, false},
		"Close":        {func(d, _ net.Conn) { d.Close() }, net.ErrClosed, true},
		"deadline":     {func(d, _ net.Conn) { d.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded, true},
		"soon":         {func(d, _ net.Conn) { d.SetReadDeadline(time.Now().Add(time.Millisecond)) }, os.ErrDeadlineExceeded, false},
		"peer's Close": {func(_, a net.Conn) { a.Close() }, io.EOF, false},
	} {
		t.Run(name, func(t *testing.T) {
			d, a := trusting(t)
			if tt.self {
				ring.NoTicks(t)
			}
			answer := readBegins(d)
			time.Sleep(100 * time.Microsecond)
			tt.then(d, a)
			endsWith(t, "a Read", answer, tt.want)
		})
	}
}

// Clients and servers of many streams, with deadlines that end Reads at any time: every
// byte comes, once and in its order.
func TestStreamWatchHammer(t *testing.T) {
	const many, each = 12, 200
	r := region(t)
	var all sync.WaitGroup
	for range many {
		p := ring.NewStreamPair(t, r, 128)
		all.Go(func() { io.Copy(p.Acceptor, struct{ io.Reader }{p.Acceptor}); p.Acceptor.Close() })
		answers := make(chan byte, 1)
		all.Go(func() {
			b := make([]byte, 1)
			for {
				switch _, err := p.Dialer.Read(b); {
				case err == nil:
					answers <- b[0]
				case errors.Is(err, os.ErrDeadlineExceeded):
					p.Dialer.SetReadDeadline(time.Now().Add(time.Duration(rand.IntN(300)) * time.Microsecond))
				default:
					close(answers)
					return
				}
			}
		})
		all.Go(func() {
			defer p.Dialer.CloseWrite()
			for i := range each {
				if rand.IntN(8) == 0 {
					p.Dialer.SetReadDeadline(time.Unix(1, 0))
				}
				if _, err := p.Dialer.Write([]byte{byte(i)}); err != nil {
					t.Error(err)
					return
				}
				if b, ok := <-answers; !ok || b != byte(i) {
					t.Errorf("%d after %d, %v", b, i, ok)
					return
				}
			}
		})
	}
	all.Wait()
	awaitWatch(t, false, 0)
}
