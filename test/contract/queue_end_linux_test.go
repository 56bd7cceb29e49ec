package contract_test

import (
	"testing"

	"example.com/tandem/internal/testproc/actor"
)

func TestQueueEnd(t *testing.T) {
	t.Parallel()
	t.Run("Shutdown: no more is put, by those who wait for room either; what is there is got, then io.EOF for good", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				fill(a, q)
				put := a.Begin("queue.put", q, "5")
				put.Blocked()
				b.Expect("ok", "queue.shutdown", q)
				put.Expect("shut down")
				a.Expect("shut down", "queue.put", q, "5")
				a.Expect("shut down", "queue.tryput", q, "5")
				a.Expect("1", "queue.get", q)
				a.Expect("shut down", "queue.tryput", q, "5") // though there is room
				b.Expect("2", "queue.tryget", q)
				b.Expect("3 #1", "queue.lease", q)
				b.Expect("ok", "queue.ack", q, "3")
				a.Expect("ok", "queue.poll", q)
				a.Expect("4", "queue.getinto", q)
				for range 2 {
					a.Expect("eof", "queue.get", q)
					b.Expect("eof", "queue.tryget", q)
					b.Expect("eof", "queue.getinto", q)
					a.Expect("eof", "queue.lease", q)
					b.Expect("eof", "queue.trylease", q)
					a.Expect("ok", "queue.poll", q)
					a.Expect("ok", "queue.shutdown", q)
				}
				b.Expect("0", "queue.len", q)
			}
		})
	})
	t.Run("Shutdown of an empty one: all who wait hear of the end", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				var calls []*actor.Call
				for _, verb := range []string{"queue.get", "queue.lease", "queue.getinto", "queue.get"} {
					c := a.Begin(verb, q)
					c.Blocked()
					calls = append(calls, c)
				}
				batch, poll := a.Begin("queue.getbatch", q, "2"), a.Begin("queue.poll", q)
				batch.Blocked()
				poll.Blocked()
				b.Expect("ok", "queue.shutdown", q)
				expectAll(append(calls, batch), "eof")
				poll.Expect("ok")
			}
		})
	})
	t.Run("io.EOF waits for what is leased; who waits gets what is given back, and all hear of an Ack", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				a.Expect("ok", "queue.put", q, "1")
				b.Expect("1 #1", "queue.lease", q)
				a.Expect("ok", "queue.shutdown", q)
				a.Expect("empty", "queue.tryget", q)
				waits(t, a, "queue.get", q)
				lease, join := a.Begin("queue.lease", q), a.Begin("queue.join", q)
				lease.Blocked()
				join.Blocked()
				b.Expect("ok", "queue.nack", q, "1")
				lease.Expect("1 #2")
				gets := []*actor.Call{b.Begin("queue.get", q), b.Begin("queue.lease", q)}
				for _, c := range gets {
					c.Blocked()
				}
				join.StillBlocked()
				a.Expect("ok", "queue.ack", q, "1")
				expectAll(gets, "eof")
				join.Expect("ok")
			}
		})
	})
	t.Run("Q14, Q15, Q21 Close is a handle's: its calls say so, those that wait, too, and take nothing; the others go on", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				get, batch, poll := a.Begin("queue.get", q), a.Begin("queue.getbatch", q, "2"), a.Begin("queue.poll", q)
				other := b.Begin("queue.get", q)
				calls := []*actor.Call{get, batch, poll}
				for _, c := range append(calls, other) {
					c.Blocked()
				}
				a.Expect("ok", "queue.close", q)
				a.Expect("ok", "queue.close", q)
				expectAll(calls, "closed")
				other.StillBlocked()
				for _, x := range [][]string{{"put", q, "1"}, {"tryput", q, "1"}, {"putbatch", q, "1"}, {"get", q}, {"tryget", q}, {"getinto", q},
					{"getbatch", q, "1"}, {"lease", q}, {"trylease", q}, {"poll", q}, {"join", q}, {"shutdown", q}} {
					a.Expect("closed", "queue."+x[0], x[1:]...)
				}
				a.Expect("0", "queue.len", q)

				a.Expect("ok", "queue.open", q) // another handle
				a.Expect("ok", "queue.put", q, "0")
				other.Expect("0")
				fill(a, q)
				a.Expect("1 #1", "queue.lease", q)
				put, join := a.Begin("queue.put", q, "5"), a.Begin("queue.join", q)
				put.Blocked()
				join.Blocked()
				a.Expect("ok", "queue.close", q)
				expectAll([]*actor.Call{put, join}, "closed")
				b.Expect("2 3 4", "queue.getbatch", q, "9") // what was put is kept
				a.Expect("ok", "queue.ack", q, "1")         // and what is leased can be done
				b.Expect("ok", "queue.shutdown", q)
				b.Expect("eof", "queue.get", q)
			}
		})
	})
	t.Run("Region.Close: who waits hears of it; what was put stays, what was leased goes to another, what was got is done", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			if w.Way == actor.Children {
				return // whose region is open twice
			}
			a, b := w.Actor(), w.Actor()
			for _, q := range queues {
				fill(a, q)
				a.Expect("1 #1", "queue.lease", q)
				a.Expect("2", "queue.get", q)
				put := a.Begin("queue.put", q, "5")
				put.Expect("ok")
				put = a.Begin("queue.put", q, "6")
				put.Blocked()
				defer put.Expect("closed")
			}
			a.Expect("ok", "actor.close")
			for _, q := range queues {
				a.Expect("closed", "queue.get", q)
				b.Expect("1 #2", "queue.lease", q)
				b.Expect("3 4 5", "queue.getbatch", q, "9")
				b.Expect("ok", "queue.ack", q, "1")
				join := b.Begin("queue.join", q)
				join.Blocked()
				for range 3 {
					join.StillBlocked()
					b.Expect("ok", "queue.taskdone", q)
				}
				join.Expect("ok")
			}
		})
	})
}
