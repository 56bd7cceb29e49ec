package engine

import "example.com/tandem/internal/mem"

// useBarrier is of TestDamagedMemory.
func useBarrier(a mem.Area, env Env, wreck func()) {
	b, err := AttachBarrier(a, env)
	if err != nil {
		return
	}
	var arrived []Arrival
	for range 12 {
		wreck()
		if a, err := b.Arrive(&tired{}); err == nil {
			arrived = append(arrived, a)
		} else {
			b.Reset()
		}
		b.Waiting()
		b.Broken()
	}
	for i, a := range arrived {
		switch wreck(); {
		case b.Last(a):
			b.Trip(a)
		case i%3 == 0:
			b.Fail(a)
		default:
			b.Await(a, &tired{})
		}
	}
	b.Abort()
	wreck()
	b.Reset()
}
