package contract_test

import (
	"strconv"
	"strings"
	"testing"

	"example.com/tandem/internal/testproc/actor"
)

func TestBroadcastDeaths(t *testing.T) {
	t.Parallel()
	t.Run("D3 killed while it waits for a message: the others see all", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			dies, a, b := w.Actor(), w.Actor(), w.Actor()
			var nexts []*actor.Call
			for _, n := range append(reliables, lossies...) {
				subscribes(dies, n)
				subscribes(b, n)
				dies.Begin("broadcast.next", n, "s").Blocked()
				next := b.Begin("broadcast.next", n, "s")
				next.Blocked()
				nexts = append(nexts, next)
			}
			dies.Kill()
			for _, next := range nexts {
				a.Expect("ok", "broadcast.publish", next.Args[0], "1")
				next.Expect("1")
			}
		})
	})
	t.Run("a dead subscriber does not count any more: who waits for it goes on", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			dies, a, b := w.Actor(), w.Actor(), w.Actor()
			var puts []*actor.Call
			for _, n := range reliables {
				dies.Expect("ok", "broadcast.subscribe", n, "a second")
				subscribes(dies, n)
				subscribes(b, n)
				a.Expect("ok", "broadcast.publishall", n, "1", "4")
				for i := 1; i < 5; i++ {
					b.Expect(strconv.Itoa(i), "broadcast.next", n, "s")
				}
				dies.Expect("1", "broadcast.next", n, "s")
				put := a.Begin("broadcast.publish", n, "5")
				put.Blocked()
				puts = append(puts, put)
			}
			dies.Kill()
			for i, n := range reliables {
				puts[i].Expect("ok")
				a.Expect("ok", "broadcast.publishall", n, "6", "8")
				a.Expect("full", "broadcast.try", n, "9") // another counts as before
				b.Expect("5", "broadcast.next", n, "s")
				a.Expect("ok", "broadcast.try", n, "9")
			}
		})
	})
	t.Run("one that has closed the region does not, either", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			if w.Way == actor.Children {
				return // whose region is open twice
			}
			leaves, a := w.Actor(), w.Actor()
			var nexts, puts []*actor.Call
			for _, n := range reliables {
				leaves.Expect("ok", "broadcast.subscribe", n, "never")
				subscribes(leaves, n)
				a.Expect("ok", "broadcast.publishall", n, "1", "4")
				for i := 1; i < 5; i++ {
					leaves.Expect(strconv.Itoa(i), "broadcast.next", n, "s")
				}
				next, put := leaves.Begin("broadcast.next", n, "s"), a.Begin("broadcast.publish", n, "5")
				next.Blocked()
				put.Blocked()
				nexts, puts = append(nexts, next), append(puts, put)
			}
			leaves.Expect("ok", "actor.close")
			expectAll(nexts, "closed")
			expectAll(puts, "ok")
		})
	})
	t.Run("a stopped one counts; of a lossy broadcast nobody waits for it, and it knows what it missed", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			stops, a := w.Actor(), w.Actor()
			var puts []*actor.Call
			for i := range reliables {
				subscribes(stops, reliables[i], lossies[i])
			}
			stops.Stop()
			for i, n := range reliables {
				a.Expect("ok", "broadcast.publishall", n, "1", "4")
				waits(t, a, "broadcast.publish", n, "5")
				put := a.Begin("broadcast.publish", n, "5")
				put.Blocked()
				puts = append(puts, put)
				a.Expect("ok", "broadcast.publishall", lossies[i], "1", "100")
			}
			stops.Resume()
			for i, n := range reliables {
				stops.Expect("1", "broadcast.next", n, "s")
				puts[i].Expect("ok")
				stops.Expect("97, 96 missed", "broadcast.next", lossies[i], "s")
			}
		})
	})
	t.Run("D4 a publisher that is killed at any time leaves nothing half: all see the same, and the next goes on", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			for i, n := range reliables {
				dies := w.Actor()
				subscribes(b, n)
				subscribes(c, n)
				flood := dies.Begin("broadcast.publishall", n, "1", "1000000000")
				due := 1
				both := func() string {
					got := b.Do("broadcast.next", n, "s")
					c.Expect(got, "broadcast.next", n, "s")
					if got != "-7" && got != strconv.Itoa(due) {
						t.Fatalf("%s: %s came, want %d", n, got, due)
					}
					due++
					return got
				}
				for range 10 * (i + 1) {
					both()
				}
				if flood.Done() {
					t.Fatal(flood.Answer())
				}
				dies.Kill()
				next := a.Begin("broadcast.publish", n, "-7")
				for both() != "-7" {
				}
				next.Expect("ok")
				a.Expect("ok", "broadcast.publishall", n, "1", "4") // as many as ever
				a.Expect("full", "broadcast.try", n, "5")
			}
		})
	})
	t.Run("D4 of a lossy one, too: what is seen and what is missed is in one order", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for _, n := range lossies {
				dies := w.Actor()
				subscribes(b, n)
				flood := dies.Begin("broadcast.publishall", n, "1", "1000000000")
				last := 0
				sees := func() bool { // a number, or the last
					got, lost, _ := strings.Cut(b.Do("broadcast.next", n, "s"), ", ")
					lost = strings.TrimSuffix(lost, " missed")
					missed, _ := strconv.Atoi(lost)
					v, err := strconv.Atoi(got)
					if last += missed + 1; err != nil || v != -7 && v != last {
						t.Fatalf("%s: %s came after %s missed, want %d", n, got, lost, last)
					}
					return v != -7
				}
				for range 10 {
					sees()
				}
				if flood.Done() {
					t.Fatal(flood.Answer())
				}
				dies.Kill()
				a.Expect("ok", "broadcast.publish", n, "-7")
				for sees() {
				}
			}
		})
	})
	t.Run("D5 killed after four Publishes that returned: all four are seen, and that is no end", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			dies, a, b := w.Actor(), w.Actor(), w.Actor()
			for _, n := range append(reliables, lossies...) {
				subscribes(b, n)
				dies.Expect("ok", "broadcast.publishall", n, "1", "4")
			}
			dies.Kill()
			for _, n := range append(reliables, lossies...) {
				for i := 1; i < 5; i++ {
					b.Expect(strconv.Itoa(i), "broadcast.next", n, "s")
				}
				next := b.Begin("broadcast.next", n, "s")
				next.Blocked()
				a.Expect("ok", "broadcast.publish", n, "5")
				next.Expect("5")
			}
		})
	})
	t.Run("killed while it waits to publish: nothing is published, and the others go on", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			dies, a, b := w.Actor(), w.Actor(), w.Actor()
			var puts []*actor.Call
			for _, n := range reliables {
				subscribes(b, n)
				a.Expect("ok", "broadcast.publishall", n, "1", "4")
				dies.Begin("broadcast.publish", n, "9").Blocked()
				put := a.Begin("broadcast.publish", n, "5")
				put.Blocked()
				puts = append(puts, put)
			}
			dies.Kill()
			for i, n := range reliables {
				b.Expect("1", "broadcast.next", n, "s")
				puts[i].Expect("ok")
				for v := 2; v < 6; v++ {
					b.Expect(strconv.Itoa(v), "broadcast.next", n, "s")
				}
				waits(t, b, "broadcast.next", n, "s")
			}
		})
	})
}
