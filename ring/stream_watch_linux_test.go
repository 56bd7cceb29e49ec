package ring_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
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
// not only when that one goes to sleep.
func TestStreamWatchKnowsDeadlines(t *testing.T) {
	ring.SpinWatch(t)
	d, a, _ := stream(t, 128)
	p := ring.NewStreamPair(t, region(t), 128)
	begun := time.Now()
	first := readBegins(d)
	awaitWatch(t, true, 0)
	testproc.OK(t, p.Dialer.SetReadDeadline(time.Now().Add(5*time.Millisecond)))
	endsWith(t, "a parked Read", readBegins(p.Dialer), os.ErrDeadlineExceeded)
	took := time.Since(begun)
	writes(t, a, "x")
	endsWith(t, "the watcher's", first, nil)
	if took > testproc.Patience/2 {
		t.Errorf("a deadline of 5 ms was over after %v", took)
	}
}

// Also when it is one of more than a pass looks for, wherever passes begin.
func TestStreamWatchKnowsAllDeadlines(t *testing.T) {
	ring.SpinWatch(t)
	const many, each = 128, 4
	for range 10 {
		r := shmtest.Region(t)
		var pairs []*ring.StreamPair // and not the collector's
		for range many {
			p := ring.NewStreamPair(t, r, 64)
			pairs = append(pairs, p)
			readBegins(p.Dialer)
		}
		awaitWatch(t, true, many-1)
		p := ring.NewStreamPair(t, r, 64)
		most := time.Duration(0)
		for range each {
			begun := time.Now()
			testproc.OK(t, p.Dialer.SetReadDeadline(begun.Add(time.Millisecond)))
			endsWith(t, "a parked Read", readBegins(p.Dialer), os.ErrDeadlineExceeded)
			most = max(most, time.Since(begun))
		}
		testproc.OK(t, r.Close())
		awaitWatch(t, false, 0)
		runtime.KeepAlive(pairs)
		if most > testproc.Patience/2 {
			t.Fatalf("of %d deadlines of a millisecond one was over after %v", each, most)
		}
	}
}

// The watcher's own deadline ends it, though others keep it at work.
func TestStreamWatchersDeadline(t *testing.T) {
	r := region(t)
	p, other := ring.NewStreamPair(t, r, 128), ring.NewStreamPair(t, r, 128)
	ring.SpinWatch(t)
	first := readBegins(p.Dialer)
	awaitWatch(t, true, 0)
	stop, works := make(chan bool), make(chan bool, 1)
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
				select {
				case works <- true:
				default:
				}
			}
		}
	})
	<-works
	testproc.OK(t, p.Dialer.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	endsWith(t, "the watcher's Read", first, os.ErrDeadlineExceeded)
	close(stop)
	echoes.Wait()
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

// A deadline that ends a Read before its spin is over does not say that the spin paid.
func TestStreamDeadlineIsNoSuccess(t *testing.T) {
	d := ring.NewStreamPair(t, region(t), 128).Dialer
	still := ring.HopefulReads()
	if !still() {
		t.Fatal("they are not hopeful to begin with")
	}
	lost := false // nothing ever pays: it does not come back
	for range 300 {
		d.SetReadDeadline(time.Now().Add(100 * time.Microsecond))
		if err := reading(d); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		if still() && lost {
			t.Fatal("a Read that ended with nothing is taken for a spin that paid")
		}
		lost = !still()
	}
	if !lost {
		t.Error("300 Reads that ended with nothing are taken for spins that paid")
	}
}
