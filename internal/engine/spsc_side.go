package engine

import "example.com/tandem/internal/mem"

// What a process knows of a side, and how that moves.

// A spscSide is this process's use of one side. Its private words are of the one
// goroutine that uses it.
type spscSide struct {
	pos   uint64  // the own index
	at    uintptr // of slot pos; span means 0
	upto  uintptr // up to there one goes on without a look at anything else: spsc_now.go. At most span
	plain bool    // stores need no fence: unfenced, once that was so
	own   *uint64
	till  uint64 // up to there one can put, or get, by what is known of the other side. pos too while the side is not ours

	other  *uint64
	claim  *uint64
	mine   bool
	looked uint64 // where it was when it looked how near the other is
	apart  apart
	lull   lull
}

// take is T1 and T2. As nothing can be put or got by what is known then, the other
// index is looked at before anything is.
func (s *SPSC) take(u *spscSide) error {
	if u.mine {
		return nil
	}
	ok, err := s.env.change(u.claim, 0, s.me) // T1
	if err != nil {
		return err
	}
	if !ok && mem.Load64(u.claim) != s.me { // ours, if it was taken by a handle that is gone
		return ErrBusy
	}
	pos := mem.Load64(u.own) // T2
	u.pos, u.till, u.at = pos, pos, uintptr(pos%s.n)*s.size
	u.mine = true
	return nil
}

// waits reports whether err is one that a call waits out: none, or that one has the side
// who will soon have nothing.
func (u *spscSide) waits(s *SPSC, err, none error) bool {
	return err == none || err == ErrBusy && s.Leaves != nil && u.leaves(s)
}

func (u *spscSide) leaves(s *SPSC) bool {
	v := mem.Load64(u.claim)
	return v == 0 || s.Leaves(Self{uint32(v>>32) - 1, uint32(v)})
}

// left is how many messages can be put, or got, before one has to look.
func (u *spscSide) left() uint64 { return u.till - u.pos }

// advance moves a side by n messages, of which it has so many.
func (u *spscSide) advance(s *SPSC, n uint64) {
	u.upto = 0 // it was of where the side is no longer
	u.pos += n
	at := u.at + uintptr(n)*s.size
	if at >= s.span {
		at -= s.span
	}
	u.at = at
}

// store is P3 and G4.
func (u *spscSide) store(s *SPSC) {
	if s.unfenced.Load() {
		mem.Release64(u.own, u.pos)
	} else {
		storeFenced(u.own, u.pos)
	}
}

// run is where up to want messages of a side lie, of which there are n: at one place, at,
// or at two.
func (s *SPSC) run(u *spscSide, want uint64) (n uint64, at, first, more uintptr) {
	n = min(u.left(), want, s.n) // see slot
	at = u.slot(s)
	bytes := uintptr(n) * s.size
	first = min(bytes, s.span-at)
	return n, at, first, bytes - first
}
