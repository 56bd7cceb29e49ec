package contract_test

import (
	"fmt"
	"testing"

	"example.com/tandem/internal/testproc/actor"
)

func TestPipe(t *testing.T) {
	t.Parallel()
	t.Run("P1 a duplex pair: what is sent comes back equal", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, s := range []string{"seven", "", "\x00é"} {
				a.Expect("ok", "pipe.send", "p", "left", s)
				b.Expect(fmt.Sprintf("%q", s), "pipe.recv", "p", "right")
				b.Expect("ok", "pipe.send", "p", "right", s)
				a.Expect(fmt.Sprintf("%q", s), "pipe.recv", "p", "left")
			}
		})
	})
	t.Run("P2 one way: the left end sends, the right one receives, and no other way", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "pipe.send", "one", "left", "x")
			b.Expect(`"x"`, "pipe.recv", "one", "right")
			b.Expect("direction", "pipe.send", "one", "right", "x")
			a.Expect("direction", "pipe.recv", "one", "left")
			a.Expect("direction", "pipe.poll", "one", "left")
		})
	})
	t.Run("P3 boundaries are kept, of empty messages too: nothing is merged or split", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			b.Expect("ok", "pipe.open", "p", "right")
			for _, s := range []string{"", "a", "", "bbb", "cc"} {
				a.Expect("ok", "pipe.send", "p", "left", s)
			}
			for _, s := range []string{"", "a", "", "bbb", "cc"} {
				b.Expect(fmt.Sprintf("%q", s), "pipe.recv", "p", "right")
			}
			b.Expect("deadline", "pipe.recv", "p", "right", "10ms")
		})
	})
	t.Run("P4 Poll says that a message is there, waits for one, and takes none", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			b.Expect("deadline", "pipe.poll", "p", "right", "20ms")
			poll := b.Begin("pipe.poll", "p", "right")
			poll.Blocked()
			a.Expect("ok", "pipe.send", "p", "left", "x")
			poll.Expect("ok")
			b.Expect("ok", "pipe.poll", "p", "right")
			b.Expect(`"x"`, "pipe.recv", "p", "right")
			b.Expect("deadline", "pipe.poll", "p", "right", "20ms")
		})
	})
	t.Run("P5 one who polls takes nobody's wake-up", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			for range 5 {
				poll, recv := b.Begin("pipe.poll", "p", "right"), c.Begin("pipe.recv", "p", "right")
				poll.Blocked()
				recv.Blocked()
				a.Expect("ok", "pipe.send", "p", "left", "x")
				recv.Expect(`"x"`)
				if !poll.Done() { // the other was first
					a.Expect("ok", "pipe.send", "p", "left", "y")
					poll.Expect("ok")
					c.Expect(`"y"`, "pipe.recv", "p", "right")
				}
			}
		})
	})
	t.Run("P6 when the peer has closed: what was sent, then the end, for good", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			b.Expect("ok", "pipe.open", "p", "right")
			a.Expect("ok", "pipe.send", "p", "left", "1")
			a.Expect("ok", "pipe.send", "p", "left", "2")
			a.Expect("ok", "pipe.close", "p", "left")
			for _, want := range []string{`"1"`, `"2"`, "eof", "eof"} {
				b.Expect("ok", "pipe.poll", "p", "right")
				b.Expect(want, "pipe.recv", "p", "right")
			}
			recv := b.Begin("pipe.recv", "q", "right")
			recv.Blocked() // a peer that never came has not closed
			a.Expect("ok", "pipe.open", "q", "left")
			recv.StillBlocked()
			a.Expect("ok", "pipe.close", "q", "left")
			recv.Expect("eof")
		})
	})
	t.Run("P7 a sender to a peer that has closed is told, and so is one who has closed himself", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "pipe.open", "p", "left")
			b.Expect("ok", "pipe.open", "p", "right")
			b.Expect("ok", "pipe.close", "p", "right")
			b.Expect("ok", "pipe.close", "p", "right")
			a.Expect("broken pipe", "pipe.send", "p", "left", "x")
			b.Expect("closed", "pipe.send", "p", "right", "x")
			b.Expect("closed", "pipe.recv", "p", "right")
			b.Expect("closed", "pipe.poll", "p", "right")
			b.Expect("broken pipe", "pipe.open", "p", "right 2")
			a.Expect("ok", "pipe.close", "p", "left")
			b.Expect("ok", "pipe.open", "p", "right 2") // of a pipe anew
			a.Expect("ok", "pipe.open", "p", "left 2")
			a.Expect("ok", "pipe.send", "p", "left 2", "x")
			b.Expect(`"x"`, "pipe.recv", "p", "right 2")
		})
	})
	t.Run("P8, D10 the only holder is killed: the end, though a sibling lives", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b, sibling := w.Actor(), w.Actor(), w.Actor()
			sibling.Expect("ok", "pipe.open", "other", "left")
			a.Expect("ok", "pipe.open", "p", "left")
			recv := b.Begin("pipe.recv", "p", "right")
			recv.Blocked()
			a.Kill()
			recv.Expect("eof")
			b.Expect("broken pipe", "pipe.send", "p", "right", "x")
		})
	})
	t.Run("P12 a message of Buffer-8 bytes passes; a longer one is too large, at once, and changes nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("too large", "pipe.sendbytes", "p", "left", "4089")
			a.Expect("ok", "pipe.sendbytes", "p", "left", "4088")
			a.Expect("too large", "pipe.sendbytes", "p", "left", "1000000")
			b.Expect("4088 bytes", "pipe.recv", "p", "right")
			b.Expect("deadline", "pipe.recv", "p", "right", "10ms")
		})
	})
	t.Run("P13 a sender waits while there is no room, and goes on when there is", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			b.Expect("ok", "pipe.open", "p", "right")
			a.Expect("ok", "pipe.sendbytes", "p", "left", "4000")
			a.Expect("deadline", "pipe.sendbytes", "p", "left", "200", "20ms")
			send := a.Begin("pipe.sendbytes", "p", "left", "200")
			send.Blocked()
			b.Expect("4000 bytes", "pipe.recv", "p", "right")
			send.Expect("ok")
			a.Expect("ok", "pipe.sendbytes", "p", "left", "3800")
			send = a.Begin("pipe.sendbytes", "p", "left", "200")
			send.Blocked()
			b.Expect("ok", "pipe.close", "p", "right")
			send.Expect("broken pipe")
		})
	})
	t.Run("P15 any number of users of an end: each message whole, and one's", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			senders, receivers := w.Actors(3), w.Actors(2)
			for _, a := range senders {
				a.Expect("ok", "pipe.open", "one", "left")
			}
			var recvs []*actor.Call
			for _, a := range receivers {
				recvs = append(recvs, a.Begin("pipe.recvall", "one", "right"))
			}
			var sends []*actor.Call
			for _, a := range senders {
				sends = append(sends, a.Begin("pipe.sendall", "one", "left", "300"))
			}
			for _, s := range sends {
				s.Expect("ok")
			}
			got := 0
			for _, r := range recvs {
				n := 0
				if _, err := fmt.Sscanf(r.Answer(), "eof after %d", &n); err != nil {
					t.Error(r.Answer())
				}
				got += n
			}
			if got != 900 {
				t.Errorf("%d of 900 messages came", got)
			}
		})
	})
	t.Run("D3 killed while it waits for a message: the others get it", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			c.Expect("ok", "pipe.open", "p", "right")
			recv := b.Begin("pipe.recv", "p", "right")
			recv.Blocked()
			b.Kill()
			other := c.Begin("pipe.recv", "p", "right")
			a.Expect("ok", "pipe.send", "p", "left", "x")
			other.Expect(`"x"`)
		})
	})
	t.Run("D4 killed while it sends: what was not sent is not there, and the next goes on", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			b, next := w.Actor(), w.Actor()
			next.Expect("ok", "pipe.open", "p", "left")
			for range 5 {
				a := w.Actor()
				flood := a.Begin("pipe.flood", "p", "left")
				for range 10 {
					b.Expect("3996 bytes", "pipe.recv", "p", "right")
				}
				if flood.Done() {
					t.Fatal(flood.Answer())
				}
				a.Kill()
				send := next.Begin("pipe.send", "p", "left", "next")
				for got := ""; got != `"next"`; {
					if got = b.Do("pipe.recv", "p", "right"); got != `"next"` && got != "3996 bytes" {
						t.Fatal(got)
					}
				}
				send.Expect("ok")
			}
		})
	})
	t.Run("D5 killed after five Sends that returned: all five come, then the end", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			b.Expect("ok", "pipe.open", "p", "right")
			for range 5 {
				a.Expect("ok", "pipe.sendbytes", "p", "left", "700")
			}
			a.Kill()
			for range 5 {
				b.Expect("700 bytes", "pipe.recv", "p", "right")
			}
			b.Expect("eof", "pipe.recv", "p", "right")
		})
	})
	t.Run("a handle travels, and its bytes hold nothing", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			b.Expect("ok", "pipe.open", "p", "right")
			bytes := a.Do("pipe.marshal", "p left")
			c := w.Actor()
			c.Expect("ok", "pipe.unmarshal", "x there", bytes)
			a.Expect("ok", "pipe.close", "p", "left")
			c.Expect("ok", "pipe.send", "x", "there", "from there")
			b.Expect(`"from there"`, "pipe.recv", "p", "right")
			c.Expect("ok", "pipe.close", "x", "there")
			b.Expect("eof", "pipe.recv", "p", "right")
		})
	})
}
