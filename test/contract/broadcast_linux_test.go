package contract_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"example.com/tandem/internal/testproc/actor"
)

// CPython has no broadcast: these rows are what ring.Broadcast says of itself.

// reliables and lossies are broadcasts of four numbers, as they are, in bytes and by CBOR.
var (
	reliables = []string{"n", "n.bytes", "n.record"}
	lossies   = []string{"n.lossy.plain", "n.lossy.bytes", "n.lossy.record"}
)

// subscribes has it subscribe, as "s".
func subscribes(a *actor.Actor, names ...string) {
	for _, n := range names {
		a.Expect("ok", "broadcast.subscribe", n, "s")
	}
}

func TestBroadcast(t *testing.T) {
	t.Parallel()
	t.Run("U1 every subscriber sees every message, each publisher's in their order, and all in the same", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			publishers, subscribers := w.Actors(2), w.Actors(2)
			for _, n := range reliables {
				var nexts, puts []*actor.Call
				for i, by := range []string{"nextall", "nextall", "all"} { // two of one process
					a := subscribers[i%2]
					a.Expect("ok", "broadcast.subscribe", n, fmt.Sprint(i))
					nexts = append(nexts, a.Begin("broadcast."+by, n, fmt.Sprint(i)))
				}
				for i, a := range publishers {
					puts = append(puts, a.Begin("broadcast.publishall", n, fmt.Sprint(i*1000), fmt.Sprint(i*1000+199)))
				}
				expectAll(puts, "ok")
				publishers[0].Expect("ok", "broadcast.shutdown", n)
				all := nexts[0].Answer()
				expectAll(nexts, all)
				due := [2]int{0, 1000}
				for _, s := range strings.Fields(all) {
					v, err := strconv.Atoi(s)
					if err != nil || v < 0 || v != due[v/1000%2] {
						t.Fatalf("%s: %s came, %v were due: %s", n, s, due, all)
					}
					due[v/1000]++
				}
				if due != [2]int{200, 1200} {
					t.Errorf("%s: at the end %v were due", n, due)
				}
			}
		})
	})
	t.Run("U2 a subscriber sees what is published from then on", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			for _, n := range append(reliables, lossies...) {
				a.Expect("ok", "broadcast.publish", n, "1")
				subscribes(b, n)
				waits(t, b, "broadcast.next", n, "s")
				a.Expect("ok", "broadcast.publish", n, "2")
				subscribes(c, n)
				a.Expect("ok", "broadcast.try", n, "3")
				b.Expect("2", "broadcast.next", n, "s")
				b.Expect("3", "broadcast.next", n, "s")
				c.Expect("3", "broadcast.next", n, "s")
			}
		})
	})
	t.Run("U3 Next waits for a message, and so does Poll, which takes none", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, n := range append(reliables, lossies...) {
				subscribes(b, n)
				b.Expect("deadline", "broadcast.poll", n, "s", "0s")
				waits(t, b, "broadcast.poll", n, "s")
				next := b.Begin("broadcast.next", n, "s")
				next.Blocked()
				next.Cancel()
				next.Expect("canceled")
				next, poll := b.Begin("broadcast.next", n, "s"), b.Begin("broadcast.poll", n, "s")
				next.Blocked()
				a.Expect("ok", "broadcast.publish", n, "1")
				next.Expect("1")
				a.Expect("ok", "broadcast.publish", n, "2")
				poll.Expect("ok")
				for range 2 {
					b.Expect("ok", "broadcast.poll", n, "s")
				}
				b.Expect("deadline", "broadcast.next", n, "s", "0s") // it makes no attempt
				b.Expect("2", "broadcast.next", n, "s")
			}
		})
	})
	t.Run("U4 reliable: Publish waits for the slowest; where nobody subscribes it does not", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, slow, fast := w.Actor(), w.Actor(), w.Actor()
			for _, n := range reliables {
				a.Expect("ok", "broadcast.publishall", n, "1", "20")
				subscribes(slow, n)
				subscribes(fast, n)
				a.Expect("ok", "broadcast.publishall", n, "21", "24")
				for i := 21; i < 25; i++ {
					fast.Expect(strconv.Itoa(i), "broadcast.next", n, "s")
				}
				a.Expect("full", "broadcast.try", n, "25")
				waits(t, a, "broadcast.publish", n, "25")
				put := a.Begin("broadcast.publish", n, "25")
				put.Blocked()
				put.Cancel()
				put.Expect("canceled")
				put = a.Begin("broadcast.publish", n, "25")
				put.Blocked()
				slow.Expect("21", "broadcast.next", n, "s")
				put.Expect("ok")
				a.Expect("full", "broadcast.try", n, "26")
				fast.Expect("25", "broadcast.next", n, "s") // and none that was not published
				waits(t, fast, "broadcast.next", n, "s")
				slow.Expect("22", "broadcast.next", n, "s")
			}
		})
	})
	t.Run("U5 lossy: Publish waits for nobody, and who is slow is told exactly what it missed", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			for _, n := range lossies {
				subscribes(b, n)
				subscribes(c, n)
				a.Expect("ok", "broadcast.publishall", n, "1", "10")
				b.Expect("7, 6 missed", "broadcast.next", n, "s")
				for _, want := range []string{"8", "9", "10"} {
					b.Expect(want, "broadcast.next", n, "s")
				}
				a.Expect("ok", "broadcast.publishall", n, "11", "15")
				b.Expect("deadline", "broadcast.next", n, "s", "0s") // an error keeps the count
				b.Expect("12, 1 missed", "broadcast.next", n, "s")
				c.Expect("12, 11 missed", "broadcast.next", n, "s")
				a.Expect("ok", "broadcast.try", n, "16")
				for _, want := range []string{"13", "14", "15", "16"} {
					c.Expect(want, "broadcast.next", n, "s")
				}
				a.Expect("ok", "broadcast.shutdown", n)
				for _, want := range []string{"13", "14", "15", "16", "eof"} {
					b.Expect(want, "broadcast.next", n, "s")
				}
			}
		})
	})
	t.Run("U5 lossy: what was got and what was missed is all there was, at any pace", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			for _, n := range lossies {
				subscribes(b, n)
				subscribes(c, n)
				counts := []*actor.Call{b.Begin("broadcast.count", n, "s"), c.Begin("broadcast.count", n, "s")}
				a.Expect("ok", "broadcast.publishall", n, "1", "2000")
				a.Expect("ok", "broadcast.shutdown", n)
				expectAll(counts, "2000")
			}
		})
	})
	t.Run("U6 Shutdown: no more is published, by those who wait either; what was is seen, then io.EOF for good", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			for _, n := range reliables {
				subscribes(b, n)
				subscribes(c, n)
				a.Expect("ok", "broadcast.publishall", n, "1", "4")
				for i := 1; i < 5; i++ {
					c.Expect(strconv.Itoa(i), "broadcast.next", n, "s")
				}
				put, next, poll := a.Begin("broadcast.publish", n, "5"), c.Begin("broadcast.next", n, "s"), c.Begin("broadcast.poll", n, "s")
				put.Blocked()
				next.Blocked()
				poll.Blocked()
				b.Expect("ok", "broadcast.shutdown", n)
				put.Expect("shut down")
				next.Expect("eof")
				poll.Expect("ok")
				a.Expect("shut down", "broadcast.publish", n, "5")
				a.Expect("shut down", "broadcast.try", n, "5")
				for _, want := range []string{"1", "2", "3", "4", "eof", "eof"} {
					b.Expect(want, "broadcast.next", n, "s")
				}
				a.Expect("shut down", "broadcast.try", n, "5")
				a.Expect("ok", "broadcast.shutdown", n)
				a.Expect("ok", "broadcast.subscribe", n, "late")
				a.Expect("eof", "broadcast.next", n, "late")
			}
		})
	})
	t.Run("U7 Close of a subscriber: its calls say so, and nobody waits for it", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			for _, n := range reliables {
				subscribes(b, n)
				subscribes(c, n)
				calls := []*actor.Call{b.Begin("broadcast.next", n, "s"), b.Begin("broadcast.poll", n, "s")}
				for _, call := range calls {
					call.Blocked()
				}
				b.Expect("ok", "broadcast.leave", n, "s")
				b.Expect("ok", "broadcast.leave", n, "s")
				expectAll(calls, "closed")
				b.Expect("closed", "broadcast.next", n, "s")
				b.Expect("closed", "broadcast.poll", n, "s")
				a.Expect("ok", "broadcast.publishall", n, "1", "4")
				put := a.Begin("broadcast.publish", n, "5")
				put.Blocked()
				c.Expect("ok", "broadcast.leave", n, "s")
				put.Expect("ok")
				a.Expect("ok", "broadcast.publishall", n, "6", "20")
			}
		})
	})
	t.Run("U7 Close of a handle: its calls say so, those that wait, too; its subscribers and the others go on", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, n := range reliables {
				subscribes(a, n)
				subscribes(b, n)
				a.Expect("ok", "broadcast.publishall", n, "1", "4")
				put, other := a.Begin("broadcast.publish", n, "9"), b.Begin("broadcast.publish", n, "5")
				put.Blocked()
				other.Blocked()
				a.Expect("ok", "broadcast.close", n)
				a.Expect("ok", "broadcast.close", n)
				put.Expect("closed")
				other.StillBlocked()
				a.Expect("closed", "broadcast.publish", n, "9")
				a.Expect("closed", "broadcast.try", n, "9")
				a.Expect("closed", "broadcast.subscribe", n, "t")
				a.Expect("closed", "broadcast.shutdown", n)
				for i := 1; i < 5; i++ {
					a.Expect(strconv.Itoa(i), "broadcast.next", n, "s")
					b.Expect(strconv.Itoa(i), "broadcast.next", n, "s")
				}
				other.Expect("ok")
				a.Expect("5", "broadcast.next", n, "s")
				b.Expect("5", "broadcast.next", n, "s")
				a.Expect("ok", "broadcast.open", n)
				a.Expect("ok", "broadcast.publish", n, "6")
				b.Expect("6", "broadcast.next", n, "s")
			}
		})
	})
	t.Run("U8 what cannot be a message is told at once, and is none", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, n := range []string{"n.record", "n.lossy.record"} {
				subscribes(b, n)
				a.Expect("codec", "broadcast.publishloop", n)
				a.Expect("ok", "broadcast.publish", n, "1")
				b.Expect("1", "broadcast.next", n, "s")
			}
			for _, n := range []string{"n.bytes", "n.lossy.bytes"} {
				subscribes(b, n)
				a.Expect("too large", "broadcast.publishbytes", n, "32769") // half of Buffer
				a.Expect("ok", "broadcast.publish", n, "1")
				b.Expect("1", "broadcast.next", n, "s")
				a.Expect("ok", "broadcast.publishbytes", n, "32768")
				b.Expect("-1", "broadcast.next", n, "s")
			}
		})
	})
	t.Run("U9 a handle travels", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			b.Expect("ok", "broadcast.unmarshal", "mine", a.Do("broadcast.marshal", "n"))
			b.Expect("ok", "broadcast.subscribe", "mine", "s")
			a.Expect("ok", "broadcast.publish", "n", "1")
			b.Expect("1", "broadcast.next", "mine", "s")
		})
	})
}
