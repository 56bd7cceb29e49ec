package contract_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/testproc/actor"
)

// queues are queues of four numbers, whose messages lie in slots, in blocks, and go by CBOR.
var queues = []string{"q", "q.bytes", "q.record"}

// waits has a call take its time, and be over then.
func waits(t *testing.T, a *actor.Actor, verb string, args ...string) {
	t.Helper()
	if got, took := a.Timed(verb, append(args, "20ms")...); got != "deadline" || took < 20*time.Millisecond {
		t.Errorf("%s%q of 20 ms = %s after %v", verb, args, got, took)
	}
}

// fill puts four numbers, from 1 on.
func fill(a *actor.Actor, q string) { a.Expect("4", "queue.putbatch", q, "1", "2", "3", "4") }

func TestQueue(t *testing.T) {
	t.Parallel()
	t.Run("Q1, Q7 a new one is empty; Len goes with what is put and taken", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				a.Expect("0", "queue.len", q)
				a.Expect("4", "queue.cap", q)
				b.Expect("empty", "queue.tryget", q)
				for i, put := range []bool{true, true, false, true, true, true} {
					if put {
						a.Expect("ok", "queue.put", q, strconv.Itoa(i))
					} else {
						b.Expect("0", "queue.get", q)
					}
					n := []string{"1", "2", "1", "2", "3", "4"}[i]
					a.Expect(n, "queue.len", q)
					b.Expect(n, "queue.len", q)
				}
			}
		})
	})
	t.Run("Q2, Q3 as many are put as it holds, by any call; then it is full, and Put waits", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				a.Expect("ok", "queue.put", q, "1")
				b.Expect("ok", "queue.tryput", q, "2")
				a.Expect("ok", "queue.put", q, "3", "1h")
				b.Expect("1", "queue.putbatch", q, "4", "9")
				a.Expect("full", "queue.tryput", q, "9")
				waits(t, a, "queue.put", q, "9")
				put := a.Begin("queue.put", q, "9")
				put.Blocked()
				put.Cancel()
				put.Expect("canceled")
				put = a.Begin("queue.put", q, "5")
				put.Blocked()
				b.Expect("1", "queue.get", q)
				put.Expect("ok")
				for _, n := range []string{"2", "3", "4", "5"} {
					b.Expect(n, "queue.tryget", q)
				}
				b.Expect("empty", "queue.tryget", q) // and none of those that could not
			}
		})
	})
	t.Run("Q4, Q5 first in, first out, by any call; of an empty one Get waits", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				b.Expect("empty", "queue.tryget", q)
				b.Expect("empty", "queue.trylease", q)
				waits(t, b, "queue.get", q)
				waits(t, b, "queue.getinto", q)
				waits(t, b, "queue.getbatch", q, "3")
				waits(t, b, "queue.lease", q)
				for i, get := range [][]string{{"queue.get", q}, {"queue.getinto", q}, {"queue.getbatch", q, "3"}} {
					c := b.Begin(get[0], get[1:]...)
					c.Blocked()
					c.Cancel()
					c.Expect("canceled")
					c = b.Begin(get[0], get[1:]...)
					c.Blocked()
					a.Expect("ok", "queue.put", q, strconv.Itoa(i))
					c.Expect(strconv.Itoa(i))
				}
				fill(a, q)
				b.Expect("1", "queue.get", q, "1h")
				b.Expect("2", "queue.tryget", q)
				b.Expect("3", "queue.getinto", q)
				b.Expect("4 #1", "queue.trylease", q)
			}
		})
	})
	t.Run("Q6 a context that has ended makes no attempt", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a := w.Actor()
			for _, q := range queues {
				a.Expect("ok", "queue.put", q, "1")
				for _, past := range []string{"0s", "-1s"} {
					a.Expect("deadline", "queue.put", q, "2", past)
					a.Expect("deadline", "queue.get", q, past)
					a.Expect("deadline", "queue.getinto", q, past)
					a.Expect("deadline", "queue.getbatch", q, "2", past)
					a.Expect("deadline", "queue.lease", q, past)
					a.Expect("deadline", "queue.poll", q, past)
					a.Expect("deadline", "queue.join", q, past)
				}
				a.Expect("1", "queue.len", q)
				a.Expect("1", "queue.get", q)
			}
		})
	})
	t.Run("Q8 a Put that returned before another began comes first", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as, b := w.Actors(2), w.Actor()
			for n := range 20 {
				as[n%2].Expect("ok", "queue.put", "q", strconv.Itoa(n))
				if n > 2 { // there are others about
					b.Expect(strconv.Itoa(n-3), "queue.get", "q")
				}
			}
		})
	})
	t.Run("Q8, Q9 each message goes to one of several, and those of each producer in their order", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			producers, consumers := w.Actors(2), w.Actors(2)
			for _, q := range queues {
				var puts, gets []*actor.Call
				for i, by := range []string{"get", "into", "batch", "lease", "all"} {
					gets = append(gets, consumers[i%2].Begin("queue.getall", q, by))
				}
				for i, a := range producers {
					puts = append(puts, a.Begin("queue.putall", q, fmt.Sprint(i*1000), fmt.Sprint(i*1000+299)))
				}
				expectAll(puts, "ok")
				producers[0].Expect("ok", "queue.shutdown", q)
				came := map[int]int{}
				for _, c := range gets {
					last := [2]int{-1, -1}
					for _, s := range strings.Fields(c.Answer()) {
						n, err := strconv.Atoi(s)
						if err != nil || n < 0 {
							t.Fatalf("%v = %q", c, c.Answer())
						}
						if came[n]++; n <= last[n/1000] {
							t.Errorf("%s: %d came after %d", q, n, last[n/1000])
						}
						last[n/1000] = n
					}
				}
				for n := range 2000 {
					if want := (1300 - n%1000) / 1001; came[n] != want {
						t.Errorf("%s: %d came %d times", q, n, came[n])
					}
				}
			}
		})
	})
	t.Run("Q10 what is put is there when Put returns", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for i := range 90 {
				n, q := strconv.Itoa(i), queues[i%3]
				a.Expect("ok", "queue.put", q, n)
				b.Expect(n, "queue.tryget", q)
			}
		})
	})
	t.Run("Q11 it is encoded when Put returns: what becomes of it changes nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues { // each put spoils what it has put
				fill(a, q)
				put := a.Begin("queue.put", q, "5")
				put.Blocked()
				b.Expect("1 2 3 4", "queue.getbatch", q, "4")
				put.Expect("ok")
				b.Expect("5", "queue.get", q)
			}
		})
	})
	t.Run("Q12 what cannot be encoded is told at once, and the queue is as it was", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for n := range 4 {
				for range 3 {
					a.Expect("codec", "queue.putloop", "q.record")
				}
				a.Expect(strconv.Itoa(n), "queue.len", "q.record")
				a.Expect("ok", "queue.tryput", "q.record", strconv.Itoa(n))
			}
			a.Expect("codec", "queue.putloop", "q.record") // though it is full
			b.Expect("0 1 2 3", "queue.getbatch", "q.record", "9")
		})
	})
	t.Run("Q13 what can never fit is told at once; Put waits for bytes, too", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("too large", "text.put", "t", "#1048577")
			a.Expect("too large", "text.tryput", "t", "#1048577")
			a.Expect("ok", "text.put", "t", "#1048576")
			a.Expect("ok", "text.put", "t", "#1048576")
			a.Expect("full", "text.tryput", "t", "#1000000")
			a.Expect("too large", "text.put", "t", "#1048577")
			a.Expect("ok", "text.put", "t", "short") // lies in its slot
			put := a.Begin("text.put", "t", "#1000000")
			put.Blocked()
			b.Expect("#1048576", "text.get", "t")
			put.Expect("ok")
			for _, want := range []string{"#1048576", `"short"`, "#1000000"} {
				b.Expect(want, "text.get", "t")
			}
			b.Expect("empty", "text.tryget", "t")
		})
	})
	t.Run("Q17 empty messages are messages", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, s := range []string{"", "nil", "x", ""} {
				a.Expect("ok", "text.put", "t", s)
			}
			a.Expect("4", "text.len", "t")
			for _, want := range []string{`""`, `""`, `"x"`, `""`} {
				b.Expect(want, "text.get", "t")
			}
			b.Expect("empty", "text.tryget", "t")
			get := b.Begin("text.get", "t")
			get.Blocked()
			a.Expect("ok", "text.put", "t", "")
			get.Expect(`""`)
		})
	})
	t.Run("Q21 what was put is there as soon as Put has returned, for each call that takes", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, take := range [][]string{{"queue.get", "q"}, {"queue.get", "q", "1ms"}, {"queue.getinto", "q"}, {"queue.tryget", "q"}, {"queue.getbatch", "q", "9"}} {
				b.Expect("0", "queue.len", "q")
				b.Expect("empty", "queue.tryget", "q")
				a.Expect("ok", "queue.put", "q", "7")
				b.Expect("1", "queue.len", "q")
				b.Expect("7", take[0], take[1:]...)
			}
			b.Expect("deadline", "queue.get", "q", "1ms")
		})
	})
	t.Run("Q22 a handle travels", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "queue.put", "q", "1")
			handle := a.Do("queue.marshal", "q")
			a.Expect("ok", "queue.close", "q")
			b.Expect("ok", "queue.unmarshal", "mine", handle)
			b.Expect("1", "queue.get", "mine")
			b.Expect("ok", "queue.put", "mine", "2")
			c := w.Actor()
			c.Expect("ok", "queue.unmarshal", "again", b.Do("queue.marshal", "mine"))
			c.Expect("2", "queue.get", "again")
		})
	})
}

// Batches.
func TestQueueBatches(t *testing.T) {
	t.Parallel()
	t.Run("PutBatch waits for room for one, and puts as many as there is room for, in their order", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				a.Expect("0", "queue.putbatch", q)
				a.Expect("2", "queue.putbatch", q, "1", "2")
				a.Expect("2", "queue.putbatch", q, "3", "4", "5")
				put := a.Begin("queue.putbatch", q, "5", "6", "7")
				put.Blocked()
				put.Cancel()
				put.Expect("canceled")
				put = a.Begin("queue.putbatch", q, "5", "6", "7")
				put.Blocked()
				b.Expect("1 2", "queue.getbatch", q, "2")
				n := slices.Index([]string{"", "1", "2"}, put.Answer()) // as it woke between them, or not
				if n < 1 {
					t.Fatalf("%v = %s", put, put.Answer())
				}
				b.Expect([]string{"", "3 4 5", "3 4 5 6"}[n], "queue.getbatch", q, "9")
			}
		})
	})
	t.Run("GetBatch waits for one, and gets as many as there are and it has room for", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				b.Expect("", "queue.getbatch", q, "0")
				get := b.Begin("queue.getbatch", q, "3")
				get.Blocked()
				a.Expect("ok", "queue.put", q, "1")
				get.Expect("1")
				fill(a, q)
				b.Expect("1 2 3", "queue.getbatch", q, "3")
				b.Expect("4", "queue.getbatch", q, "3")
				fill(a, q)
				b.Expect("1 #1", "queue.lease", q)
				b.Expect("2 #1", "queue.lease", q)
				b.Expect("ok", "queue.nack", q, "2")
				b.Expect("2 3 4", "queue.getbatch", q, "9") // what was given back, and not what is leased
				b.Expect("ok", "queue.ack", q, "1")
			}
		})
	})
	t.Run("an end: what was got before it, then the end; nothing more is put", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				fill(a, q)
				put := a.Begin("queue.putbatch", q, "5", "6")
				put.Blocked()
				b.Expect("ok", "queue.shutdown", q)
				put.Expect("shut down")
				a.Expect("shut down", "queue.putbatch", q, "5")
				b.Expect("1 2 3 4", "queue.getbatch", q, "9")
				b.Expect("eof", "queue.getbatch", q, "9")
			}
		})
	})
}
