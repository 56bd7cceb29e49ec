package bench_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

func BenchmarkQueueFree(b *testing.B) {
	contest{what: "`Queue`, Put and Get of 64 bytes", kind: "free", of: []contestant{
		{here, "Queue"}, {here, "channel"}, {inC, "mpmc-ring-64"}, {inC, "locked-ring-64"}, {inPython, "Queue"},
	}}.run(b)
}

// There and back again is one operation.
func BenchmarkQueueTrip(b *testing.B) {
	contest{what: "two `Queue`s, a round trip of 64 bytes", kind: "trip", of: []contestant{
		{two, "Queue"}, {twoFree, "Queue"}, {inC, "mpmc-ring-64"}, {inC, "locked-ring-64"},
		{two, "unix-socket"}, {inC, "futex"}, {inPython, "Queue"}, {inPython, "Pipe"},
	}}.run(b)
}

// One process sends as fast as it can, one receives.
var queueStream = contest{what: "`Queue`, a stream of 64 bytes each", kind: "stream", of: []contestant{
	{two, "Queue"}, {twoFree, "Queue"},
	{inC, "mpmc-ring-64"}, {inC, "spsc-ring-64"}, {inC, "locked-ring-64"},
	{two, "unix-socket"}, {inPython, "Queue"}, {inPython, "Pipe"},
}}

func BenchmarkQueueStream(b *testing.B) { queueStream.run(b) }

// As many messages as the rings in C have.
func (e *env) queue(name string) *ring.Queue[message] {
	return open(ring.OpenQueue[message](e.Region, e.name(name), &ring.QueueOptions{Capacity: 4096}))
}

func init() {
	jobs["free/Queue"] = func(e *env) func(n int) int {
		q := e.queue("q")
		return func(n int) (done int) {
			for i := range n {
				testproc.Must(q.Put(background, numbered(i)))
				if m, err := q.Get(background); err == nil && m.number() == i {
					done++
				}
			}
			return done
		}
	}
	jobs["free/channel"] = func(e *env) func(n int) int {
		q := make(chan message, 4096)
		return func(n int) (done int) {
			for i := range n {
				select {
				case q <- numbered(i):
				case <-background.Done():
				}
				select {
				case m := <-q:
					if m.number() == i {
						done++
					}
				case <-background.Done():
				}
			}
			return done
		}
	}
	jobs["trip/Queue"] = func(e *env) func(n int) int {
		there, back := e.queue("there"), e.queue("back")
		return func(n int) (done int) {
			for i := range n {
				if e.side == 1 {
					testproc.Must(back.Put(background, open(there.Get(background))))
					continue
				}
				testproc.Must(there.Put(background, numbered(i)))
				if m, err := back.Get(background); err == nil && m.number() == i {
					done++
				}
				e.trip()
			}
			return done
		}
	}
	jobs["stream/Queue"] = func(e *env) func(n int) int {
		q := e.queue("stream")
		return func(n int) (done int) {
			for i := range n {
				if e.side == 0 {
					testproc.Must(q.Put(background, numbered(i)))
				} else if m, err := q.Get(background); err == nil && m.number() == i {
					done++
				}
			}
			return done
		}
	}
	jobs["trip/unix-socket"] = func(e *env) func(n int) int {
		c := e.socket()
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
	jobs["stream/unix-socket"] = func(e *env) func(n int) int {
		c := e.socket()
		in := bufio.NewReaderSize(c, 1<<16)
		return func(n int) (done int) {
			for i := range n {
				m := numbered(i)
				if e.side == 0 {
					open(c.Write(m[:]))
				} else if open(io.ReadFull(in, m[:])); m.number() == i {
					done++
				}
			}
			return done
		}
	}
}

// socket connects the two sides: 0 listens, 1 dials.
func (e *env) socket() net.Conn {
	path := filepath.Join(e.dir, e.name("socket"))
	if e.side == 0 {
		l := open(net.Listen("unix", path))
		defer l.Close()
		return open(l.Accept())
	}
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		c, err := net.Dial("unix", path)
		if err == nil {
			return c
		}
		if time.Since(start) > testproc.Patience {
			testproc.Must(errors.New("nobody listens"))
		}
	}
}
