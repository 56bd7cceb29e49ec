package bench_test

import (
	"io"
	"testing"
)

// A connection after the other, beside a Unix socket: dialled, accepted, and closed at both
// ends, by who accepts first; who dials reads the end before it dials again.

var dials = contest{what: "a connection, dialled, accepted and closed", kind: "trip", of: []contestant{
	{two, "Dial"}, {twoFree, "Dial"}, {two, "Dial-unix-socket"}, {twoFree, "Dial-unix-socket"},
}}

func BenchmarkDial(b *testing.B) { dials.run(b) }

func dialBars() []bar {
	return []bar{{contest: dials, against: "Dial-unix-socket", least: 0.5}}
}

// connections are made and closed. Side 0 dials.
func (l line) connections(e *env) func(n int) int {
	if e.side == 0 {
		l.await(e, "dial").Close()
		return func(n int) (done int) {
			for range n {
				c := open(l.dial(e, "dial"))
				if _, err := c.Read(make([]byte, 1)); err == io.EOF && c.Close() == nil {
					done++
				}
				e.trip()
			}
			return done
		}
	}
	at := open(l.listen(e, "dial"))
	open(at.Accept()).Close()
	return func(n int) int {
		for range n {
			open(at.Accept()).Close()
		}
		return 0
	}
}

func init() {
	jobs["trip/Dial"] = byRing.connections
	jobs["trip/Dial-unix-socket"] = bySocket.connections
}
