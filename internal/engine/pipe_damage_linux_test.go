package engine

import (
	"math/rand/v2"
	"sync/atomic"

	"example.com/tandem/internal/mem"
)

// usePipe is of TestDamagedMemory.
func usePipe(r *rand.Rand, a mem.Area, env Env, wreck func()) {
	most := copyingMost
	copyingMost = 100
	defer func() { copyingMost = most }()
	p, err := AttachPipe(a, env)
	if err != nil {
		return
	}
	var ends [2]*PipeEnd
	var closed [2]atomic.Bool
	for side := range ends {
		wreck()
		if ends[side], err = p.Open(side, &closed[side]); err != nil {
			return
		}
	}
	for range 30 {
		h := ends[r.IntN(2)]
		msg := make([]byte, r.IntN(p.MaxMessage()+1))
		take := func(m Received, err error) {
			if err != nil {
				return
			}
			wreck()
			m.Read(make([]byte, m.Len()))
			wreck()
			if r.IntN(4) == 0 {
				m.Left()
			} else {
				m.Took()
			}
		}
		switch wreck(); r.IntN(8) {
		case 0, 1:
			h.SendNow(msg)
		case 2:
			h.Send(&tired{}, msg)
		case 3:
			take(h.RecvNow())
		case 4:
			take(h.Recv(&tired{}))
		case 5:
			h.Poll(&tired{})
			h.RecvSoon(true, 3)
		case 6:
			h.SentInZeroes(8)
			h.TookInZeroes(8)
			PipeOver(a)
		case 7:
			if drop := h.Hold(); drop != nil {
				drop()
			}
		}
	}
	for side, h := range ends {
		closed[side].Store(true)
		h.Close()
	}
}
