package engine

import "example.com/tandem/internal/mem"

// What one does after a fruitless look, before it sleeps.

// letPass is the lull after a fruitless look, of one who may; see Queue.letPass.
func (s *SPSC) letPass(u *spscSide) bool {
	mem.RaceDisable()
	defer mem.RaceEnable()
	a := &u.lull
	if a.from == u.pos+1 {
		return false
	}
	came := uint32(0)
	if a.from != 0 {
		came = uint32(min(u.pos+1-a.from, s.n))
	}
	a.from = u.pos + 1
	micros := a.next(came, uint32(s.n))
	for range micros {
		mem.RelaxMicro()
	}
	return micros > 0
}

// GetSoon is what one does after a fruitless look, before it has a Waiter; see
// Queue.Soon. PutSoon is the same of one who puts.
//
//go:noinline
func (s *SPSC) GetSoon(lulls bool, looks int) bool { return s.soon(&s.get, s.get.pos, lulls, looks) }

//go:noinline
func (s *SPSC) PutSoon(lulls bool, looks int) bool {
	return s.soon(&s.put, s.put.pos-s.n, lulls, looks)
}

// soon reports whether the other index is not any more where there is nothing to do.
func (s *SPSC) soon(u *spscSide, idle uint64, lulls bool, looks int) bool {
	if lulls && s.letPass(u) {
		return mem.Load64(u.other) != idle
	}
	for paused := 0; paused < looks; {
		if mem.Load64(u.other) != idle {
			return true
		}
		n := 1 + paused/8
		mem.Relax(n)
		paused += n
	}
	return false
}

func (s *SPSC) pause(by Sleeper, u *spscSide) {
	if l, ok := by.(LullSleeper); ok && l.Lulls() {
		s.letPass(u)
	}
}
