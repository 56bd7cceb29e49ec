//go:build tandem_sim

package engine_test

import (
	"fmt"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/sim"
)

// A plain semaphore in which all give and take as they like, above its first
// value too, while they die and their indices are used again.
func TestSimSemaphoreMixed(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    sim.Options
	}{
		{"alive", sim.Options{CancelEvery: 100, SpuriousEvery: 300}},
		{"killed", sim.Options{KillEvery: 40, MaxKills: 12, CancelEvery: 200}},
		{"stopped", sim.Options{KillEvery: 80, MaxKills: 8, StopEvery: 40, MaxStops: 8, StopFor: 200, CancelEvery: 200}},
	} {
		t.Run(tt.name, func(t *testing.T) { sim.Explore(t, 3000, tt.o, simMixed) })
	}
}

func simMixed(w *sim.World) {
	initial := w.Rand.IntN(4)
	o := newSemaphoreOracle(w, initial, false)
	low, high := initial, initial // what the dead have left
	seen := map[engine.Self]bool{}
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		if !seen[dead] {
			seen[dead] = true
			share := o.share[dead]
			least := share
			for _, at := range o.dying(dead) {
				least -= max(at, -at) // a Release counts from its beginning on, an Acquire from its end on
			}
			low += least
			high += max(share, 0)
		}
		if err := o.ops.Recover(o.a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	w.AtEnd(func() error {
		l, err := engine.AttachSemaphore(o.a, engine.Env{}, false)
		if err != nil {
			return err
		}
		held := map[uint32]int{}
		living := 0
		for who, n := range o.share {
			held[who.Index] += n
			living += n
		}
		for i := range uint32(simRows) {
			if h, err := l.Held(i); err != nil || h != held[i] {
				return fmt.Errorf("participant %d has a share of %d (%v), want %d", i, h, err, held[i])
			}
		}
		if v := o.value() - living; v < low || v > high {
			return fmt.Errorf("value %d, of which the living gave %d: want %d to %d of the others", o.value(), living, low, high)
		}
		return nil
	})
	start := func(index int) {
		p := w.Process(index)
		for range 1 + w.Rand.IntN(3) {
			p.Go("anybody", func(t *sim.Thread) {
				s := o.attach(t)
				for range 1 + w.Rand.IntN(6) {
					t.Context(w.Rand.IntN(2) == 0)
					if w.Rand.IntN(5) < 2 {
						o.release(t, s, 1+w.Rand.IntN(3))
					} else {
						o.acquire(t, s)
					}
				}
			})
		}
	}
	w.OnRecovered(func(dead engine.Self) {
		if w.Rand.IntN(4) > 0 && dead.Index < 5 {
			start(int(dead.Index))
		}
	})
	for i := range 2 + w.Rand.IntN(3) {
		start(i)
	}
	w.OnStuck(func() bool {
		if o.value() != 0 {
			return false
		}
		p := w.Process(5)
		p.Immortal = true
		p.Go("last giver", func(t *sim.Thread) { o.release(t, o.attach(t), 60) })
		return true
	})
}
