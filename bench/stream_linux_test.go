package bench_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

// A stream beside a Unix socket: as it is, and with net/http on it.

var connTrip = contest{what: "a stream, a round trip of 64 bytes", kind: "trip", of: []contestant{
	{two, "net.Conn"}, {twoFree, "net.Conn"}, {two, "unix-socket"}, {two, "Conn"},
}}

func BenchmarkConnTrip(b *testing.B) { connTrip.run(b) }

var connCopy = contest{what: "a stream, `io.Copy` of 1 MiB", kind: "large", bytes: 1 << 20, of: []contestant{
	{two, "net.Conn-1M"}, {twoFree, "net.Conn-1M"}, {two, "unix-socket-1M"}, {twoFree, "unix-socket-1M"},
}}

func BenchmarkConnCopy(b *testing.B) { connCopy.run(b) }

var connCopyWide = contest{what: "a stream with 4 MiB each way, `io.Copy` of 1 MiB", kind: "large", bytes: 1 << 20, of: []contestant{
	{two, "net.Conn-wide-1M"}, {twoFree, "net.Conn-wide-1M"}, {two, "unix-socket-1M"}, {twoFree, "unix-socket-1M"},
}}

func BenchmarkConnCopyWide(b *testing.B) { connCopyWide.run(b) }

var httpTrip = contest{what: "`net/http`, kept alive, a request", kind: "trip", of: []contestant{
	{two, "http"}, {twoFree, "http"}, {two, "http-unix-socket"}, {twoFree, "http-unix-socket"}, {unpinned, "http-net.Pipe"},
}}

func BenchmarkHTTPTrip(b *testing.B) { httpTrip.run(b) }

var httpMany = contest{what: "`net/http`, 64 clients, a request of any", kind: "many", of: []contestant{
	{twoFree, "http"}, {twoFree, "http-unix-socket"}, {unpinned, "http-net.Pipe"},
}}

func BenchmarkHTTPMany(b *testing.B) { httpMany.run(b) }

func streamBars() []bar {
	return []bar{
		{contest: connTrip, against: "unix-socket", least: 10},
		{contest: connCopy, against: "unix-socket-1M", least: 3},
		{contest: connCopyWide, against: "unix-socket-1M", least: 3},
		{contest: httpTrip, against: "http-unix-socket", least: 1 / 0.6},
		{contest: httpMany, against: "http-unix-socket", least: 1.5},
	}
}

// A line is how the two sides come to a connection: 0 listens, 1 dials.
type line struct {
	listen func(e *env, name string) (net.Listener, error)
	dial   func(e *env, name string) (net.Conn, error)
}

var (
	byRing     = ringLine(0)
	byWideRing = ringLine(4 << 20)
	bySocket   = line{
		func(e *env, name string) (net.Listener, error) {
			return net.Listen("unix", filepath.Join(e.dir, e.name(name)))
		},
		func(e *env, name string) (net.Conn, error) {
			return net.Dial("unix", filepath.Join(e.dir, e.name(name)))
		},
	}
)

func ringLine(buffer int) line {
	return line{
		func(e *env, name string) (net.Listener, error) {
			return ring.Listen(e.Region, e.name(name), &ring.ListenOptions{Buffer: buffer})
		},
		func(e *env, name string) (net.Conn, error) { return ring.Dial(background, e.Region, e.name(name)) },
	}
}

// await dials until the other side listens.
func (l line) await(e *env, name string) net.Conn {
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		c, err := l.dial(e, name)
		if err == nil {
			return c
		}
		if gone := errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT); !gone || time.Since(start) > testproc.Patience {
			testproc.Must(err)
		}
	}
}

// connection is a side's end of one.
func (l line) connection(e *env, name string) net.Conn {
	if e.side == 1 {
		return l.await(e, name)
	}
	at := open(l.listen(e, name))
	defer at.Close()
	return open(at.Accept())
}

// trips are there and back of 64 bytes.
func (l line) trips(e *env) func(n int) int {
	c := l.connection(e, "conn-trip")
	return func(n int) (done int) {
		var m message
		for i := range n {
			if e.side == 0 {
				m = numbered(i)
				open(c.Write(m[:]))
			}
			open(io.ReadFull(c, m[:]))
			if e.side == 1 {
				open(c.Write(m[:]))
			} else if m.number() == i {
				done++
			}
			e.trip()
		}
		return done
	}
}

// A heads looks at the number that each piece begins with.
type heads struct{ at, size, right int }

func (h *heads) Write(b []byte) (int, error) {
	for n := 0; n < len(b); {
		if h.at%h.size == 0 && len(b)-n >= 8 && int(binary.LittleEndian.Uint64(b[n:])) == h.at/h.size {
			h.right++
		}
		k := min(h.size-h.at%h.size, len(b)-n)
		n, h.at = n+k, h.at+k
	}
	return len(b), nil
}

// copies are pieces of so many bytes by io.Copy.
func (l line) copies(size int) job {
	return func(e *env) func(n int) int {
		c, m := l.connection(e, "conn-copy"), make([]byte, size)
		return func(n int) int {
			if e.side == 1 {
				h := &heads{size: size}
				open(io.Copy(h, io.LimitReader(c, int64(n)*int64(size))))
				return h.right
			}
			for i := range n {
				binary.LittleEndian.PutUint64(m, uint64(i))
				open(io.Copy(c, bytes.NewReader(m)))
			}
			return 0
		}
	}
}

// requests are GETs by so many clients, of each the next when the last was answered. Side 0
// asks, side 1 serves.
func (l line) requests(clients int) job {
	return func(e *env) func(n int) int {
		name := fmt.Sprint("http-", clients)
		if e.side == 1 {
			go http.Serve(open(l.listen(e, name)), http.HandlerFunc(hello))
			return func(int) int { return 0 }
		}
		l.await(e, name).Close()
		return asking(e, clients, func() (net.Conn, error) { return l.dial(e, name) })
	}
}

func hello(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.RawQuery) }

func asking(e *env, clients int, dial func() (net.Conn, error)) func(n int) int {
	client := &http.Client{Transport: &http.Transport{
		DialContext:         func(context.Context, string, string) (net.Conn, error) { return dial() },
		MaxIdleConnsPerHost: clients,
	}}
	ask := func(i int) bool {
		want := strconv.Itoa(i)
		resp := open(client.Get("http://bench/?" + want))
		defer resp.Body.Close()
		return string(open(io.ReadAll(resp.Body))) == want
	}
	return func(n int) (done int) {
		if clients == 1 {
			for i := range n {
				if ask(i) {
					done++
				}
				e.trip()
			}
			return done
		}
		var next, right atomic.Int64
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				for i := next.Add(1); i <= int64(n); i = next.Add(1) {
					if ask(int(i)) {
						right.Add(1)
					}
				}
			})
		}
		all.Wait()
		return int(right.Load())
	}
}

// A pipes is a listener that is dialled in its own process, by net.Pipe.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) { return <-p, nil }
func (p pipes) Close() error              { return nil }
func (p pipes) Addr() net.Addr            { return nil }

func (p pipes) dial() (net.Conn, error) {
	near, far := net.Pipe()
	p <- far
	return near, nil
}

// alone is what net/http itself takes.
func alone(clients int) job {
	return func(e *env) func(n int) int {
		p := make(pipes)
		go http.Serve(p, http.HandlerFunc(hello))
		return asking(e, clients, p.dial)
	}
}

func init() {
	const clients = 64
	jobs["trip/net.Conn"] = byRing.trips
	jobs["large/net.Conn-1M"] = byRing.copies(1 << 20)
	jobs["large/net.Conn-wide-1M"] = byWideRing.copies(1 << 20)
	jobs["large/unix-socket-1M"] = bySocket.copies(1 << 20)
	jobs["trip/http"] = byRing.requests(1)
	jobs["trip/http-unix-socket"] = bySocket.requests(1)
	jobs["trip/http-net.Pipe"] = alone(1)
	jobs["many/http"] = byRing.requests(clients)
	jobs["many/http-unix-socket"] = bySocket.requests(clients)
	jobs["many/http-net.Pipe"] = alone(clients)
}
