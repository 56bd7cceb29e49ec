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
			all := []string{"e", "s", "q", "r"}
			a.Expect("deadline", "any.wait", append(all, "0s")...)
			if got, took := a.Timed("any.wait", append(all, "50ms")...); got != "deadline" || took < 50*time.Millisecond {
				t.Errorf("a WaitAny of 50 ms = %s after %v", got, took)
			}
			for _, give := range [][]string{{"spsc.put", "r", "1"}, {"queue.put", "q", "1"}, {"semaphore.release", "s", "1"}, {"event.set", "e"}} {
				c := a.Begin("any.wait", all...)
				if give[1] == "r" {
					c.Blocked()
				}
				b.Expect("ok", give[0], give[1:]...)
				if got := c.Answer(); got != give[1] && give[1] == "r" {
					t.Errorf("%v: %s", give, got)
				}
				a.Expect(give[1], "any.wait", all...) // and of those that are ready the lowest
			}
			b.Expect("ok", "event.clear", "e")
			a.Expect("s", "any.wait", all...)
			b.Expect("true", "semaphore.try", "s")
			a.Expect("q", "any.wait", all...)
			b.Expect("1", "queue.tryget", "q")
			a.Expect("r", "any.wait", all...)
		})
	})
	t.Run("P17 an end counts", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, end := range [][]string{{"spsc.shutdown", "r"}, {"queue.shutdown", "q"}} {
				c := a.Begin("any.wait", end[1], "e")
				c.Blocked()
				b.Expect("ok", end[0], end[1])
				c.Expect(end[1])
				a.Expect(end[1], "any.wait", "e", end[1])
			}
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
