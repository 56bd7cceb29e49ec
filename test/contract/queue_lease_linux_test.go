package contract_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
)

func TestQueueLeases(t *testing.T) {
	t.Parallel()
	t.Run("a lease keeps the message from the others, until Ack; it takes a place, and holds up nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				a.Expect("ok", "queue.put", q, "0")
				a.Expect("ok", "queue.put", q, "1")
				b.Expect("0 #1", "queue.lease", q)
				a.Expect("1", "queue.len", q)
				a.Expect("1", "queue.get", q)
				a.Expect("empty", "queue.tryget", q)
				a.Expect("empty", "queue.trylease", q)
				for n := 2; n < 12; n += 2 { // past it, round and round
					a.Expect("2", "queue.putbatch", q, strconv.Itoa(n), strconv.Itoa(n+1))
					a.Expect(strconv.Itoa(n), "queue.get", q)
					a.Expect(strconv.Itoa(n+1), "queue.get", q)
				}
				a.Expect("3", "queue.putbatch", q, "12", "13", "14", "15")
				a.Expect("full", "queue.tryput", q, "15")
				put := a.Begin("queue.put", q, "15")
				put.Blocked()
				b.Expect("ok", "queue.ack", q, "0")
				b.Expect("12", "queue.get", q)
				put.Expect("ok")
				b.Expect("ok", "queue.put", q, "16")
				a.Expect("full", "queue.tryput", q, "17")
				a.Expect("13 14 15 16", "queue.getbatch", q, "9")
			}
		})
	})
	t.Run("the place of one that was leased while others went round the ring is there again when the next is taken, or leased", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				for _, take := range []string{"queue.get", "queue.lease"} {
					fill(a, q)
					b.Expect("1 #1", "queue.lease", q)
					b.Expect("2 3 4", "queue.getbatch", q, "3")
					a.Expect("3", "queue.putbatch", q, "5", "6", "7", "8")
					a.Expect("full", "queue.tryput", q, "8")
					put := a.Begin("queue.put", q, "8")
					put.Blocked()
					b.Expect("ok", "queue.ack", q, "1")
					if b.Do(take, q); take == "queue.lease" {
						put.Expect("ok")
						a.Expect("full", "queue.tryput", q, "9")
						b.Expect("ok", "queue.ack", q, "5")
					}
					put.Expect("ok")
					b.Expect("6 7 8", "queue.getbatch", q, "9")
				}
			}
		})
	})
	t.Run("what waits for room goes on at an Ack", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				fill(a, q)
				b.Expect("1 #1", "queue.lease", q)
				a.Expect("full", "queue.tryput", q, "5")
				put := a.Begin("queue.put", q, "5")
				put.Blocked()
				b.Expect("ok", "queue.ack", q, "1")
				put.Expect("ok")
				b.Expect("2 #1", "queue.lease", q)
				batch := a.Begin("queue.putbatch", q, "6", "7")
				batch.Blocked()
				b.Expect("ok", "queue.ack", q, "2")
				batch.Expect("1")
				b.Expect("3 4 5 6", "queue.getbatch", q, "9")
			}
		})
	})
	t.Run("a lease ends once", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				for _, end := range []string{"queue.ack", "queue.nack"} {
					a.Expect("ok", "queue.put", q, "1")
					b.Expect("1 #1", "queue.lease", q)
					b.Expect("ok", end, q, "1")
					b.Expect("not owner", "queue.ack", q, "1")
					b.Expect("not owner", "queue.nack", q, "1")
					if end == "queue.nack" {
						a.Expect("1 #2", "queue.lease", q) // another's
						b.Expect("not owner", "queue.ack", q, "1")
						b.Expect("empty", "queue.tryget", q)
						a.Expect("ok", "queue.ack", q, "1")
					}
					a.Expect("empty", "queue.tryget", q)
					a.Expect("ok", "queue.join", q)
				}
			}
		})
	})
	t.Run("Nack gives it back: the next gets it, who waits, too, and Attempt tells", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			for _, q := range queues {
				fill(a, q)
				b.Expect("1 #1", "queue.lease", q)
				b.Expect("2 #1", "queue.lease", q)
				b.Expect("ok", "queue.nack", q, "1")
				c.Expect("1 #2", "queue.lease", q) // before those behind it
				c.Expect("ok", "queue.nack", q, "1")
				b.Expect("1 #3", "queue.lease", q)
				b.Expect("ok", "queue.nack", q, "1")
				c.Expect("1", "queue.get", q)
				c.Expect("3 4", "queue.getbatch", q, "9")
				for i, wait := range []string{"queue.lease", "queue.get"} {
					call := c.Begin(wait, q)
					call.Blocked()
					b.Expect("ok", "queue.nack", q, "2")
					call.Expect([]string{"2 #2", "2"}[i])
					if i == 0 { // and back to b
						c.Expect("ok", "queue.nack", q, "2")
						b.Expect("2 #3", "queue.lease", q)
					}
				}
				b.Expect("empty", "queue.tryget", q)
			}
		})
	})
}

func TestQueueDone(t *testing.T) {
	t.Parallel()
	t.Run("Q18 Join waits until all that was put is done: got and TaskDone, or acknowledged", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				a.Expect("ok", "queue.join", q) // there is none
				a.Expect("2", "queue.putbatch", q, "1", "2")
				join := a.Begin("queue.join", q)
				join.Blocked()
				b.Expect("1", "queue.get", q)
				b.Expect("2 #1", "queue.lease", q)
				b.Expect("ok", "queue.taskdone", q)
				b.Expect("ok", "queue.nack", q, "2")
				b.Expect("2 #2", "queue.lease", q)
				join.StillBlocked()
				b.Expect("ok", "queue.ack", q, "2")
				join.Expect("ok")
				a.Expect("ok", "queue.join", q)
			}
		})
	})
	t.Run("Q18 four workers and forty messages", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, workers := w.Actor(), w.Actors(2)
			for _, q := range queues {
				var gets []*actor.Call
				for i, by := range []string{"get", "lease", "all", "batch"} {
					gets = append(gets, workers[i%2].Begin("queue.getall", q, by))
				}
				a.Expect("ok", "queue.putall", q, "1", "40")
				a.Expect("ok", "queue.join", q)
				a.Expect("0", "queue.len", q)
				a.Expect("ok", "queue.shutdown", q)
				var got []int
				for _, c := range gets {
					for _, n := range strings.Fields(strings.Trim(c.Answer(), "[]")) {
						got = append(got, testproc.Get(strconv.Atoi(n))(t))
					}
				}
				slices.Sort(got)
				for i, n := range got {
					if n != i+1 || len(got) != 40 {
						t.Fatalf("%s: the workers got %v", q, got)
					}
				}
				a.Expect("ok", "queue.join", q)
			}
		})
	})
	t.Run("Q19 TaskDone more often than this process got is an error, and changes nothing", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				b.Expect("over done", "queue.taskdone", q)
				a.Expect("2", "queue.putbatch", q, "1", "2")
				b.Expect("over done", "queue.taskdone", q) // it is put, and not got
				b.Expect("1", "queue.get", q)
				if w.Processes() {
					a.Expect("over done", "queue.taskdone", q) // it is got by another
				}
				b.Expect("ok", "queue.taskdone", q)
				b.Expect("2 #1", "queue.lease", q)
				b.Expect("over done", "queue.taskdone", q) // of what is leased an Ack says so
				join := a.Begin("queue.join", q)
				join.Blocked()
				b.Expect("ok", "queue.ack", q, "2")
				join.Expect("ok")
				b.Expect("over done", "queue.taskdone", q)
			}
		})
	})
	t.Run("Q20 Join ends with its context", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "queue.put", "q", "1")
			waits(t, a, "queue.join", "q")
			join := a.Begin("queue.join", "q")
			join.Blocked()
			join.Cancel()
			join.Expect("canceled")
			b.Expect("1", "queue.get", "q")
			waits(t, a, "queue.join", "q")
			b.Expect("ok", "queue.taskdone", "q")
			a.Expect("ok", "queue.join", "q")
		})
	})
	t.Run("Q20 Join returns if all was done at one time since, though it is not now", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "queue.put", "q", "1")
			join := a.Begin("queue.join", "q")
			join.Blocked()
			b.Expect("1", "queue.get", "q")
			a.Stop()
			b.Expect("ok", "queue.taskdone", "q")
			b.Expect("ok", "queue.put", "q", "2")
			a.Resume()
			join.Expect("ok")
			join = a.Begin("queue.join", "q")
			join.Blocked()
			b.Expect("2", "queue.get", "q")
			b.Expect("ok", "queue.taskdone", "q")
			join.Expect("ok")
		})
	})
}
