//go:build tandem_sim

package engine_test

import (
	"fmt"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/sim"
)

var simBroadcastConfigs = []BroadcastConfig{
	{Slots: 1, MaxMessage: 16, Fixed: true, Blocks: 2, BlockSize: 64, Rows: 16, Subscribers: 3},
	{Slots: 2, MaxMessage: 16, Fixed: true, Blocks: 3, BlockSize: 64, Rows: 16, Subscribers: 3},
	{Slots: 3, MaxMessage: 16, Fixed: true, Blocks: 8, BlockSize: 64, Rows: 16, Subscribers: 3},
	{Slots: 2, MaxMessage: 150, Blocks: 6, BlockSize: 64, Rows: 16, Subscribers: 3},
	{Slots: 4, MaxMessage: 150, Blocks: 7, BlockSize: 64, Rows: 16, Subscribers: 3},
}

// simulateBroadcast builds a world: processes publish, by one thread each, and subscribe.
func simulateBroadcast(t *testing.T, reliable bool) func(*sim.World) {
	return func(w *sim.World) {
		c := simBroadcastConfigs[w.Rand.IntN(len(simBroadcastConfigs))]
		c.Reliable = reliable
		o := newSimBroadcast(t, w, c)
		o.stores = w.Rand.IntN(storesModes)
		populate := func(p *sim.Process) {
			b := o.attach(p)
			role := w.Rand.IntN(3)
			if role != 0 {
				p.Go("publisher", o.publisher(b, 1+w.Rand.IntN(8), w.Rand.IntN(4) == 0))
			}
			if role != 1 {
				n := simMany
				if w.Rand.IntN(2) == 0 {
					n = 1 + w.Rand.IntN(5)
				}
				p.Go("subscriber", o.subscriber(b, n, n < simMany && w.Rand.IntN(4) == 0))
			}
		}
		for i := range 2 + w.Rand.IntN(3) {
			populate(w.Process(i))
		}
		if w.Rand.IntN(3) == 0 {
			p := w.Process(6)
			p.Immortal = true
			p.Go("early closer", func(t *sim.Thread) {
				for range w.Rand.IntN(400) {
					t.Step()
				}
				o.shutdown(7)
			})
		}
		w.OnRecovered(func(dead Self) {
			if w.Rand.IntN(2) == 0 {
				populate(w.Process(int(dead.Index)))
			}
		})
	}
}

func TestSimBroadcast(t *testing.T) {
	for _, o := range []sim.Options{
		{},
		{StopEvery: 100, MaxStops: 4, CancelEvery: 150, SpuriousEvery: 300},
		{KillEvery: 100, MaxKills: 3},
		{KillEvery: 30, MaxKills: 4},
		{KillEvery: 100, MaxKills: 3, StopEvery: 100, MaxStops: 3, CancelEvery: 200, SpuriousEvery: 300},
		{CloseEvery: 80, MaxCloses: 3, KillEvery: 200, MaxKills: 2},
	} {
		for _, reliable := range []bool{false, true} {
			t.Run(fmt.Sprintf("reliable=%v,kills=%d,every=%d,stops=%d,closes=%d", reliable, o.MaxKills, o.KillEvery, o.MaxStops, o.MaxCloses), func(t *testing.T) {
				sim.Explore(t, 2000, o, simulateBroadcast(t, reliable))
			})
		}
	}
}

// Tiny worlds under every schedule with a preemption or two, of which one may be a kill.
// Each letter is a process: p publishes one message, P two, s subscribes and reads two, x
// shuts down.
func TestSimBroadcastExhaust(t *testing.T) {
	one, two := simBroadcastConfigs[0], simBroadcastConfigs[1]
	chain := simBroadcastConfigs[3]
	for _, tt := range []struct {
		roles    string
		c        BroadcastConfig
		reliable bool
		most     int
		kills    int
	}{
		{"ps", one, false, 2, 1},
		{"PPs", one, false, 1, 1},
		{"PPs", two, false, 1, 0},
		{"Psx", one, false, 1, 1},
		{"ps", one, true, 2, 1},
		{"PPs", one, true, 1, 1},
		{"Pss", one, true, 1, 1},
		{"Pss", two, true, 1, 0},
		{"Psx", one, true, 1, 1},
		{"PP", chain, false, 1, 1},
		{"PPs", chain, true, 1, 1},
	} {
		t.Run(fmt.Sprintf("%s,slots=%d,reliable=%v", tt.roles, tt.c.Slots, tt.reliable), func(t *testing.T) {
			tt.c.Reliable = tt.reliable
			sim.Exhaust(t, 1, tt.most, sim.Options{MaxKills: tt.kills}, func(w *sim.World) {
				o := newSimBroadcast(t, w, tt.c)
				for i, r := range tt.roles {
					p := w.Process(i)
					b := o.attach(p)
					switch r {
					case 'p', 'P':
						p.Go("publisher", o.publisher(b, map[rune]int{'p': 1, 'P': 2}[r], false))
					case 's':
						p.Go("subscriber", o.subscriber(b, 2, false))
					case 'x':
						o.shutdown(7)
					}
				}
			})
		})
	}
}
