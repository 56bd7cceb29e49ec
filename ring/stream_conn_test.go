package ring_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

func stream(t testing.TB, buffer int) (d, a *ring.StreamConn, p *ring.StreamPair) {
	t.Helper()
	p = ring.NewStreamPair(t, region(t), buffer)
	return p.Dialer, p.Acceptor, p
}

func errIs(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func writes(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if n, err := io.WriteString(c, s); n != len(s) || err != nil {
		t.Errorf("Write of %q: %d, %v", s, n, err)
	}
}

func reads(t *testing.T, c net.Conn, s string) {
	t.Helper()
	b := make([]byte, len(s))
	if n, err := io.ReadFull(c, b); string(b[:n]) != s || err != nil {
		t.Errorf("Read: %q, %v; want %q", b[:n], err, s)
	}
}

// reading is the err of a Read.
func reading(c net.Conn) error { _, err := c.Read(make([]byte, 8)); return err }
func writing(c net.Conn) error { _, err := c.Write(make([]byte, 8)); return err }

// blocked begins a call that waits, and returns where its error comes.
func blocked(f func() error) chan error {
	errs := make(chan error, 1)
	go func() { errs <- f() }()
	time.Sleep(time.Millisecond)
	return errs
}

func endsWith(t *testing.T, what string, errs chan error, want error) {
	t.Helper()
	select {
	case err := <-errs:
		errIs(t, what, err, want)
	case <-time.After(testproc.Patience):
		t.Fatalf("%s goes on", what)
	}
}

// After CloseWrite the peer reads what was written, then io.EOF; the other way goes on.
func TestStreamCloseWrite(t *testing.T) {
	r := region(t)
	p := ring.NewStreamPair(t, r, 128)
	d, a := p.Dialer, p.Acceptor
	writes(t, d, "last words")
	full := blocked(func() error { _, err := d.Write(make([]byte, 1000)); return err })
	shmtest.AwaitWaiting(t, r, p.Name, 1)
	testproc.OK(t, d.CloseWrite())
	endsWith(t, "a Write that waits", full, syscall.EPIPE)
	errIs(t, "Write after it", writing(d), syscall.EPIPE)
	b, err := io.ReadAll(a)
	if errIs(t, "ReadAll", err, nil); !strings.HasPrefix(string(b), "last words") || len(b) != 128 {
		t.Errorf("%q came", b)
	}
	errIs(t, "Read after the end", reading(a), io.EOF)
	writes(t, a, "answer")
	reads(t, d, "answer")
	testproc.OK(t, d.CloseWrite())
	testproc.OK(t, a.Close())
	errIs(t, "Read", reading(d), io.EOF)
	testproc.OK(t, d.Close())
	errIs(t, "CloseWrite after Close", d.CloseWrite(), net.ErrClosed)
}

// After CloseRead the peer's Write is EPIPE, and the other way goes on.
func TestStreamCloseRead(t *testing.T) {
	d, a, _ := stream(t, 128)
	r := blocked(func() error { return reading(a) })
	testproc.OK(t, a.CloseRead())
	endsWith(t, "a Read that waits", r, io.EOF)
	errIs(t, "Read after it", reading(a), io.EOF)
	errIs(t, "the peer's Write", writing(d), syscall.EPIPE)
	writes(t, a, "answer")
	reads(t, d, "answer")
	testproc.OK(t, a.Close())
	errIs(t, "Read", reading(d), io.EOF)
}

// What was written before a Close is read; io.EOF only then.
func TestStreamEOF(t *testing.T) {
	d, a, p := stream(t, 128)
	writes(t, d, "unread")
	testproc.OK(t, d.Close())
	if p.Gone[0].Load() != 1 {
		t.Error("gone was not called once")
	}
	errIs(t, "Write", writing(a), syscall.EPIPE)
	reads(t, a, "unread")
	for range 3 {
		errIs(t, "Read", reading(a), io.EOF)
	}
	errIs(t, "a second Close", d.Close(), net.ErrClosed)
	testproc.OK(t, a.Close())
	if p.Gone[0].Load() != 1 || p.Gone[1].Load() != 1 {
		t.Error("gone was not called once each")
	}
}

// ECONNRESET where the peer has gone with bytes unread, after what it sent, for good.
func TestStreamReset(t *testing.T) {
	d, a, _ := stream(t, 128)
	writes(t, d, "question")
	writes(t, a, "answer")
	testproc.OK(t, a.Close())
	reads(t, d, "answer")
	for range 3 {
		errIs(t, "Read", reading(d), syscall.ECONNRESET)
	}
	errIs(t, "Write", writing(d), syscall.EPIPE)

	d, a, _ = stream(t, 128)
	writes(t, d, "question")
	testproc.OK(t, a.CloseRead())
	testproc.OK(t, a.CloseWrite())
	errIs(t, "Read of one that reads no more, but is there", reading(d), io.EOF)
}

// Errors are package net's.
func TestStreamErrors(t *testing.T) {
	d, a, _ := stream(t, 128)
	testproc.OK(t, d.SetReadDeadline(time.Unix(1, 0)))
	err := reading(d)
	var o *net.OpError
	var n net.Error
	if !errors.As(err, &o) || !errors.As(err, &n) || !n.Timeout() || o.Op != "read" || o.Net != "tandem" || o.Source != d.LocalAddr() || o.Addr != d.RemoteAddr() {
		t.Errorf("%#v", err)
	}
	if s := err.Error(); s != "read tandem dialer->acceptor: i/o timeout" {
		t.Error(s)
	}
	testproc.OK(t, a.Close())
	if s := writing(d).Error(); s != "write tandem dialer->acceptor: write: broken pipe" {
		t.Error(s)
	}
	testproc.OK(t, d.SetReadDeadline(time.Time{}))
	if err := reading(d); err != io.EOF {
		t.Errorf("%#v", err)
	}
	if raw, err := d.SyscallConn(); raw != nil || !errors.Is(err, errors.ErrUnsupported) {
		t.Error(raw, err)
	}
	testproc.OK(t, d.Close())
	for what, err := range map[string]error{
		"read": reading(d), "write": writing(d), "close": d.Close(), "set": d.SetDeadline(time.Time{}),
	} {
		if !errors.As(err, &o) || o.Op != what || !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
	if n, err := a.Read(nil); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Error(n, err)
	}
}

// A Close ends all calls of its end, whoever waits for whom, and waits for none for long.
func TestStreamCloseAmongCalls(t *testing.T) {
	r := region(t)
	for i := range 50 {
		p := ring.NewStreamPair(t, r, 4096)
		d, a := p.Dialer, p.Acceptor
		var g sync.WaitGroup
		var sent, got int64
		var counts sync.Mutex
		for range 3 {
			g.Go(func() {
				for {
					n, err := d.Write(make([]byte, 1000))
					counts.Lock()
					sent += int64(n)
					counts.Unlock()
					if err != nil {
						errIs(t, "Write", err, net.ErrClosed)
						return
					}
				}
			})
			g.Go(func() { errIs(t, "Read", reading(d), net.ErrClosed) })
			g.Go(func() {
				for {
					n, err := a.Read(make([]byte, 700))
					counts.Lock()
					got += int64(n)
					counts.Unlock()
					if err != nil {
						errIs(t, "Read at the peer", err, io.EOF)
						return
					}
				}
			})
		}
		g.Go(func() {
			time.Sleep(time.Duration(i%10) * 100 * time.Microsecond)
			testproc.OK(t, d.Close())
		})
		done := make(chan struct{})
		go func() { g.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(testproc.Patience):
			t.Fatal("somebody waits")
		}
		if sent != got {
			t.Fatalf("%d bytes written, %d read", sent, got)
		}
		testproc.OK(t, a.Close())
		if p.Gone[0].Load() != 1 || p.Gone[1].Load() != 1 {
			t.Fatal("gone was not called once each")
		}
	}
}

// Random bytes in pieces of any size, both ways at once, through rings of any size.
func TestStreamCarriesEveryByte(t *testing.T) {
	r := region(t)
	for _, buffer := range []int{64, 192, 4096, 256 << 10} {
		p := ring.NewStreamPair(t, r, buffer)
		data := make([]byte, 1<<20)
		if buffer < 4096 {
			data = data[:1<<17]
		}
		for i := range data {
			data[i] = byte(rand.Uint32())
		}
		var g sync.WaitGroup
		for i, c := range []net.Conn{p.Dialer, p.Acceptor} {
			rnd := rand.New(rand.NewPCG(uint64(i), 7))
			g.Go(func() {
				for rest := data; len(rest) > 0; {
					n, err := c.Write(rest[:min(len(rest), 1+rnd.IntN(3*buffer))])
					if err != nil {
						t.Error(err)
						return
					}
					rest = rest[n:]
				}
				testproc.OK(t, c.(*ring.StreamConn).CloseWrite())
			})
			g.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(i), 8))
				b := make([]byte, 3*buffer)
				for got := 0; ; {
					n, err := c.Read(b[:1+rnd.IntN(3*buffer)])
					if n > len(data)-got || !bytes.Equal(b[:n], data[got:got+n]) {
						t.Errorf("what came after %d bytes is not what was sent", got)
						return
					}
					if got += n; err != nil {
						if err != io.EOF || got != len(data) {
							t.Errorf("%v after %d bytes", err, got)
						}
						return
					}
				}
			})
		}
		g.Wait()
	}
}

// A peer that scribbles on the indexes is an error on that connection alone.
func TestStreamHostilePeer(t *testing.T) {
	r := region(t)
	const acceptor, wd, rd, wa, ra = 136, 256, 384, 512, 640 // docs/layout.md
	for _, tt := range []struct {
		name string
		at   uint64
		to   uint64
		call func(c net.Conn) error
	}{
		{"W far ahead", wa, 1 << 40, reading},
		{"W one too far", wa, 129 + 6, reading},
		{"W back", wa, 5, reading},
		{"R ahead of W", rd, 7, func(c net.Conn) error { _, err := c.Write(make([]byte, 200)); return err }},
		{"R far back", rd, 1 << 63, func(c net.Conn) error { _, err := c.Write(make([]byte, 200)); return err }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, q := ring.NewStreamPair(t, r, 128), ring.NewStreamPair(t, r, 128)
			d, a := p.Dialer, p.Acceptor
			writes(t, a, "before")
			reads(t, d, "before")
			old := *p.Area.W64(tt.at)
			*p.Area.W64(tt.at) = tt.to
			errIs(t, tt.name, tt.call(d), shm.ErrCorrupt)
			*p.Area.W64(tt.at) = old
			writes(t, q.Dialer, "another")
			reads(t, q.Acceptor, "another")
			testproc.OK(t, d.Close())
			testproc.OK(t, a.Close())
		})
	}
	// Both indexes all the time, while two read and write: no panic, no end of it in vain.
	p := ring.NewStreamPair(t, r, 4096)
	stop, was := make(chan struct{}), *p.Area.W64(acceptor)
	var g, scribbler sync.WaitGroup
	scribbler.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, at := range []uint64{rd, wa, acceptor} {
				*p.Area.W64(at) = rand.Uint64() >> rand.IntN(64)
			}
			runtime.Gosched()
		}
	})
	if !mem.RaceEnabled {
		g.Go(func() {
			for range 2000 {
				p.Dialer.SetReadDeadline(time.Now().Add(time.Millisecond))
				p.Dialer.Read(make([]byte, 100))
			}
		})
		g.Go(func() {
			for range 2000 {
				p.Dialer.SetWriteDeadline(time.Now().Add(time.Millisecond))
				p.Dialer.Write(make([]byte, 100))
			}
		})
	}
	g.Wait()
	close(stop)
	scribbler.Wait()
	for _, at := range []uint64{wd, rd, wa, ra} {
		*p.Area.W64(at) = 0
	}
	*p.Area.W64(acceptor) = was
	testproc.OK(t, p.Dialer.Close())
	testproc.OK(t, p.Acceptor.Close())
}

// Calls allocate nothing, those that wait neither.
func TestStreamAllocates(t *testing.T) {
	d, a, _ := stream(t, 4096)
	b, e := make([]byte, 64), make([]byte, 64)
	testproc.OK(t, d.SetDeadline(time.Now().Add(time.Hour)))
	if n := testing.AllocsPerRun(100, func() { d.Write(b); a.Read(e); d.SetDeadline(time.Now().Add(time.Hour)) }); n != 0 {
		t.Errorf("a Write and a Read allocate %v times", n)
	}
	go func() {
		b := make([]byte, 64)
		for {
			if _, err := a.Read(b); err != nil {
				return
			}
			time.Sleep(100 * time.Microsecond)
			a.Write(b)
		}
	}()
	if n := testing.AllocsPerRun(100, func() { d.Write(b); d.Read(e) }); n >= 1 {
		t.Errorf("a round trip that waits allocates %v times", n)
	}
	testproc.OK(t, d.Close())
}

// A connection that nothing reaches is closed.
func TestStreamCollected(t *testing.T) {
	p := ring.NewStreamPair(t, region(t), 128)
	writes(t, p.Dialer, "last")
	a := p.Acceptor
	p.Dialer, p.Acceptor = nil, nil
	limit := time.Now().Add(testproc.Patience)
	for p.Gone[0].Load() == 0 && time.Now().Before(limit) {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	reads(t, a, "last")
	errIs(t, "Read", reading(a), io.EOF)
}

// Region.Close ends all calls, and later ones.
func TestStreamRegionClosed(t *testing.T) {
	for range 10 {
		r := region(t)
		p := ring.NewStreamPair(t, r, 4096)
		calls := []chan error{
			blocked(func() error { return reading(p.Dialer) }),
			blocked(func() error { return reading(p.Dialer) }),
			blocked(func() error { _, err := p.Dialer.Write(make([]byte, 10000)); return err }),
		}
		awaitAsleep(t, r, 2)
		calls = append(calls, blocked(func() error { return writing(p.Dialer) }))
		testproc.OK(t, r.Close())
		for _, c := range calls {
			select {
			case err := <-c:
				if !errors.Is(err, shm.ErrClosed) || !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
			case <-time.After(testproc.Patience):
				t.Fatal("a call goes on")
			}
		}
		errIs(t, "Read", reading(p.Dialer), shm.ErrClosed)
		errIs(t, "Write", writing(p.Acceptor), shm.ErrClosed)
		errIs(t, "CloseRead", p.Dialer.CloseRead(), shm.ErrClosed)
		testproc.OK(t, p.Dialer.Close())
		testproc.OK(t, p.Acceptor.Close())
		if p.Gone[0].Load() != 1 || p.Gone[1].Load() != 1 {
			t.Error("gone was not called once each")
		}
	}
}
