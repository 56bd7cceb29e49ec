package ring_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

func someBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// sockets are both ends of a Unix socket.
func sockets(t *testing.T) (a, b net.Conn) {
	l := testproc.Get(net.Listen("unix", filepath.Join(t.TempDir(), "s")))(t)
	defer l.Close()
	a = testproc.Get(net.Dial("unix", l.Addr().String()))(t)
	b = testproc.Get(l.Accept())(t)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// io.Copy from whatever into a connection, through another, and into whatever.
func TestStreamCopies(t *testing.T) {
	r := region(t)
	data := someBytes(120_000)
	name := filepath.Join(t.TempDir(), "f")
	testproc.OK(t, os.WriteFile(name, data, 0o600))
	file := func() *os.File {
		f := testproc.Get(os.Open(name))(t)
		t.Cleanup(func() { f.Close() })
		return f
	}
	socket := func() net.Conn {
		a, b := sockets(t)
		go func() { a.Write(data); a.Close() }()
		return b
	}
	for _, in := range []struct {
		name string
		from io.Reader
		want int
	}{
		{"a file", file(), len(data)},
		{"a part of a file", io.LimitReader(file(), 70_001), 70_001},
		{"a socket", socket(), len(data)},
		{"a part of a socket", io.LimitReader(socket(), 70_001), 70_001},
		{"a buffer", bytes.NewReader(data), len(data)},
		{"a reader", struct{ io.Reader }{bytes.NewReader(data)}, len(data)},
	} {
		for _, out := range []string{"a file", "a socket", "a buffer", "a writer"} {
			t.Run(in.name+" into "+out, func(t *testing.T) {
				if s, ok := in.from.(io.Seeker); ok {
					testproc.Get(s.Seek(0, io.SeekStart))(t)
				} else if in.name == "a part of a file" {
					in.from = io.LimitReader(file(), 70_001)
				} else if in.name == "a socket" {
					in.from = socket()
				} else if in.name == "a part of a socket" {
					in.from = io.LimitReader(socket(), 70_001)
				} else {
					in.from = struct{ io.Reader }{bytes.NewReader(data)}
				}
				first, second := ring.NewStreamPair(t, r, 4096), ring.NewStreamPair(t, r, 192)
				var g sync.WaitGroup
				copies := func(to io.Writer, from io.Reader, then func() error) {
					n, err := io.Copy(to, from)
					if n != int64(in.want) || err != nil {
						t.Errorf("io.Copy: %d, %v; want %d", n, err, in.want)
					}
					testproc.OK(t, then())
				}
				g.Go(func() { copies(first.Dialer, in.from, first.Dialer.CloseWrite) })
				g.Go(func() { copies(second.Dialer, first.Acceptor, second.Dialer.CloseWrite) })
				var got []byte
				switch out {
				case "a file":
					f := testproc.Get(os.Create(filepath.Join(t.TempDir(), "to")))(t)
					copies(f, second.Acceptor, f.Close)
					got = testproc.Get(os.ReadFile(f.Name()))(t)
				case "a socket":
					a, b := sockets(t)
					g.Go(func() { got, _ = io.ReadAll(b) })
					copies(a, second.Acceptor, a.Close)
				case "a buffer":
					var b bytes.Buffer
					copies(&b, second.Acceptor, func() error { return nil })
					got = b.Bytes()
				default:
					var b bytes.Buffer
					copies(struct{ io.Writer }{&b}, second.Acceptor, func() error { return nil })
					got = b.Bytes()
				}
				g.Wait()
				if !bytes.Equal(got, data[:in.want]) {
					t.Errorf("%d bytes came, which are not those that were sent", len(got))
				}
				for _, c := range []net.Conn{first.Dialer, first.Acceptor, second.Dialer, second.Acceptor} {
					testproc.OK(t, c.Close())
				}
			})
		}
	}
}

// What io.Copy makes of a file and of a socket is read without a copy, and what has a
// descriptor for something else is not.
func TestStreamCopiesDirectly(t *testing.T) {
	f := testproc.Get(os.Create(filepath.Join(t.TempDir(), "f")))(t)
	defer f.Close()
	pr, pw, err := os.Pipe()
	testproc.OK(t, err)
	defer pr.Close()
	defer pw.Close()
	s, _ := sockets(t)
	u := testproc.Get(net.ListenPacket("udp", "127.0.0.1:0"))(t)
	defer u.Close()
	for _, tt := range []struct {
		what   string
		from   io.Reader
		direct bool
	}{
		{"a file", f, true},
		{"a socket", s, true},
		{"a pipe, for which the kernel may wait", pr, false},
		{"datagrams", u.(*net.UDPConn), false},
		{"what is around a socket", struct{ *net.UnixConn }{s.(*net.UnixConn)}, false},
	} {
		var p probe
		if tt.what == "a pipe, for which the kernel may wait" || tt.what == "datagrams" {
			p.ReadFrom(tt.from)
		} else {
			io.Copy(&p, tt.from)
		}
		if p.direct != tt.direct {
			t.Errorf("%s, as %T: %v, want %v", tt.what, p.from, p.direct, tt.direct)
		}
	}
	if !ring.StreamDirect(f) || !ring.StreamDirect(s) || ring.StreamDirect(pw) {
		t.Error("to a file and a socket, and to no pipe")
	}
}

// A probe looks at what io.Copy gives it.
type probe struct {
	from   io.Reader
	direct bool
}

func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
func (p *probe) ReadFrom(r io.Reader) (int64, error) {
	p.from, p.direct = r, ring.StreamDirect(r)
	return 0, nil
}

// An echo: a connection is copied to itself.
func TestStreamEcho(t *testing.T) {
	d, a, _ := stream(t, 192)
	data := someBytes(20_000)
	go func() { io.Copy(a, a); a.Close() }()
	go func() { d.Write(data); d.CloseWrite() }()
	got, err := io.ReadAll(d)
	if !bytes.Equal(got, data) || err != nil {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
}

// At the end of what is copied nothing is waited for, and nothing fails: not where the ring is
// full, nor where the peer has read all and is gone, nor after the deadline.
func TestStreamCopyEndsWithItsSource(t *testing.T) {
	data := someBytes(128)
	name := filepath.Join(t.TempDir(), "f")
	testproc.OK(t, os.WriteFile(name, data, 0o600))
	copied := func(what string, d *ring.StreamConn, from io.Reader) chan error {
		return blocked(func() error {
			n, err := d.ReadFrom(from)
			if n != int64(len(data)) {
				t.Errorf("%s: %d bytes", what, n)
			}
			return err
		})
	}
	f := testproc.Get(os.Open(name))(t)
	defer f.Close()
	d, a, _ := stream(t, len(data))
	endsWith(t, "a file that fills the ring", copied("a file", d, f), nil)
	testproc.OK(t, a.Close())
	if n, err := d.ReadFrom(f); n != 0 || err != nil {
		t.Errorf("nothing more, and nobody there: %d, %v", n, err)
	}
	testproc.Get(f.Seek(-1, io.SeekEnd))(t)
	if n, err := d.ReadFrom(f); n != 0 || !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a byte more, and nobody there: %d, %v", n, err)
	}
	for what, then := range map[string]func(d, a *ring.StreamConn){
		"nothing else happens": func(_, _ *ring.StreamConn) {},
		"the peer is gone":     func(_, a *ring.StreamConn) { io.ReadFull(a, make([]byte, len(data))); a.Close() },
		"the deadline is over": func(d, _ *ring.StreamConn) { d.SetWriteDeadline(time.Unix(1, 0)) },
	} {
		for _, buffer := range []int{len(data), 2 * len(data)} {
			d, a, p := stream(t, buffer)
			s, peer := sockets(t)
			copying := copied(what, d, s)
			testproc.Get(peer.Write(data))(t)
			for p.Unread(true) < len(data) {
				time.Sleep(100 * time.Microsecond)
			}
			awaitCopy(t, ".copyIn(", "[IO wait") // once more: it has waited for these bytes, too
			then(d, a)
			testproc.OK(t, peer.Close())
			endsWith(t, what, copying, nil)
		}
	}
}

// awaitCopy waits until somebody waits in that function, and as that says.
func awaitCopy(t *testing.T, in, how string) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for end := time.Now().Add(testproc.Patience); ; time.Sleep(100 * time.Microsecond) {
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, in) && strings.Contains(g, how) {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("nobody waits in %s", in)
		}
	}
}

// To a socket and to another connection a WriteTo copies without a buffer of its own.
func TestStreamWritesDirectly(t *testing.T) {
	data := someBytes(1 << 20) // more than a socket takes
	s, peer := sockets(t)
	to, end, _ := stream(t, 128)
	for _, tt := range []struct {
		to      io.Writer
		done    func() error
		out     io.Reader
		in, how string
	}{
		{s, s.Close, peer, ".copyOut(", "[IO wait"},
		{to, to.CloseWrite, end, ".copyOver(", ""},
	} {
		from, src, _ := stream(t, 4096)
		go func() { src.Write(data); src.CloseWrite() }()
		copying := blocked(func() error { _, err := from.WriteTo(tt.to); return errors.Join(err, tt.done()) })
		awaitCopy(t, tt.in, tt.how)
		if got, err := io.ReadAll(tt.out); !bytes.Equal(got, data) || err != nil {
			t.Errorf("%s: %d bytes came, %v", tt.in, len(got), err)
		}
		endsWith(t, tt.in, copying, nil)
	}
}

// A socket that may wait, since somebody has asked its file for the descriptor, holds up no
// more than the call.
func TestStreamCopyOfASocketThatWaits(t *testing.T) {
	d, a, p := stream(t, 128)
	s, peer := sockets(t)
	f := testproc.Get(s.(*net.UnixConn).File())(t)
	defer f.Close()
	if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Fatalf("the socket does not wait: %#x, %v", flags, err)
	}
	in := blocked(func() error { _, err := d.ReadFrom(s); return err })
	out := blocked(func() error { _, err := d.WriteTo(s); return err })
	writes(t, d, "between")
	reads(t, a, "between")
	full := blocked(func() error { // the socket
		_, err := a.Write(make([]byte, 1<<20))
		return err
	})
	for still, was := 0, -1; still < 20; time.Sleep(time.Millisecond) { // and the ring
		if n := p.Unread(false); n == was && n == 128 {
			still++
		} else {
			still, was = 0, n
		}
	}
	closed := blocked(d.Close)
	endsWith(t, "Close", closed, nil)
	endsWith(t, "a Write to it", full, syscall.EPIPE)
	testproc.OK(t, peer.Close())
	endsWith(t, "WriteTo", out, net.ErrClosed)
	endsWith(t, "ReadFrom", in, net.ErrClosed)
}

// A socket that is reset while there is no room is no end: what is missing is told.
func TestStreamCopyOfASocketThatIsReset(t *testing.T) {
	d, a, p := stream(t, 128)
	s, peer := sockets(t)
	writes(t, d, string(someBytes(128)))
	testproc.Get(s.Write([]byte("not read")))(t) // so that Close is a reset
	var n int64
	copying := blocked(func() (err error) { n, err = d.ReadFrom(s); return err })
	time.Sleep(time.Millisecond) // it waits for the socket
	testproc.OK(t, peer.Close())
	time.Sleep(time.Millisecond) // and hears of it
	testproc.Get(io.ReadFull(a, make([]byte, 128)))(t)
	endsWith(t, "ReadFrom", copying, syscall.ECONNRESET)
	if n != 0 || p.Unread(true) != 0 {
		t.Errorf("%d bytes", n)
	}
}

// What ends while the other connection has no room has been copied, as far as it was there.
func TestStreamCopyOverEnds(t *testing.T) {
	from, src, _ := stream(t, 128)
	to, dst, _ := stream(t, 128)
	writes(t, src, "abc")
	writes(t, to, string(someBytes(128)))
	copying := blocked(func() error { _, err := from.WriteTo(to); return err })
	time.Sleep(time.Millisecond) // it waits for room
	testproc.OK(t, from.CloseRead())
	testproc.Get(io.ReadFull(dst, make([]byte, 128)))(t)
	endsWith(t, "WriteTo", copying, nil)
}

// What waits for a socket holds up neither Close nor another Write; deadlines end what waits
// for the connection.
func TestStreamCopyIsHeldUpByNobody(t *testing.T) {
	d, a, _ := stream(t, 128)
	s, peer := sockets(t)
	copying := blocked(func() error { _, err := d.ReadFrom(s); return err })
	writes(t, d, "between")
	reads(t, a, "between")
	testproc.Get(peer.Write(make([]byte, 1000)))(t)
	testproc.Get(io.ReadFull(a, make([]byte, 128)))(t) // it has what it waits for room for
	testproc.OK(t, d.SetWriteDeadline(time.Now().Add(3*time.Millisecond)))
	endsWith(t, "ReadFrom", copying, os.ErrDeadlineExceeded)
	testproc.OK(t, d.SetWriteDeadline(time.Time{}))

	s, peer = sockets(t)
	copying = blocked(func() error { _, err := d.ReadFrom(s); return err })
	testproc.OK(t, d.Close())
	testproc.Get(peer.Write(make([]byte, 10)))(t)
	endsWith(t, "ReadFrom", copying, net.ErrClosed)

	// A writer that panics, or a reader, leaves the connection as it is.
	d, a, _ = stream(t, 128)
	func() {
		defer func() { recover() }()
		d.ReadFrom(panicking{})
	}()
	writes(t, d, "after")
	func() {
		defer func() { recover() }()
		a.WriteTo(panicking{})
	}()
	writes(t, d, "on")
	reads(t, a, "on")
}

type panicking struct{}

func (panicking) Read([]byte) (int, error)  { panic(errors.New("a reader")) }
func (panicking) Write([]byte) (int, error) { panic(errors.New("a writer")) }

// A Close of the region comes upon a WriteTo: what has gone out by then was read, every byte
// of it, and is told.
func TestStreamCopyOutOfAClosedRegion(t *testing.T) {
	data := bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7}, 20_000)
	cut := 0
	for round, end := 0, time.Now().Add(testproc.Patience); round < effort.Or(200, 40) || cut == 0 && time.Now().Before(end); round++ {
		r, err := shm.Create(t.TempDir()+"/r", nil)
		testproc.OK(t, err)
		p := ring.NewStreamPair(t, r, 16<<10)
		other := ring.NewStreamPair(t, region(t), 1<<20)
		f := testproc.Get(os.Create(t.TempDir() + "/f"))(t)
		to, what := io.Writer(f), "a file"
		if round%2 == 0 {
			to, what = other.Dialer, "a stream"
		}
		go p.Acceptor.Write(data)
		copied := make(chan int64)
		go func() {
			n, _ := p.Dialer.WriteTo(to)
			copied <- n
		}()
		for some := rand.Int64N(int64(len(data))); ; runtime.Gosched() { // have come by then
			is, err := f.Stat()
			if testproc.OK(t, err); max(is.Size(), int64(other.Unread(true))) >= some {
				break
			}
		}
		testproc.OK(t, r.Close())
		n := <-copied
		if n > 0 && n < int64(len(data)) {
			cut++
		}
		var got []byte
		if round%2 == 0 {
			testproc.OK(t, other.Dialer.Close())
			got, err = io.ReadAll(other.Acceptor)
		} else {
			got, err = os.ReadFile(f.Name())
		}
		testproc.OK(t, err)
		if int64(len(got)) != n || !bytes.HasPrefix(data, got) {
			i := 0
			for i < len(got) && got[i] == data[i] {
				i++
			}
			t.Fatalf("to %s: %d bytes were told, %d came, the first %d of them were sent", what, n, len(got), i)
		}
	}
	if cut == 0 {
		t.Error("no Close came upon a copy")
	}
}
