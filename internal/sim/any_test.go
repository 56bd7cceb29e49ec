//go:build tandem_sim

package sim

import (
	"fmt"
	"testing"

	"example.com/tandem/internal/mem"
)

// A sleep on several words uses up a wake-up of each that comes before it is off them, and
// then it is off all.
func TestSleepAnyUsesUpSeveral(t *testing.T) {
	both, one := 0, 0
	Explore(t, 300, Options{StopEvery: 40, MaxStops: 1}, func(w *World) {
		a := mem.Heap(192)
		words := []*uint32{a.W32(0), a.W32(64), a.W32(128)}
		s := w.Process(0).Go("sleeper", func(t *Thread) {
			for {
				v := []uint32{mem.Load32(words[0]), 0, mem.Load32(words[2])}
				if v[0] != 0 && v[2] != 0 {
					return
				}
				if err := t.SleepAny(words, v, 0); err != nil {
					w.Fail("SleepAny: %v", err)
				}
			}
		})
		w.Process(1).Go("waker", func(t *Thread) {
			for range 100 {
				if s.parked == nil {
					t.Step()
				}
			}
			mem.Store32(words[0], 1)
			n := w.Wake(words[0], 1)
			mem.Store32(words[2], 1)
			up := s.parked == nil // and it has not been off its words since, if it is woken there
			switch n += w.Wake(words[2], 1); {
			case n == 1:
				one++
			case n == 2 && up:
				both++
			}
		})
		w.AtEnd(func() error {
			for i, word := range words {
				if n := len(w.queues[word]); n != 0 {
					return fmt.Errorf("%d threads are on word %d", n, i)
				}
			}
			return nil
		})
	})
	if both < 10 || one < 10 {
		t.Errorf("two wake-ups were used up in %d runs, and one in %d", both, one)
	}
}

// Who is stopped by a signal, wherever it is in that sleep, has nobody's wake-up.
func TestSleepAnyStopped(t *testing.T) {
	Explore(t, 300, Options{}, func(w *World) {
		a := mem.Heap(128)
		words := []*uint32{a.W32(0), a.W32(64)}
		p := w.Process(0)
		over := false
		p.Go("sleeper", func(t *Thread) {
			for !over {
				if err := t.SleepAny(words, []uint32{0, 0}, 0); err != nil {
					w.Fail("SleepAny: %v", err)
				}
			}
		})
		w.Process(1).Go("stopper", func(t *Thread) {
			for range w.Rand.IntN(12) {
				t.Step()
			}
			p.Stop(1000)
			if p.frozen {
				over = true
				mem.Store32(words[0], 1)
				w.Wake(words[0], -1)
				return
			}
			if n := w.Wake(words[0], -1) + w.Wake(words[1], -1); n != 0 && p.Stopped() {
				w.Fail("%d wake-ups went to one that is stopped", n)
			}
			over = true
			mem.Store32(words[0], 1)
			w.Wake(words[0], -1)
		})
	})
}
