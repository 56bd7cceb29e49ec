package contract_test

import (
	"strconv"
	"testing"
)

func TestSPSC(t *testing.T) {
	t.Parallel()
	t.Run("R1 what is put comes once, in order, from whoever puts to whoever gets", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			put := a.Begin("spsc.putall", "s", "1", "500")
			get := b.Begin("spsc.getall", "s", "1", "500")
			put.Expect("ok")
			a.Expect("ok", "spsc.shutdown", "s")
			get.Expect("ok")
		})
	})
	t.Run("R2 full and empty, and calls that wait for the other side", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			b.Expect("empty", "spsc.tryget", "s")
			b.Expect("deadline", "spsc.get", "s", "20ms")
			get := b.Begin("spsc.get", "s")
			get.Blocked()
			a.Expect("ok", "spsc.put", "s", "1")
			get.Expect("1")
			a.Expect("2", "spsc.putbatch", "s", "2", "3", "4")
			a.Expect("full", "spsc.tryput", "s", "4")
			b.Expect("2", "spsc.len", "s")
			put := a.Begin("spsc.put", "s", "4")
			put.Blocked()
			b.Expect("2", "spsc.tryget", "s")
			put.Expect("ok")
			b.Expect("3 4", "spsc.getbatch", "s", "9")
		})
	})
	t.Run("R3 a second process on a side is told that it is busy, at once", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			a.Expect("ok", "spsc.put", "s", "1")
			b.Expect("1", "spsc.get", "s")
			for _, x := range []string{"spsc.put", "spsc.tryput", "spsc.putbatch"} {
				b.Expect("busy", x, "s", "2")
				c.Expect("busy", x, "s", "2")
			}
			a.Expect("busy", "spsc.get", "s")
			c.Expect("busy", "spsc.tryget", "s")
			c.Expect("busy", "spsc.getbatch", "s", "1")
			a.Expect("ok", "spsc.put", "s", "2")
			b.Expect("2", "spsc.get", "s")
		})
	})
	t.Run("R4 when one dies the next takes its place and goes on where it was", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("2", "spsc.putbatch", "s", "1", "2")
			b.Expect("1", "spsc.get", "s")
			c, d := w.Actor(), w.Actor()
			c.Expect("busy", "spsc.put", "s", "3")
			d.Expect("busy", "spsc.get", "s")
			a.Kill()
			c.Expect("ok", "spsc.put", "s", "3")
			b.Kill()
			d.Expect("2", "spsc.get", "s")
			d.Expect("3", "spsc.get", "s")
			d.Expect("empty", "spsc.tryget", "s")
		})
	})
	t.Run("R5 who waits for one that dies goes on with the next", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			get := b.Begin("spsc.get", "s")
			get.Blocked()
			c := a.Begin("spsc.put", "other", "1")
			c.Expect("ok")
			a.Expect("ok", "spsc.put", "s", "1")
			get.Expect("1")
			get = b.Begin("spsc.get", "s")
			get.Blocked()
			a.Kill()
			get.StillBlocked()
			d := w.Actor()
			w.Until("the producer is gone", func() bool { return d.Do("spsc.tryput", "s", "2") == "ok" })
			get.Expect("2")

			d.Expect("2", "spsc.putbatch", "s", "3", "4")
			put := d.Begin("spsc.put", "s", "5")
			put.Blocked()
			b.Kill()
			put.StillBlocked()
			e := w.Actor()
			got := ""
			w.Until("the consumer is gone", func() bool { got = e.Do("spsc.tryget", "s"); return got != "busy" })
			put.Expect("ok")
			if got != "3" {
				t.Errorf("the next consumer got %s, want 3", got)
			}
			e.Expect("4 5", "spsc.getbatch", "s", "9")
		})
	})
	t.Run("R6 a process that stands still keeps its side", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "spsc.put", "s", "1")
			a.Stop()
			b.Expect("busy", "spsc.put", "s", "2")
			b.Expect("1", "spsc.get", "s")
			b.Expect("deadline", "spsc.get", "s", "200ms")
			b.Expect("busy", "spsc.put", "s", "2")
			get := b.Begin("spsc.get", "s")
			get.Blocked()
			a.Resume()
			a.Expect("ok", "spsc.put", "s", "2")
			get.Expect("2")
		})
	})
	t.Run("R7 Shutdown by anybody: no more is put, what is there is got, then the end", func(t *testing.T) {
		ways(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			a.Expect("2", "spsc.putbatch", "s", "1", "2")
			put := a.Begin("spsc.put", "s", "3")
			put.Blocked()
			c.Expect("ok", "spsc.shutdown", "s")
			put.Expect("shut down")
			a.Expect("shut down", "spsc.tryput", "s", "3")
			b.Expect("1", "spsc.get", "s")
			b.Expect("2", "spsc.get", "s")
			b.Expect("eof", "spsc.get", "s")
			b.Expect("eof", "spsc.tryget", "s")
			b.Expect("eof", "spsc.getbatch", "s", "2")
			c.Expect("ok", "spsc.shutdown", "s")

			get := b.Begin("spsc.get", "t")
			get.Blocked()
			c.Expect("ok", "spsc.shutdown", "t")
			get.Expect("eof")
		})
	})
	t.Run("R8 a handle travels, and takes no side with it", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			a.Expect("ok", "spsc.put", "s", "1")
			b.Expect("ok", "spsc.unmarshal", "x", a.Do("spsc.marshal", "s"))
			b.Expect("busy", "spsc.put", "x", "2")
			b.Expect("1", "spsc.get", "x")
		})
	})
	t.Run("R9 producers that die at any time: what comes is in order, and nothing that was put is lost", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			b := w.Actor()
			last := 0
			for round := range 6 {
				a := w.Actor()
				w.Until("the producer is gone", func() bool { return a.Do("spsc.tryput", "s", strconv.Itoa(last+1)) == "ok" })
				c := a.Begin("spsc.putsaying", "s", strconv.Itoa(last+2), strconv.Itoa(last+100000))
				for n := range 20 * (round + 1) {
					b.Expect(strconv.Itoa(last+1), "spsc.get", "s")
					last++
					if n > 0 && c.Done() {
						t.Fatalf("the producer ended: %s", c.Answer())
					}
				}
				a.Kill()
				for { // what it has put
					got := b.Do("spsc.tryget", "s")
					if got == "empty" {
						break
					}
					if got != strconv.Itoa(last+1) {
						t.Fatalf("%s came after %d", got, last)
					}
					last++
				}
				said := c.Heard()
				if len(said) == 0 {
					t.Fatal("no Put has returned")
				}
				if put, err := strconv.Atoi(said[len(said)-1]); err != nil || put > last {
					t.Fatalf("the Put of %s had returned, and %d was the last that came: %v", said[len(said)-1], last, err)
				}
			}
		})
	})
	t.Run("D5 killed after five Puts that returned: all five come", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b := w.Actor(), w.Actor()
			for n := range 5 {
				a.Expect("ok", "spsc.put", "eight", strconv.Itoa(n))
			}
			a.Kill()
			for n := range 5 {
				b.Expect(strconv.Itoa(n), "spsc.get", "eight")
			}
			b.Expect("empty", "spsc.tryget", "eight")
		})
	})
	t.Run("D9 killed after a Get that returned: the message is done, and the next one goes on", func(t *testing.T) {
		processes(t, func(t *testing.T, w *world) {
			a, b, c := w.Actor(), w.Actor(), w.Actor()
			a.Expect("ok", "spsc.put", "eight", "1")
			a.Expect("ok", "spsc.put", "eight", "2")
			b.Expect("1", "spsc.get", "eight")
			b.Kill()
			c.Expect("2", "spsc.get", "eight")
			get := c.Begin("spsc.get", "eight")
			get.Blocked()
			a.Expect("ok", "spsc.put", "eight", "3")
			get.Expect("3")
		})
	})
}
