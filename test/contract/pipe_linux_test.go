package contract_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/internal/testproc/actor/verbs"
	"example.com/tandem/proc"
	"example.com/tandem/ring"
	"example.com/tandem/shm/shmtest"
)

// conn is the actor's end of a pipe that "p left" names, of another T than verbs.Conn's.
func conn[T any](e *actor.Env, args []string, o *ring.PipeOptions) *ring.Conn[T] {
	end := ring.Right
	if args[1] == "left" {
		end = ring.Left
	}
	return actor.Handle(e, args[0]+" "+args[1], func() (*ring.Conn[T], error) { return ring.OpenPipe[T](e.Region, args[0], end, o) })
}

var (
	// Sends an end through a pipe, whose messages are ends.
	_ = actor.Verb("pipe.give", func(e *actor.Env, args []string) string { // the end
		return verbs.Ringed(conn[*ring.Conn[[]byte]](e, args, nil).Send(e.Ctx, verbs.Conn(e, args[2]+" "+args[3])))
	})
	// Receives one, which the actor then calls so.
	_ = actor.Verb("pipe.take", func(e *actor.Env, args []string) string { // what it is called
		c := actor.Opened(conn[*ring.Conn[[]byte]](e, args, nil).Recv(e.Ctx))
		actor.Handle(e, args[2]+" "+args[3], func() (*ring.Conn[[]byte], error) { return c, nil })
		return "ok"
	})
	// Sends messages that take 64 bytes each, through a pipe that has so many.
	_ = actor.Verb("pipe.fill", func(e *actor.Env, args []string) string { // Buffer
		c := conn[[56]byte](e, args, &ring.PipeOptions{Buffer: actor.Opened(strconv.Atoi(args[2]))})
		for {
			if err := c.Send(e.Ctx, [56]byte{}); err != nil {
				return verbs.Ringed(err)
			}
		}
	})
	// Receives one of them.
	_ = actor.Verb("pipe.drop", func(e *actor.Env, args []string) string {
		_, err := conn[[56]byte](e, args, nil).Recv(e.Ctx)
		return verbs.Ringed(err)
	})

	sender = proc.Register("contract.sender", func(ctx context.Context, c *ring.Conn[string]) error {
		return c.Send(ctx, "from the child")
	})
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
	t.Run("P14 who hands its end to a child may close its own at once", func(t *testing.T) {
		ctx, r := testproc.Watchdog(t), shmtest.Region(t)
		left := testproc.Get(ring.OpenPipe[string](r, "p", ring.Left, nil))(t)
		right := testproc.Get(ring.OpenPipe[string](r, "p", ring.Right, nil))(t)
		p := testproc.Get(sender.Start(ctx, left, nil))(t)
		testproc.OK(t, left.Close())
		if got, err := right.Recv(ctx); got != "from the child" || err != nil {
			t.Errorf("Recv = %q, %v", got, err)
		}
		if _, err := right.Recv(ctx); !errors.Is(err, io.EOF) {
			t.Errorf("the child has ended: %v", err)
		}
		testproc.OK(t, p.Wait(ctx))
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
	t.Run("P16 an end is sent through a pipe, and whoever gets it has it", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			c.Expect("ok", "pipe.open", "p", "right")
			a.Expect("ok", "pipe.give", "ends", "left", "p", "left")
			b.Expect("ok", "pipe.take", "ends", "right", "got", "it")
			a.Expect("ok", "pipe.close", "p", "left")
			b.Expect("ok", "pipe.send", "got", "it", "through it")
			c.Expect(`"through it"`, "pipe.recv", "p", "right")
			c.Expect("ok", "pipe.send", "p", "right", "back")
			b.Expect(`"back"`, "pipe.recv", "got", "it")
			b.Expect("ok", "pipe.close", "got", "it")
			c.Expect("eof", "pipe.recv", "p", "right")
		})
	})
	t.Run("P19 a Send waits when Buffer bytes are full, whatever Buffer is, and not before", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, buffer := range []int{64, 4096, 1 << 16, 1 << 20} {
				name := fmt.Sprint("p-", buffer)
				fill := a.Begin("pipe.fill", name, "left", fmt.Sprint(buffer))
				fill.Blocked()
				if n := testproc.Get(w.Region.Snapshot())(t).Object(name).Len; n != buffer {
					t.Errorf("it waits with %d bytes of %d", n, buffer)
				}
				b.Expect("ok", "pipe.drop", name, "right")
				w.Until("one more is there", func() bool { return testproc.Get(w.Region.Snapshot())(t).Object(name).Len == buffer })
				fill.Cancel()
				fill.Expect("canceled")
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
	t.Run("D9 killed after a Recv that returned: the message is done, and the next is another's", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			c.Expect("ok", "pipe.open", "p", "right")
			a.Expect("ok", "pipe.send", "p", "left", "first")
			a.Expect("ok", "pipe.send", "p", "left", "second")
			b.Expect(`"first"`, "pipe.recv", "p", "right")
			b.Kill()
			c.Expect(`"second"`, "pipe.recv", "p", "right")
			recv := c.Begin("pipe.recv", "p", "right")
			recv.Blocked()
			a.Expect("ok", "pipe.send", "p", "left", "third")
			recv.Expect(`"third"`)
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
