package streams

import (
	"errors"
	"io"
	"net"
	"net/rpc"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// An Ends is the ends of connections that a child has. The parent calls it over a socket,
// and so uses each as if it were its own.
type Ends struct {
	region *shm.Region
	mu     sync.Mutex
	conns  []net.Conn
}

// Asked is a call of a method of a net.Conn.
type Asked struct {
	End   int
	Bytes []byte
	Most  int
	When  time.Time
}

// Answered is what comes of it.
type Answered struct {
	Bytes []byte
	N     int
	Err   *RemoteError
}

// A RemoteError is a net.Error that was returned in a child.
type RemoteError struct {
	Text          string
	EOF, TimedOut bool
}

func (e *RemoteError) Error() string   { return e.Text }
func (e *RemoteError) Timeout() bool   { return e.TimedOut }
func (e *RemoteError) Temporary() bool { return e.TimedOut }

func remoteError(err error) *RemoteError {
	switch err {
	case nil:
		return nil
	case io.EOF:
		return &RemoteError{EOF: true}
	}
	var n net.Error
	if !errors.As(err, &n) {
		testproc.Must(err)
	}
	return &RemoteError{Text: err.Error(), TimedOut: n.Timeout()}
}

func (a *Answered) error() error {
	switch {
	case a.Err == nil:
		return nil
	case a.Err.EOF:
		return io.EOF
	}
	return a.Err
}

func (e *Ends) add(c net.Conn) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conns = append(e.conns, c)
	return len(e.conns) - 1
}

func (e *Ends) of(a Asked) net.Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.conns[a.End]
}

// Dial, and Accept, of one.
func (e *Ends) Dial(_ struct{}, end *int) error {
	c, err := ring.Dial(bg, e.region, service)
	*end = e.add(c)
	return err
}

func (e *Ends) Accept(_ struct{}, end *int) error {
	l, err := ring.Listen(e.region, service, nil)
	if err != nil {
		return err
	}
	defer l.Close()
	testproc.Say("listens")
	c, err := l.Accept()
	*end = e.add(c)
	return err
}

func (e *Ends) Read(a Asked, to *Answered) error {
	b := make([]byte, a.Most)
	n, err := e.of(a).Read(b)
	to.Bytes, to.Err = b[:n], remoteError(err)
	return nil
}

func (e *Ends) Write(a Asked, to *Answered) error {
	n, err := e.of(a).Write(a.Bytes)
	to.N, to.Err = n, remoteError(err)
	return nil
}

func (e *Ends) Close(a Asked, to *Answered) error {
	to.Err = remoteError(e.of(a).Close())
	return nil
}

func (e *Ends) SetDeadline(a Asked, to *Answered) error {
	to.Err = remoteError(e.of(a).SetDeadline(a.When))
	return nil
}

func (e *Ends) SetReadDeadline(a Asked, to *Answered) error {
	to.Err = remoteError(e.of(a).SetReadDeadline(a.When))
	return nil
}

func (e *Ends) SetWriteDeadline(a Asked, to *Answered) error {
	to.Err = remoteError(e.of(a).SetWriteDeadline(a.When))
	return nil
}

var endsServer = testproc.Role("ends", func(args []string) {
	testproc.Must(rpc.Register(&Ends{region: attached(args[0])}))
	l, err := net.Listen("unix", args[1])
	testproc.Must(err)
	testproc.Say("ready")
	rpc.Accept(l)
})

// A remote is an end that a child has.
type remote struct {
	ends  *rpc.Client
	end   int
	local net.Conn // the other
}

func (r remote) ask(method string, a Asked) (to Answered) {
	a.End = r.end
	if err := r.ends.Call("Ends."+method, a, &to); err != nil {
		return Answered{Err: &RemoteError{Text: err.Error()}}
	}
	return to
}

func (r remote) Read(b []byte) (int, error) {
	to := r.ask("Read", Asked{Most: len(b)})
	return copy(b, to.Bytes), to.error()
}

func (r remote) Write(b []byte) (int, error) {
	to := r.ask("Write", Asked{Bytes: b})
	return to.N, to.error()
}

func (r remote) Close() error {
	to := r.ask("Close", Asked{})
	return to.error()
}

func (r remote) set(which string, t time.Time) error {
	to := r.ask(which, Asked{When: t})
	return to.error()
}

func (r remote) SetDeadline(t time.Time) error      { return r.set("SetDeadline", t) }
func (r remote) SetReadDeadline(t time.Time) error  { return r.set("SetReadDeadline", t) }
func (r remote) SetWriteDeadline(t time.Time) error { return r.set("SetWriteDeadline", t) }
func (r remote) LocalAddr() net.Addr                { return r.local.RemoteAddr() }
func (r remote) RemoteAddr() net.Addr               { return r.local.LocalAddr() }

// What every net.Conn does, with an end in this process and one in another: who dials is
// the one or the other, and what is tested most is the first of the two.
func TestNettest(t *testing.T) {
	ways := []struct {
		name         string
		dials, first bool // the child
	}{
		{"child accepts, is first", false, true},
		{"child accepts", false, false},
		{"child dials, is first", true, true},
		{"child dials", true, false},
	}
	for _, tt := range ways {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // most of it waits
			r := region(t)
			socket := filepath.Join(filepath.Dir(r.Name()), "socket")
			child := endsServer.Start(t, r.Name(), socket)
			child.Expect("ready")
			ends := testproc.Get(rpc.Dial("unix", socket))(t)
			defer ends.Close()
			nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
				there := remote{ends: ends}
				if tt.dials {
					l := testproc.Get(ring.Listen(r, service, nil))(t)
					defer l.Close()
					call := ends.Go("Ends.Dial", struct{}{}, &there.end, nil)
					there.local = testproc.Get(l.Accept())(t)
					testproc.OK(t, (<-call.Done).Error)
				} else {
					call := ends.Go("Ends.Accept", struct{}{}, &there.end, nil)
					child.Expect("listens")
					there.local = testproc.Get(ring.Dial(bg, r, service))(t)
					testproc.OK(t, (<-call.Done).Error)
				}
				c1, c2 := there.local, net.Conn(there)
				if tt.first {
					c1, c2 = c2, c1
				}
				return c1, c2, func() {
					c1.Close()
					c2.Close()
				}, nil
			})
		})
	}
}
