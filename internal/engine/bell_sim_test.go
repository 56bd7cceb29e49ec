//go:build tandem_sim

package engine_test

import (
	"fmt"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// Producers add tokens and ring for one; consumers take them. However they
// die, and whoever gives up, nobody sleeps while there is a token, or at the end.
func TestSimBell(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    sim.Options
	}{
		{"alive", sim.Options{}},
		{"killed", sim.Options{KillEvery: 150, MaxKills: 3}},
		{"killed soon", sim.Options{KillEvery: 10, MaxKills: 2}},
		{"cancelled", sim.Options{CancelEvery: 100, SpuriousEvery: 200}},
		{"stopped", sim.Options{StopEvery: 30, MaxStops: 2, StopFor: 10000}},
		{"all", sim.Options{KillEvery: 200, MaxKills: 2, CancelEvery: 150, SpuriousEvery: 300}},
	} {
		t.Run(tt.name, func(t *testing.T) { sim.Explore(t, 20000, tt.o, simBell) })
	}
}

func simBell(w *sim.World) {
	a := mem.Heap(128)
	tokens, shut, word := a.W64(0), a.W64(8), a.W32(64)
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		bell := engine.NewBell(word, t.Env())
		bell.Bump()
	})
	telling := map[*sim.Process]bool{} // of one token
	producers := 1 + w.Rand.IntN(3)
	for i := range producers {
		n := 1 + w.Rand.IntN(4)
		p := w.Process(i)
		p.Go("producer", func(t *sim.Thread) {
			b := engine.NewBell(word, t.Env())
			for range n {
				telling[p] = true
				mem.Add64(tokens, 1) // W1, W2
				b.Ring(1)
				telling[p] = false
			}
		})
	}
	var consumers []*sim.Process
	w.OnIdle(func() error {
		for _, p := range consumers {
			if p.Stopped() { // it may have the only wake-up
				return nil
			}
		}
		untold := 0
		for p, yes := range telling {
			if yes && p.Stopped() {
				untold++
			}
		}
		if int(*tokens) > untold && w.Kills() == 0 {
			return fmt.Errorf("%d tokens, %d of them not told of, and all sleep", *tokens, untold)
		}
		return nil
	})
	for i := range 1 + w.Rand.IntN(3) {
		p := w.Process(producers + i)
		consumers = append(consumers, p)
		for range 1 + w.Rand.IntN(2) {
			p.Go("consumer", func(t *sim.Thread) { simConsume(t, tokens, shut, word) })
		}
	}
	w.OnStuck(func() bool {
		if *tokens > 0 || *shut > 0 {
			return false
		}
		closer := w.Process(10)
		closer.Immortal = true
		closer.Go("closer", func(t *sim.Thread) {
			mem.Store64(shut, 1)
			bell := engine.NewBell(word, t.Env())
			bell.Ring(-1)
		})
		return true
	})
}

func simConsume(t *sim.Thread, tokens, shut *uint64, word *uint32) {
	b := engine.NewBell(word, t.Env())
	t.Context(t.World().Rand.IntN(2) == 0)
	look := func() (ended bool) {
		for {
			switch n := mem.Load64(tokens); {
			case n == 0 && mem.Load64(shut) == 0:
				return false
			case n == 0:
				return true
			case mem.CAS64(tokens, n, n-1):
			}
		}
	}
	for !look() {
		v := b.Arm() // B1
		if look() {  // B2
			return
		}
		if t.Sleep(b.Word(), v) != nil { // B3
			b.Ring(1)
			t.Context(false)
		}
	}
}
