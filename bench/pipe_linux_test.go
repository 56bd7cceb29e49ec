package bench_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

// A pipe beside a Unix socket and Python's Pipe, which is one.

// pipeOf is this side's end of a pipe: side 0 has the left one.
func pipeOf[T any](e *env, name string, buffer int) *ring.Conn[T] {
	end := ring.Left
	if e.side == 1 {
		end = ring.Right
	}
	return open(ring.OpenPipe[T](e.Region, e.name(name), end, &ring.PipeOptions{Buffer: buffer}))
}

var pipeStream = contest{what: "a pipe, a stream of 64 bytes each", kind: "stream", of: []contestant{
	{two, "Conn"}, {twoFree, "Conn"}, {two, "unix-socket"}, {two, "Queue"}, {inPython, "Pipe"},
}}

func BenchmarkPipeStream(b *testing.B) { pipeStream.run(b) }

var pipeTrip = contest{what: "a pipe, a round trip of 64 bytes", kind: "trip", of: []contestant{
	{two, "Conn"}, {twoFree, "Conn"}, {two, "unix-socket"}, {two, "Queue"}, {inPython, "Pipe"},
}}

func BenchmarkPipeTrip(b *testing.B) { pipeTrip.run(b) }

const long = 64 << 10

var pipeLarge = contest{what: "a pipe, `[]byte` of 64 KiB", kind: "large", bytes: long, of: []contestant{
	{two, "Conn-64K"}, {twoFree, "Conn-64K"}, {two, "Conn-Recv-64K"}, {two, "unix-socket-64K"}, {twoFree, "unix-socket-64K"},
}}

func BenchmarkPipeLarge(b *testing.B) { pipeLarge.run(b) }

var pipeLargeWide = contest{what: "a pipe with a Buffer of 4 MiB, `[]byte` of 64 KiB", kind: "large", bytes: long, of: []contestant{
	{two, "Conn-wide-64K"}, {twoFree, "Conn-wide-64K"}, {two, "Conn-Recv-wide-64K"}, {two, "unix-socket-64K"}, {twoFree, "unix-socket-64K"},
}}

func BenchmarkPipeLargeWide(b *testing.B) { pipeLargeWide.run(b) }

func pipeBars() []bar {
	return []bar{
		{contest: pipeStream, against: "unix-socket", least: 10},
		{contest: pipeTrip, against: "unix-socket", least: 20},
		{contest: pipeLarge, against: "unix-socket-64K", least: 4},
		{contest: pipeLargeWide, against: "unix-socket-64K", least: 4},
	}
}

// pipeLongs sends long messages through a pipe of that buffer; recv makes what receives one.
func pipeLongs(buffer int, recv func(*ring.Conn[[]byte]) func() []byte) func(*env) func(n int) int {
	return func(e *env) func(n int) int {
		c, m := pipeOf[[]byte](e, "pipe-large", buffer), make([]byte, long)
		next := recv(c)
		return func(n int) (done int) {
			for i := range n {
				if e.side == 0 {
					binary.LittleEndian.PutUint64(m, uint64(i))
					testproc.Must(c.Send(background, m))
				} else if m := next(); len(m) == long && binary.LittleEndian.Uint64(m) == uint64(i) {
					done++
				}
			}
			return done
		}
	}
}

func init() {
	jobs["stream/Conn"] = func(e *env) func(n int) int {
		c := pipeOf[message](e, "pipe-stream", 1<<18)
		return func(n int) (done int) {
			for i := range n {
				if e.side == 0 {
					testproc.Must(c.Send(background, numbered(i)))
				} else if m, err := c.Recv(background); err == nil && m.number() == i {
					done++
				}
			}
			return done
		}
	}
	jobs["trip/Conn"] = func(e *env) func(n int) int {
		c := pipeOf[message](e, "pipe-trip", 0)
		return func(n int) (done int) {
			for i := range n {
				if e.side == 1 {
					testproc.Must(c.Send(background, open(c.Recv(background))))
					continue
				}
				testproc.Must(c.Send(background, numbered(i)))
				if m, err := c.Recv(background); err == nil && m.number() == i {
					done++
				}
				e.trip()
			}
			return done
		}
	}
	for name, buffer := range map[string]int{"": 8 * long, "wide-": 64 * long} {
		jobs["large/Conn-"+name+"64K"] = pipeLongs(buffer, func(c *ring.Conn[[]byte]) func() []byte {
			var m []byte
			return func() []byte {
				testproc.Must(c.RecvInto(background, &m))
				return m
			}
		})
		jobs["large/Conn-Recv-"+name+"64K"] = pipeLongs(buffer, func(c *ring.Conn[[]byte]) func() []byte {
			return func() []byte { return open(c.Recv(background)) }
		})
	}
	jobs["large/unix-socket-64K"] = func(e *env) func(n int) int {
		c, m := e.socket(), make([]byte, long)
		return func(n int) (done int) {
			for i := range n {
				if e.side == 0 {
					binary.LittleEndian.PutUint64(m, uint64(i))
					open(c.Write(m))
				} else if open(io.ReadFull(c, m)); binary.LittleEndian.Uint64(m) == uint64(i) {
					done++
				} else {
					testproc.Must(fmt.Errorf("message %d is another", i))
				}
			}
			return done
		}
	}
}
