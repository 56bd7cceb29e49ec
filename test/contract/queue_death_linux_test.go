package contract_test

import (
	"strconv"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc/actor"
)

func TestQueueDeaths(t *testing.T) {
	t.Parallel()
	t.Run("D3 killed while it waits for a message: the others get it", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			dies, a, b := w.Actor(), w.Actor(), w.Actor()
			for _, q := range queues {
				for _, c := range []*actor.Call{dies.Begin("queue.get", q), dies.Begin("queue.lease", q), dies.Begin("queue.getbatch", q, "2")} {
					c.Blocked()
				}
			}
			var gets []*actor.Call
			for _, q := range queues {
				c := a.Begin("queue.get", q)
				c.Blocked()
				gets = append(gets, c)
			}
			dies.Kill()
			for i, q := range queues {
				b.Expect("ok", "queue.put", q, "1")
				gets[i].Expect("1")
				b.Expect("ok", "queue.put", q, "2")
				b.Expect("2", "queue.tryget", q)
			}
		})
	})
	t.Run("D3 stopped, and then killed, while it waits for a message: the others get it meanwhile", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			dies, a, b := w.Actor(), w.Actor(), w.Actor()
			for _, q := range queues {
				dies.Begin("queue.get", q).Blocked()
			}
			dies.Stop()
			for _, q := range queues {
				c := a.Begin("queue.get", q)
				c.Blocked()
				b.Expect("ok", "queue.put", q, "1")
				c.Expect("1")
			}
			dies.Kill()
			for _, q := range queues {
				b.Expect("ok", "queue.put", q, "2")
				a.Expect("2", "queue.get", q)
			}
		})
	})
	t.Run("D3 killed as a message wakes it, before it leases that or afterwards: another gets it", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for range 3 {
				dies := w.Actor()
				var puts, leases []*actor.Call
				for _, q := range queues {
					for _, by := range []*actor.Actor{dies, a} {
						c := by.Begin("queue.lease", q)
						c.Blocked()
						if by == a {
							leases = append(leases, c)
						}
					}
				}
				for _, q := range queues {
					puts = append(puts, b.Begin("queue.put", q, "1"))
				}
				dies.Kill()
				expectAll(puts, "ok")
				for i, q := range queues {
					if got := leases[i].Answer(); got != "1 #1" && got != "1 #2" {
						t.Errorf("%s: %s", q, got)
					}
					a.Expect("ok", "queue.ack", q, "1")
					b.Expect("empty", "queue.tryget", q)
				}
			}
		})
	})
	t.Run("D3 killed while it waits for room: the others put", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			dies, a, b := w.Actor(), w.Actor(), w.Actor()
			var puts []*actor.Call
			for _, q := range queues {
				fill(a, q)
				dies.Begin("queue.put", q, "9").Blocked()
				dies.Begin("queue.putbatch", q, "9", "9").Blocked()
				c := a.Begin("queue.put", q, "5")
				c.Blocked()
				puts = append(puts, c)
			}
			dies.Kill()
			for i, q := range queues {
				b.Expect("1", "queue.get", q)
				puts[i].Expect("ok")
				b.Expect("2 3 4 5", "queue.getbatch", q, "9")
				b.Expect("empty", "queue.tryget", q)
			}
		})
	})
	t.Run("D4 killed while it puts a long message: none is torn, and the next goes on", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for range 3 {
				dies := w.Actor()
				flood := dies.Begin("text.flood", "t", "#1000000")
				for range 10 {
					b.Expect("#1000000", "text.get", "t")
				}
				if flood.Done() {
					t.Fatal(flood.Answer())
				}
				dies.Kill()
				put := a.Begin("text.put", "t", "next")
				for got := ""; got != `"next"`; {
					if got = b.Do("text.get", "t"); got != `"next"` && got != "#1000000" {
						t.Fatal(got)
					}
				}
				put.Expect("ok")
				b.Expect("empty", "text.tryget", "t")
			}
			for range 2 { // there is room as before
				a.Expect("ok", "text.put", "t", "#1048576")
			}
		})
	})
	t.Run("D4 killed with memory on loan, which holds no place: it comes back", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			dies, a, b := w.Actor(), w.Actor(), w.Actor()
			for l := range 24 { // three quarters of it
				dies.Expect("ok", "text.loan", "t", strconv.Itoa(l), "65536")
			}
			a.Expect("full", "text.tryput", "t", "#900000")
			waits(t, a, "text.loan", "t", "x", "900000")
			dies.Expect("ok", "text.putloan", "t", "0", "#60000")
			b.Expect("#60000", "text.get", "t")
			for range 8 {
				a.Expect("ok", "text.put", "t", "short")
			}
			put := dies.Begin("text.putloan", "t", "1", "#1000")
			put.Blocked()
			for range 8 {
				b.Expect(`"short"`, "text.get", "t")
			}
			put.Expect("ok")
			b.Expect("#1000", "text.get", "t")
			put = a.Begin("text.put", "t", "#900000")
			put.Blocked()
			dies.Kill()
			put.Expect("ok")
			b.Expect("#900000", "text.get", "t")
			b.Expect("ok", "text.loan", "t", "x", "900000")
			b.Expect("ok", "text.putloan", "t", "x", "#900000")
			a.Expect("#900000", "text.get", "t")
		})
	})
	t.Run("D5, Q16 ended by a signal after five Puts that returned: it is gone at once, and all five come", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			b := w.Actor()
			signals := []syscall.Signal{syscall.SIGKILL}
			if w.Way == actor.Unrelated { // a child is only told by SIGTERM
				signals = append(signals, syscall.SIGTERM)
			}
			for _, signal := range signals {
				a := w.Actor()
				for range 5 {
					a.Expect("ok", "text.put", "t", "#300000")
				}
				a.Signal(signal)
				a.Gone()
				for range 5 {
					b.Expect("#300000", "text.get", "t")
				}
				b.Expect("empty", "text.tryget", "t")
			}
		})
	})
	t.Run("D8 a getter beside one that is killed keeps its deadline", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			dies, a := w.Actor(), w.Actor()
			dies.Begin("queue.get", "q").Blocked()
			const d = 150 * time.Millisecond
			c := a.Begin("queue.get", "q", d.String())
			dies.Kill()
			if c.Expect("deadline"); c.Took() < d {
				t.Errorf("it took %v of %v", c.Took(), d)
			}
		})
	})
	t.Run("D9 killed between Get and TaskDone: what it got counts as done", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			dies, a, b := w.Actor(), w.Actor(), w.Actor()
			var joins []*actor.Call
			for _, q := range queues {
				fill(a, q)
				dies.Expect("1 2 3", "queue.getbatch", q, "3")
				dies.Expect("ok", "queue.taskdone", q)
				c := a.Begin("queue.join", q)
				c.Blocked()
				joins = append(joins, c)
			}
			dies.Kill()
			for i, q := range queues {
				b.Expect("over done", "queue.taskdone", q) // it is not for others to say
				b.Expect("4", "queue.get", q)
				joins[i].StillBlocked()
				b.Expect("ok", "queue.taskdone", q)
				joins[i].Expect("ok")
				b.Expect("empty", "queue.tryget", q)
			}
		})
	})
	t.Run("D9 killed with messages on lease: others get them, whoever waits, and the end waits for that", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			dies, a, b := w.Actor(), w.Actor(), w.Actor()
			var leases, gets, joins []*actor.Call
			for _, q := range queues {
				a.Expect("2", "queue.putbatch", q, "1", "2")
				dies.Expect("1 #1", "queue.lease", q)
				dies.Expect("2 #1", "queue.lease", q)
				dies.Expect("ok", "queue.ack", q, "2")
				for n := 3; n < 10; n++ { // round the ring
					a.Expect("ok", "queue.put", q, strconv.Itoa(n))
					b.Expect(strconv.Itoa(n), "queue.get", q)
					b.Expect("ok", "queue.taskdone", q)
				}
				a.Expect("ok", "queue.shutdown", q)
				b.Expect("empty", "queue.tryget", q)
				lease, join := a.Begin("queue.lease", q), a.Begin("queue.join", q)
				lease.Blocked()
				join.Blocked()
				leases, joins = append(leases, lease), append(joins, join)
			}
			dies.Kill()
			for i, q := range queues {
				leases[i].Expect("1 #2")
				get := b.Begin("queue.get", q)
				get.Blocked()
				gets = append(gets, get)
				joins[i].StillBlocked()
				a.Expect("ok", "queue.ack", q, "1")
			}
			expectAll(gets, "eof")
			expectAll(joins, "ok")
		})
	})
	t.Run("D9 killed while it waits in Join: it leaves nothing", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			dies, a := w.Actor(), w.Actor()
			a.Expect("ok", "queue.put", "q", "1")
			dies.Begin("queue.join", "q").Blocked()
			join := a.Begin("queue.join", "q")
			join.Blocked()
			dies.Kill()
			a.Expect("1", "queue.get", "q")
			join.StillBlocked()
			a.Expect("ok", "queue.taskdone", "q")
			join.Expect("ok")
		})
	})
	t.Run("D10 the only producer is killed: that is no end, and the next goes on", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			dies, a, b := w.Actor(), w.Actor(), w.Actor()
			for _, q := range queues {
				dies.Expect("ok", "queue.put", q, "1")
			}
			var gets []*actor.Call
			for _, q := range queues {
				b.Expect("1", "queue.get", q)
				c := b.Begin("queue.get", q)
				c.Blocked()
				gets = append(gets, c)
			}
			dies.Kill()
			w.Until("its death is noticed", func() bool { return !there(w, dies) })
			for i, q := range queues {
				gets[i].StillBlocked()
				a.Expect("ok", "queue.put", q, "2")
				gets[i].Expect("2")
			}
		})
	})
	t.Run("one that is stopped keeps what it has, and holds up nobody", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			stops, a, b := w.Actor(), w.Actor(), w.Actor()
			for _, q := range queues {
				fill(a, q)
				stops.Expect("1 #1", "queue.lease", q)
				stops.Expect("2", "queue.get", q)
			}
			stops.Stop()
			for _, q := range queues {
				b.Expect("3 4", "queue.getbatch", q, "9")
				b.Expect("ok", "queue.taskdone", q)
				b.Expect("ok", "queue.taskdone", q)
				for n := range 10 {
					a.Expect("ok", "queue.put", q, strconv.Itoa(n))
					b.Expect(strconv.Itoa(n), "queue.get", q)
					b.Expect("ok", "queue.taskdone", q)
				}
				waits(t, b, "queue.get", q)
				waits(t, a, "queue.join", q)
			}
			stops.Resume()
			for _, q := range queues {
				stops.Expect("ok", "queue.ack", q, "1")
				stops.Expect("ok", "queue.taskdone", q)
				a.Expect("ok", "queue.join", q)
			}
		})
	})
}

// there reports that the actor's process is a participant.
func there(w *world, a *actor.Actor) bool {
	s, err := w.Region.Snapshot()
	if err != nil {
		w.T.Fatal(err)
	}
	for _, p := range s.Participants {
		if p.PID == a.PID {
			return true
		}
	}
	return false
}
