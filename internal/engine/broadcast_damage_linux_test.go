package engine

import (
	"math/rand/v2"

	"example.com/tandem/internal/mem"
)

var (
	damagedBroadcast = BroadcastConfig{Slots: 5, MaxMessage: 500, Blocks: 12, BlockSize: 64, Rows: 4, Subscribers: 3}
	damagedReliable  = BroadcastConfig{Slots: 5, MaxMessage: 24, Fixed: true, Reliable: true, Blocks: 8, BlockSize: 64, Rows: 4, Subscribers: 3}
)

// useBroadcast is of TestDamagedMemory.
func useBroadcast(r *rand.Rand, a mem.Area, env Env, wreck func()) {
	b, err := AttachBroadcast(a, env)
	if err != nil {
		return
	}
	s, err := b.Subscribe()
	if err != nil {
		return
	}
	for range 6 {
		n := b.MaxMessage()
		if !b.fixed {
			n = r.IntN(b.MaxMessage() + 1)
		}
		wreck()
		b.Publish(&tired{}, make([]byte, n))
		wreck()
		s.Lock()
		var m Incoming
		if s.Look(&m) == nil {
			wreck()
			s.Take(&m, s.Read(&m, make([]byte, m.Len())))
		}
		s.Unlock()
		s.Wait(&tired{})
		wreck()
		awaitAny(s)
	}
	s.Close()
	if r.IntN(4) == 0 {
		b.Shutdown()
	}
}
