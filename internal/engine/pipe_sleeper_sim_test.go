//go:build tandem_sim

package engine_test

import (
	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/sim"
)

// A pipeSleeper ends the sleeps of a handle that was closed.
type pipeSleeper struct {
	*sim.Thread
	o *simPipe
	h *simHandle
}

func (s pipeSleeper) Sleep(w *uint32, v uint32) error {
	return s.ending(func() error { return s.Thread.Sleep(w, v) })
}

func (s pipeSleeper) ending(sleep func() error) error {
	if s.h.closed.Load() {
		return ErrLeft
	}
	if err := sleep(); err != nil {
		return err
	}
	if s.h.closed.Load() {
		return ErrLeft
	}
	return nil
}

// SleepUntil is of one that stands back. If all sleep it lasts to its end, in a world without
// timers too: see patience.
func (s pipeSleeper) SleepUntil(w *uint32, v uint32, limit int64) error {
	if s.o.timers {
		return s.ending(func() error { return s.Thread.SleepUntil(w, v, limit) })
	}
	c := s.o.calls[s.Thread]
	c.stands = true
	err := s.Sleep(w, v)
	if !c.stands {
		c.late = limit + 1
	}
	c.stands = false
	return err
}

func (s pipeSleeper) Now() int64 {
	if c := s.o.calls[s.Thread]; c != nil {
		return max(c.late, s.Thread.Now())
	}
	return s.Thread.Now()
}

// patience ends the sleeps of those that stand back. Somebody must be starving by then.
func (o *simPipe) patience(v PipeView) (ended bool) {
	var starving, back [2]bool
	for t, c := range o.calls {
		switch {
		case !o.w.Alive(t.Process().Self) || t.Closed() || c.need == 0:
		case c.stands:
			back[c.h.side] = true
			c.stands = false
		default:
			starving[c.h.side] = true
		}
	}
	for way := range back {
		if !back[way] {
			continue
		}
		if !v.Starving[way] || !starving[way] {
			o.w.Fail("somebody stands back, and nobody is starving: it says %v", v.Starving[way])
		}
		if o.clock == nil {
			o.clock = o.w.Process(10)
			o.clock.Immortal = true
		}
		o.clock.Go("patience", func(t *sim.Thread) { t.Env().Wake(PipeTurn(o.a, way), -1) })
		ended = true
	}
	return ended
}

// stuck is called when all threads sleep. It finds who should not, then ends what keeps the
// others.
func (o *simPipe) stuck() bool {
	o.w.Settled()
	v := o.view()
	if o.patience(v) {
		return true
	}
	for t, c := range o.calls {
		if !o.w.Alive(t.Process().Self) || t.Closed() {
			continue
		}
		other := v.State[1-c.h.side]
		switch way := 1 - c.h.side; {
		case c.h.closed.Load():
			o.w.Fail("%v sleeps on a closed handle", t)
			return true
		case c.need == 0 && (v.W[way] != v.R[way] || other == PipeGone):
			o.w.Fail("%v sleeps, and %d bytes are there, the other end is %d", t, v.W[way]-v.R[way], other)
			return true
		case c.need != 0 && (other == PipeGone || (uint64(o.c.Buffer)+63)&^63-(v.W[c.h.side]-v.R[c.h.side]) >= c.need):
			o.w.Fail("%v sleeps, and there is room, or the other end is gone: %d", t, other)
			return true
		}
	}
	if o.helped == 0 { // who waits for an end that never comes, will see one come and go
		o.helped++
		for side, s := range v.State {
			if s == PipeNever {
				p := o.w.Process(8 + side)
				eng := o.attach(p)
				p.Immortal = true
				p.Go("helper", func(t *sim.Thread) {
					if h := o.open(t, eng, side); h != nil {
						o.close(h)
					}
				})
			}
		}
		return true
	}
	for _, h := range o.all1 {
		if !h.shut && o.w.Alive(h.p.Self) && !closes(h.p) {
			h.p.Go("its end", func(*sim.Thread) { o.close(h) })
			return true
		}
	}
	return false
}
