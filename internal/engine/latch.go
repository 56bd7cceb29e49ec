package engine

import "example.com/tandem/internal/mem"

// A latch is of one goroutine of the process at a time, for some stores, or a copy. It is a
// word of private memory, so that a simulation can come between, and to open it costs no
// locked instruction. The race detector is not to take it for an order of the user's.
type latch struct{ shut uint64 }

//go:norace
func (l *latch) lock() {
	mem.RaceDisable()
	if !mem.CAS64(&l.shut, 0, 1) {
		l.wait()
	}
	mem.RaceEnable()
}

//go:norace
func (l *latch) unlock() {
	mem.RaceDisable()
	mem.Release64(&l.shut, 0)
	mem.RaceEnable()
}

//go:noinline
//go:norace
func (l *latch) wait() {
	for try := 0; mem.Load64(&l.shut) != 0 || !mem.CAS64(&l.shut, 0, 1); try++ {
		if try < 6 {
			mem.Relax(1 << try)
		} else {
			mem.Yield()
		}
	}
}
