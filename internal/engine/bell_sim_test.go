//go:build tandem_sim

package engine_test

import (
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
		{"all", sim.Options{KillEvery: 200, MaxKills: 2, CancelEvery: 150, SpuriousEvery: 300}},
	} {
		t.Run(tt.name, func(t *testing.T) { sim.Explore(t, 20000, tt.o, simBell) })
	}
}

func simBell(w *sim.World) {
	a := mem.Heap(128)
	tokens, shut, word := a.W64(0), a.W64(8), a.W32(64)
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		engine.NewBell(word, t.Env()).Bump()
	})
	producers := 1 + w.Rand.IntN(3)
	for i := range producers {
		n := 1 + w.Rand.IntN(4)
		w.Process(i).Go("producer", func(t *sim.Thread) {
			b := engine.NewBell(word, t.Env())
			for range n {
				mem.Add64(tokens, 1) // W1, W2
				b.Ring(1)
			}
		})
	}
	for i := range 1 + w.Rand.IntN(3) {
		p := w.Process(producers + i)
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
			engine.NewBell(word, t.Env()).Ring(-1)
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
