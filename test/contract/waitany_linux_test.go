package contract_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/internal/testproc/actor"
	"example.com/tandem/ring"
	"example.com/tandem/sync"
)

// withSemaphore makes "s", with nothing in it.
func withSemaphore(w *world) {
	w.T.Helper()
	testproc.Get(sync.OpenSemaphore(w.Region, "s", 0))(w.T)
}

func TestWaitAny(t *testing.T) {
	t.Parallel()
	t.Run("P4 Poll returns at once for a message, takes nothing, and waits its time for none", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("deadline", "queue.poll", "q", "0s")
			if got, took := a.Timed("queue.poll", "q", "50ms"); got != "deadline" || took < 50*time.Millisecond {
				t.Errorf("a Poll of 50 ms = %s after %v", got, took)
			}
			c := a.Begin("queue.poll", "q")
			c.Blocked()
			b.Expect("ok", "queue.put", "q", "7")
			c.Expect("ok")
			for range 2 {
				a.Expect("ok", "queue.poll", "q")
				b.Expect("ok", "queue.poll", "q")
			}
			b.Expect("7", "queue.tryget", "q")
			a.Expect("deadline", "queue.poll", "q", "2ms")
		})
	})
	t.Run("P5 Poll takes nothing from another reader", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as := w.Actors(3)
			for n := range 5 {
				polls, gets := as[0].Begin("queue.poll", "q"), as[1].Begin("queue.get", "q")
				polls.Blocked()
				gets.Blocked()
				as[2].Expect("ok", "queue.put", "q", strconv.Itoa(n))
				gets.Expect(strconv.Itoa(n))
				if !polls.Done() { // the other was faster
					as[2].Expect("ok", "queue.put", "q", "9")
					polls.Expect("ok")
					as[1].Expect("9", "queue.get", "q")
				}
				polls.Expect("ok")
			}
		})
	})
	t.Run("P17 it waits for any, says the lowest that is ready, and takes its time", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			withSemaphore(w)
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "process.start", "x") // its child
			all := []string{"e", "s", "q", "r", "p", "n", "x"}
			a.Expect("deadline", "any.wait", append(all, "0s")...)
			if got, took := a.Timed("any.wait", append(all, "50ms")...); got != "deadline" || took < 50*time.Millisecond {
				t.Errorf("a WaitAny of 50 ms = %s after %v", got, took)
			}
			gives := [][]string{{"event.set", "e"}, {"semaphore.release", "s", "1"}, {"queue.put", "q", "1"}, {"spsc.put", "r", "1"},
				{"pipe.send", "p", "left", "1"}, {"broadcast.publish", "n", "1"}}
			takes := [][]string{{"ok", "event.clear", "e"}, {"true", "semaphore.try", "s"}, {"1", "queue.tryget", "q"}, {"1", "spsc.tryget", "r"},
				{`"1"`, "pipe.recv", "p", "right"}, {"1", "broadcast.next", "n", "own"}}
			for i, give := range gives { // each alone
				c := a.Begin("any.wait", all...)
				c.Blocked()
				b.Expect("ok", give[0], give[1:]...)
				c.Expect(all[i])
				a.Expect(all[i], "any.wait", all...)
				a.Expect(takes[i][0], takes[i][1], takes[i][2:]...)
			}
			c := a.Begin("any.wait", all...)
			c.Blocked()
			a.Expect("ok", "process.end", "x", "told")
			c.Expect("x")
			for i := len(gives) - 1; i >= 0; i-- { // of several the lowest
				b.Expect("ok", gives[i][0], gives[i][1:]...)
				a.Expect(all[i], "any.wait", all...)
			}
			for i, take := range takes {
				a.Expect(take[0], take[1], take[2:]...)
				a.Expect(all[i+1], "any.wait", all...)
			}
		})
	})
	t.Run("P17 an end counts", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "process.start", "x")
			a.Expect("ok", "process.start", "x2")
			b.Expect("ok", "pipe.open", "p", "left")
			type end struct {
				by   *actor.Actor
				verb []string
			}
			for _, end := range []end{{b, []string{"spsc.shutdown", "r"}}, {b, []string{"queue.shutdown", "q"}}, {b, []string{"pipe.close", "p", "left"}},
				{b, []string{"broadcast.shutdown", "n"}}, {a, []string{"process.end", "x", "told"}}, {a, []string{"process.end", "x2", "killed"}}} {
				name := end.verb[1]
				c := a.Begin("any.wait", "e", name)
				c.Blocked()
				end.by.Expect("ok", end.verb[0], end.verb[1:]...)
				c.Expect(name)
				for range 2 { // for good
					a.Expect(name, "any.wait", "e", name)
				}
			}
		})
	})
	t.Run("P17 a context that has ended makes no attempt; one may be there twice; a Close ends the wait", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			withSemaphore(w)
			a, b := w.Actor(), w.Actor()
			b.Expect("ok", "queue.put", "q", "1")
			a.Expect("deadline", "any.wait", "e", "q", "0s")
			a.Expect("q", "any.wait", "e", "q", "q")
			a.Expect("1", "queue.tryget", "q")
			c := a.Begin("any.wait", "q", "e", "q", "p", "s")
			c.Blocked()
			a.Expect("ok", "queue.close", "q")
			c.Expect("closed")
			a.Expect("closed", "any.wait", "e", "q")
			c = a.Begin("any.wait", "s", "p", "e")
			c.Blocked()
			a.Expect("ok", "pipe.close", "p", "right")
			c.Expect("closed")
		})
	})
	t.Run("P17, D10 the other end is killed: a pipe is at its end, and nothing else is", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			withSemaphore(w)
			dies, a := w.Actor(), w.Actor()
			dies.Expect("ok", "pipe.open", "p", "left")
			for _, x := range [][]string{{"spsc.put", "r", "1"}, {"queue.put", "q", "1"}, {"broadcast.publish", "n", "1"}} {
				dies.Expect("ok", x[0], x[1:]...)
			}
			a.Expect("1", "spsc.tryget", "r")
			a.Expect("1", "queue.tryget", "q")
			c := a.Begin("any.wait", "e", "s", "q", "r", "n", "p")
			c.Blocked()
			dies.Kill()
			c.Expect("p")
			a.Expect("deadline", "any.wait", "e", "s", "q", "r", "n", "20ms")
		})
	})
	t.Run("E5 a pulse is seen by one that waits for several", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			as, b := w.Actors(3), w.Actor()
			for range 10 {
				var calls []*actor.Call
				for i, a := range as {
					c := a.Begin("any.wait", "e", fmt.Sprint("q", i), "r")
					c.Blocked()
					calls = append(calls, c)
				}
				b.Expect("ok", "event.pulse", "e")
				expectAll(calls, "e")
			}
		})
	})
	t.Run("D3 one that is killed or stopped in it takes nobody's message", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			withSemaphore(w)
			q := testproc.Get(ring.OpenQueue[int64](w.Region, "q", &ring.QueueOptions{Capacity: 4}))(t)
			dies, stops, gets, puts := w.Actor(), w.Actor(), w.Actor(), w.Actor()
			for _, a := range []*actor.Actor{dies, stops} {
				a.Begin("any.wait", "q", "s", "e").Blocked()
			}
			c := gets.Begin("queue.get", "q")
			c.Blocked()
			stops.Stop()
			puts.Expect("ok", "queue.put", "q", "1")
			dies.Kill()
			c.Expect("1")
			c = gets.Begin("queue.get", "q")
			c.Blocked()
			puts.Expect("ok", "queue.put", "q", "2")
			c.Expect("2")
			stops.Resume()
			if n := q.Len(); n != 0 {
				t.Errorf("%d messages left", n)
			}
			puts.Expect("ok", "event.set", "e")
		})
	})
}
