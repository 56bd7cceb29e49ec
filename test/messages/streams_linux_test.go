package messages_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// A connection is package net's also in what it says. In text $AT stands for where it is
// from and to, $FROM for where it is from.
type said struct {
	name string
	err  error
	is   error
	text string
}

func checkSaid(t *testing.T, c net.Conn, rows []said) {
	t.Helper()
	from := c.LocalAddr().String()
	at := strings.NewReplacer("$AT", from+"->"+c.RemoteAddr().String(), "$FROM", from)
	for _, tt := range rows {
		var e *net.OpError
		if want := at.Replace(tt.text); tt.err == nil || !errors.Is(tt.err, tt.is) || tt.err.Error() != want {
			t.Errorf("%s: got  %v\nwant %s", tt.name, tt.err, want)
		} else if !errors.As(tt.err, &e) || e != tt.err {
			t.Errorf("%s: %v is a %T, want a *net.OpError", tt.name, tt.err, tt.err)
		}
	}
}

// full is what a connection of package net's Unix sockets can.
type full interface {
	net.Conn
	CloseRead() error
	CloseWrite() error
	SyscallConn() (syscall.RawConn, error)
}

// meet is a connection, both ends.
func meet(t *testing.T, r *shm.Region, l net.Listener) (dialled, accepted full) {
	t.Helper()
	accept := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			accepted = c.(full)
		}
		accept <- err
	}()
	dialled = testproc.Get(ring.Dial(ctx, r, "web"))(t).(full)
	testproc.OK(t, <-accept)
	return dialled, accepted
}

func TestConnections(t *testing.T) {
	r := feed(t, nil)
	l := testproc.Get(ring.Listen(r, "web", &ring.ListenOptions{Buffer: 4096}))(t)
	defer l.Close()
	d, a := meet(t, r, l)
	here := fmt.Sprint("feed/web:", os.Getpid())
	if from, to := d.LocalAddr().String(), a.RemoteAddr().String(); from != here || to != here {
		t.Fatalf("a connection from %s to %s, want %s", from, to, here)
	}
	read := func(c net.Conn) error { return second(c.Read(make([]byte, 1))) }
	write := func(c net.Conn) error { return second(c.Write([]byte("x"))) }
	copied := func(c net.Conn) error { return second(c.(io.ReaderFrom).ReadFrom(strings.NewReader("x"))) }
	passed := func(c net.Conn) error { return second(c.(io.WriterTo).WriteTo(io.Discard)) }

	checkSaid(t, d, []said{{"descriptor", second(d.SyscallConn()), errors.ErrUnsupported,
		"syscall tandem $AT: a stream is memory, and has no file descriptor: unsupported operation"}})
	testproc.OK(t, d.SetDeadline(time.Unix(1, 0)))
	checkSaid(t, d, []said{
		{"read, deadline", read(d), os.ErrDeadlineExceeded, "read tandem $AT: i/o timeout"},
		{"write, deadline", write(d), os.ErrDeadlineExceeded, "write tandem $AT: i/o timeout"},
		{"write to, deadline", passed(d), os.ErrDeadlineExceeded, "read tandem $AT: i/o timeout"},
		{"read from, deadline", copied(d), os.ErrDeadlineExceeded, "write tandem $AT: i/o timeout"},
	})
	if e, ok := read(d).(net.Error); !ok || !e.Timeout() {
		t.Errorf("%v is no timeout", read(d))
	}
	testproc.OK(t, d.SetDeadline(time.Time{}))

	testproc.OK(t, errors.Join(a.CloseWrite(), d.CloseWrite(), d.CloseRead()))
	if err := read(d); err != io.EOF {
		t.Errorf("read after CloseRead: %v", err)
	}
	checkSaid(t, d, []said{{"write after CloseWrite", write(d), syscall.EPIPE, "write tandem $AT: write: broken pipe"}})
	checkSaid(t, a, []said{{"write after CloseWrite", write(a), syscall.EPIPE, "write tandem $AT: write: broken pipe"}})
	if err := read(a); err != io.EOF {
		t.Errorf("read after the peer's CloseWrite: %v", err)
	}

	d, a = meet(t, r, l)
	testproc.OK(t, errors.Join(write(d), a.Close()))
	checkSaid(t, d, []said{
		{"the peer left bytes", read(d), syscall.ECONNRESET, "read tandem $AT: read: connection reset by peer"},
		{"the peer is gone", write(d), syscall.EPIPE, "write tandem $AT: write: broken pipe"},
		{"the peer is gone, from", copied(d), syscall.EPIPE, "write tandem $AT: write: broken pipe"},
	})
	testproc.OK(t, d.Close())
	const closed = "use of closed network connection"
	checkSaid(t, d, []said{
		{"read, closed", read(d), net.ErrClosed, "read tandem $AT: " + closed},
		{"write, closed", write(d), net.ErrClosed, "write tandem $AT: " + closed},
		{"write to, closed", passed(d), net.ErrClosed, "read tandem $AT: " + closed},
		{"read from, closed", copied(d), net.ErrClosed, "write tandem $AT: " + closed},
		{"half, closed", d.CloseRead(), net.ErrClosed, "close tandem $AT: " + closed},
		{"close, closed", d.Close(), net.ErrClosed, "close tandem $AT: " + closed},
		{"deadline, closed", d.SetDeadline(time.Time{}), net.ErrClosed, "set tandem $FROM: " + closed},
	})
}

// The region's Close ends connections and listeners, which say so.
func TestConnectionsOfAClosedRegion(t *testing.T) {
	feed(t, nil)
	r := testproc.Get(shm.Create("other", nil))(t)
	l := testproc.Get(ring.Listen(r, "web", nil))(t)
	d, _ := meet(t, r, l)
	testproc.OK(t, r.Close())
	const gone = ": region is closed: use of closed network connection"
	for _, is := range []error{shm.ErrClosed, net.ErrClosed} {
		checkSaid(t, d, []said{
			{"read", second(d.Read(make([]byte, 1))), is, "read tandem $AT" + gone},
			{"write", second(d.Write([]byte("x"))), is, "write tandem $AT" + gone},
			{"half", d.CloseWrite(), is, "close tandem $AT" + gone}, // which is not ended by that
			{"the other", d.CloseRead(), is, "close tandem $AT" + gone},
			{"accept", second(l.Accept()), is, "accept tandem $FROM" + gone},
		})
	}
	check(t, []row{
		{"dial", func() error { return second(ring.Dial(ctx, r, "web")) }, shm.ErrClosed, "ring.Dial other/web: region is closed"},
		{"listen", func() error { return second(ring.Listen(r, "web", nil)) }, shm.ErrClosed, "ring.Listen other/web: region is closed"},
	})
}
