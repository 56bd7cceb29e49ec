package engine

import (
	"math/rand/v2"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// useSPSC is of TestDamagedMemory.
func useSPSC(r *rand.Rand, a mem.Area, env Env, wreck func()) {
	s, err := AttachSPSC(a, env)
	if err != nil {
		return
	}
	msgs := make([]byte, 8*int(s.size)+1)
	for range 30 {
		awaitAny(s)
		switch wreck(); r.IntN(8) {
		case 0, 1:
			p, ok := s.Room()
			if !ok {
				p = s.RoomAgain()
			}
			if wreck(); p != nil {
				mem.Copy(p, unsafe.Pointer(&msgs[0]), s.size)
				wreck()
				s.Publish()
			}
		case 2:
			if p, err := s.AwaitRoom(&tired{}); err == nil {
				wreck()
				mem.Copy(p, unsafe.Pointer(&msgs[0]), s.size)
				s.Publish()
			}
		case 3:
			s.PutRun(unsafe.Pointer(&msgs[0]), 1+r.IntN(8))
		case 4:
			p, ok := s.Next()
			if !ok {
				p = s.NextAgain()
			}
			if p != nil {
				mem.Copy(unsafe.Pointer(&msgs[0]), p, s.size)
				wreck()
				s.Advance()
			}
		case 5:
			if p, err := s.AwaitNext(&tired{}); err == nil {
				wreck()
				mem.Copy(unsafe.Pointer(&msgs[0]), p, s.size)
				s.Advance()
			}
		case 6:
			s.GetRun(unsafe.Pointer(&msgs[0]), 1+r.IntN(8))
		case 7:
			s.Len()
			s.PutIn(1)
			s.GotInZeroes()
			if r.IntN(8) == 0 {
				s.Shutdown()
				s.Leave(a)
			}
		}
	}
}
