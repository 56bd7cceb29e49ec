package contract_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/testproc/actor"
)

// What CPython has is a Listener and its Connections over a socket of the system; these rows
// are of package net's contract.

// line has two actors with a connection, both call it "c".
func line(w *world) (dialer, acceptor *actor.Actor) {
	dialer, acceptor = w.Actor(), w.Actor()
	acceptor.Expect("ok", "stream.listen", "svc")
	connects(dialer, acceptor, "c")
	return dialer, acceptor
}

// connects has the one dial and the other accept.
func connects(dialer, acceptor *actor.Actor, as string) {
	dial := dialer.Begin("stream.dial", "svc", as)
	acceptor.Expect("ok", "stream.accept", "svc", as)
	dial.Expect("ok")
}

// emptied waits until the region has no connection.
func (w *world) emptied(t *testing.T) {
	t.Helper()
	w.Until("no connection is left", func() bool {
		s, err := w.Region.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		return len(s.Streams) == 0
	})
}

func TestStream(t *testing.T) {
	t.Parallel()
	t.Run("N1 what is written at one end is read at the other, both ways", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			d, a := line(w)
			for _, s := range []string{"seven", "\x00é"} {
				d.Expect("ok", "stream.write", "svc", "c", s)
				a.Expect(fmt.Sprintf("%q", s), "stream.read", "svc", "c")
				a.Expect("ok", "stream.write", "svc", "c", s)
				d.Expect(fmt.Sprintf("%q", s), "stream.read", "svc", "c")
			}
			d.Expect("ok", "stream.write", "svc", "c", "two ")
			d.Expect("ok", "stream.write", "svc", "c", "at once")
			a.Expect(`"two at once"`, "stream.read", "svc", "c")
		})
	})
	t.Run("N2 one listens at a time; where nobody does, Dial is refused at once", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			d, a, b := w.Actor(), w.Actor(), w.Actor()
			d.Expect("refused", "stream.dial", "svc", "c")
			a.Expect("ok", "stream.listen", "svc")
			a.Expect("in use", "stream.listen", "svc")
			b.Expect("in use", "stream.listen", "svc")
			a.Expect("ok", "stream.unlisten", "svc")
			a.Expect("closed", "stream.unlisten", "svc")
			a.Expect("closed", "stream.accept", "svc", "c")
			d.Expect("refused", "stream.dial", "svc", "c")
			b.Expect("ok", "stream.listen", "svc")
			connects(d, b, "c")
		})
	})
	t.Run("N3 Dial waits for an Accept, as long as its context lasts; then there is no connection", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			d, e, a := w.Actor(), w.Actor(), w.Actor()
			a.Expect("ok", "stream.listen", "svc")
			if got, took := d.Timed("stream.dial", "svc", "c", "20ms"); got != "deadline" || took < 20*time.Millisecond {
				t.Errorf("%s after %v", got, took)
			}
			dial := d.Begin("stream.dial", "svc", "c")
			dial.Blocked()
			dial.Cancel()
			dial.Expect("canceled")
			dial = e.Begin("stream.dial", "svc", "e")
			dial.Blocked()
			a.Expect("ok", "stream.accept", "svc", "a") // and neither of the two before
			dial.Expect("ok")
			e.Expect("ok", "stream.write", "svc", "e", "x")
			a.Expect(`"x"`, "stream.read", "svc", "a")
			accept := a.Begin("stream.accept", "svc", "b")
			accept.Blocked()
			e.Expect("ok", "stream.dial", "svc", "f")
			accept.Expect("ok")
		})
	})
	t.Run("N4 a full backlog: who dials then waits for that, too", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.Actor()
			a.Expect("ok", "stream.listen", "svc")
			var dials []*actor.Call
			for i, d := range w.Actors(4) {
				c := d.Begin("stream.dial", "svc", fmt.Sprint(i))
				c.Blocked()
				dials = append(dials, c)
			}
			for i := range dials {
				a.Expect("ok", "stream.accept", "svc", fmt.Sprint("a", i))
			}
			for _, c := range dials {
				c.Expect("ok")
			}
		})
	})
	t.Run("N5 the listener closes: who waits is refused, asleep or not; connections go on", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			d, a := line(w)
			var dials []*actor.Call
			for i, e := range w.Actors(3) { // one waits for room
				c := e.Begin("stream.dial", "svc", fmt.Sprint(i))
				c.Blocked()
				dials = append(dials, c)
			}
			a.Expect("ok", "stream.unlisten", "svc")
			for _, c := range dials {
				c.Expect("refused")
			}
			d.Expect("ok", "stream.write", "svc", "c", "still here")
			a.Expect(`"still here"`, "stream.read", "svc", "c")
			a.Expect("ok", "stream.listen", "svc")
			accept := a.Begin("stream.accept", "svc", "never")
			accept.Blocked()
			a.Expect("ok", "stream.unlisten", "svc")
			accept.Expect("closed")
		})
	})
	t.Run("N6 Read waits for bytes, until its deadline at most", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			d, a := line(w)
			if got, took := a.Timed("stream.read", "svc", "c", "20ms"); got != "deadline" || took < 20*time.Millisecond {
				t.Errorf("%s after %v", got, took)
			}
			read := a.Begin("stream.read", "svc", "c")
			read.Blocked()
			d.Expect("ok", "stream.write", "svc", "c", "x")
			read.Expect(`"x"`)
		})
	})
	t.Run("N7 Write waits for room, until its deadline at most, and says how much it has written", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			d, a := line(w)
			d.Expect("4096, deadline", "stream.writebytes", "svc", "c", "5000", "300ms")
			a.Expect("4096, ok", "stream.readbytes", "svc", "c", "4096")
			write := d.Begin("stream.writebytes", "svc", "c", "20000")
			write.Blocked()
			a.Expect("20000, ok", "stream.readbytes", "svc", "c", "20000")
			write.Expect("20000, ok")
		})
	})
	t.Run("N8 CloseWrite: what was written, then the end, for good; the other way goes on", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			d, a := line(w)
			d.Expect("ok", "stream.write", "svc", "c", "last")
			d.Expect("ok", "stream.closewrite", "svc", "c")
			d.Expect("broken pipe", "stream.write", "svc", "c", "x")
			for _, want := range []string{`"last"`, "eof", "eof"} {
				a.Expect(want, "stream.read", "svc", "c")
			}
			a.Expect("ok", "stream.write", "svc", "c", "answer")
			d.Expect(`"answer"`, "stream.read", "svc", "c")
			read := d.Begin("stream.read", "svc", "c")
			read.Blocked()
			a.Expect("ok", "stream.closewrite", "svc", "c")
			read.Expect("eof")
		})
	})
	t.Run("N9 CloseRead: the peer's Write is a broken pipe, also one that waits for room", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			d, a := line(w)
			write := d.Begin("stream.writebytes", "svc", "c", "5000")
			write.Blocked()
			a.Expect("ok", "stream.closeread", "svc", "c")
			write.Expect("4096, broken pipe")
			d.Expect("broken pipe", "stream.write", "svc", "c", "x")
			a.Expect("eof", "stream.read", "svc", "c")
			a.Expect("ok", "stream.write", "svc", "c", "answer")
			d.Expect(`"answer"`, "stream.read", "svc", "c")
			d.Expect("ok", "stream.close", "svc", "c")
			a.Expect("broken pipe", "stream.write", "svc", "c", "x")
		})
	})
	t.Run("N10 Close: what was sent, then the end; a reset if it has left bytes unread", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			d, a := line(w)
			connects(d, a, "e")
			for _, c := range []string{"c", "e"} {
				d.Expect("ok", "stream.write", "svc", c, "last")
			}
			a.Expect("ok", "stream.write", "svc", "e", "unread")
			for _, c := range []string{"c", "e"} {
				d.Expect("ok", "stream.close", "svc", c)
				d.Expect("closed", "stream.close", "svc", c)
				d.Expect("closed", "stream.read", "svc", c)
				d.Expect("closed", "stream.write", "svc", c, "x")
				d.Expect("closed", "stream.closewrite", "svc", c)
				a.Expect("broken pipe", "stream.write", "svc", c, "x")
				a.Expect(`"last"`, "stream.read", "svc", c)
			}
			for range 2 {
				a.Expect("eof", "stream.read", "svc", "c")
				a.Expect("reset", "stream.read", "svc", "e")
			}
			a.Expect("ok", "stream.close", "svc", "c")
			a.Expect("ok", "stream.close", "svc", "e")
			w.emptied(t)
		})
	})
	t.Run("N11 who sleeps hears of Close, at both ends", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			for i, closer := range []string{"itself", "peer"} {
				d, a := w.Actor(), w.Actor()
				name := fmt.Sprint("svc", i)
				a.Expect("ok", "stream.listen", name)
				dial := d.Begin("stream.dial", name, "c")
				a.Expect("ok", "stream.accept", name, "c")
				dial.Expect("ok")
				d.Expect("4096, ok", "stream.writebytes", name, "c", "4096")
				read, write := d.Begin("stream.read", name, "c"), d.Begin("stream.writebytes", name, "c", "1")
				read.Blocked()
				write.Blocked()
				if closer == "itself" {
					d.Expect("ok", "stream.close", name, "c")
					read.Expect("closed")
					write.Expect("0, closed")
					a.Expect("4096, eof", "stream.readall", name, "c")
				} else {
					a.Expect("ok", "stream.close", name, "c")
					read.Expect("reset")
					write.Expect("0, broken pipe")
				}
			}
		})
	})
	t.Run("N12 Region.Close at one end is Close there", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			if w.Way == actor.Children {
				return // whose region is open twice
			}
			d, a := line(w)
			d.Expect("ok", "stream.write", "svc", "c", "last")
			read := d.Begin("stream.read", "svc", "c")
			read.Blocked()
			d.Expect("ok", "actor.close")
			read.Expect("closed")
			a.Expect(`"last"`, "stream.read", "svc", "c")
			a.Expect("eof", "stream.read", "svc", "c")
			a.Expect("broken pipe", "stream.write", "svc", "c", "x")
			e := w.Actor()
			dial := e.Begin("stream.dial", "svc", "c")
			dial.Blocked()
			a.Expect("ok", "actor.close")
			dial.Expect("refused")
		})
	})
	t.Run("D3 killed in Dial: nothing is left of it, and the next is accepted", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, d, e := w.Actor(), w.Actor(), w.Actor()
			a.Expect("ok", "stream.listen", "svc")
			dial := d.Begin("stream.dial", "svc", "c")
			dial.Blocked()
			d.Kill()
			w.emptied(t)
			accept := a.Begin("stream.accept", "svc", "c")
			accept.Blocked()
			e.Expect("ok", "stream.dial", "svc", "c")
			accept.Expect("ok")
		})
	})
	t.Run("D3 killed in Accept: who dialled is refused, and the place is free at once", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "stream.listen", "svc")
			accept := a.Begin("stream.accept", "svc", "c")
			accept.Blocked()
			a.Kill()
			b.Expect("ok", "stream.listen", "svc")
			var dials []*actor.Call
			for i, d := range w.Actors(3) {
				c := d.Begin("stream.dial", "svc", fmt.Sprint(i))
				c.Blocked()
				dials = append(dials, c)
			}
			b.Kill()
			for _, c := range dials {
				c.Expect("refused")
			}
			w.emptied(t)
		})
	})
	t.Run("D4 killed while it writes: a first part comes, and the end", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a := w.Actor()
			a.Expect("ok", "stream.listen", "svc")
			for i := range 4 {
				d, c := w.Actor(), fmt.Sprint(i)
				connects(d, a, c)
				read, flood := a.Begin("stream.readall", "svc", c), d.Begin("stream.flood", "svc", c)
				time.Sleep(2 * time.Millisecond)
				if flood.Done() {
					t.Fatal(flood.Answer())
				}
				d.Kill()
				if got := read.Answer(); !strings.HasSuffix(got, ", eof") {
					t.Error(got)
				}
			}
		})
	})
	t.Run("D4 killed while it reads: a Write that waits for room is told", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			d, a := line(w)
			flood := d.Begin("stream.flood", "svc", "c")
			a.Expect("10000, ok", "stream.readbytes", "svc", "c", "10000")
			flood.Blocked()
			a.Kill()
			flood.Expect("broken pipe")
			d.Expect("reset", "stream.read", "svc", "c")
		})
	})
	t.Run("D5 killed after Writes that returned: all comes, then the end", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			d, a := line(w)
			d.Expect("4000, ok", "stream.writebytes", "svc", "c", "4000")
			d.Kill()
			a.Expect("4000, eof", "stream.readall", "svc", "c")
			a.Expect("broken pipe", "stream.write", "svc", "c", "x")
			a.Expect("ok", "stream.close", "svc", "c")
			w.emptied(t)
		})
	})
	t.Run("D9 killed asleep in Read: the peer's next Write is a broken pipe, what it had written is a reset", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			d, a := line(w)
			read := a.Begin("stream.read", "svc", "c")
			read.Blocked()
			a.Stop()
			d.Expect("ok", "stream.write", "svc", "c", "unread") // a stopped one is not dead
			a.Kill()
			d.Expect("reset", "stream.read", "svc", "c")
			d.Expect("broken pipe", "stream.write", "svc", "c", "x")
		})
	})
	t.Run("a stopped peer is a slow one: Write waits for it, and it reads all", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			d, a := line(w)
			a.Stop()
			write := d.Begin("stream.writebytes", "svc", "c", "20000")
			write.Blocked()
			a.Resume()
			all := a.Begin("stream.readall", "svc", "c")
			write.Expect("20000, ok")
			d.Expect("ok", "stream.close", "svc", "c")
			all.Expect("20000, eof")
		})
	})
	t.Run("D10 the sibling of a killed one goes on", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			d, a := line(w)
			e := w.Actor()
			connects(e, a, "e")
			d.Kill()
			a.Expect("eof", "stream.read", "svc", "c")
			e.Expect("ok", "stream.write", "svc", "e", "x")
			a.Expect(`"x"`, "stream.read", "svc", "e")
		})
	})
	t.Run("a stopped listener keeps its place, and who dials waits for it", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			d, a, b := w.Actor(), w.Actor(), w.Actor()
			a.Expect("ok", "stream.listen", "svc")
			a.Stop()
			b.Expect("in use", "stream.listen", "svc")
			d.Expect("deadline", "stream.dial", "svc", "c", "20ms")
			dial := d.Begin("stream.dial", "svc", "c")
			dial.Blocked()
			a.Resume()
			a.Expect("ok", "stream.accept", "svc", "c")
			dial.Expect("ok")
		})
	})
}
