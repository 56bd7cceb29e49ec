package engine

import "example.com/tandem/internal/mem"

// recoverSPSC gives up the sides of a participant that is dead, or has no handle any
// more, and bumps both bells.
func recoverSPSC(a mem.Area, env Env, dead Self) error {
	if !a.Has(0, spscTable) {
		return badSPSC("%d bytes", a.Size())
	}
	for _, off := range []uint64{spscProducer, spscConsumer} {
		mem.CAS64(a.W64(off), spscName(dead), 0)
	}
	for _, off := range []uint64{spscItems, spscSpace} {
		b := NewBell(a.W32(off), env)
		b.Bump()
	}
	_, err := spscConfig(a)
	return err
}

// hasSPSC reports whether who has a side.
func hasSPSC(a mem.Area, who Self) bool {
	if !a.Has(0, spscTable) {
		return false
	}
	name := spscName(who)
	return mem.Load64(a.W64(spscProducer)) == name || mem.Load64(a.W64(spscConsumer)) == name
}

// lookSPSC describes an SPSC for a snapshot.
func lookSPSC(a mem.Area) Look {
	s, err := AttachSPSC(a, Env{})
	if err != nil {
		return Look{State: "corrupt"}
	}
	l := Look{Len: s.Len(), Cap: s.Cap()}
	for _, side := range []struct {
		what string
		w    *uint64
	}{{"producer", s.put.claim}, {"consumer", s.get.claim}} {
		if v := mem.Load64(side.w); v>>32 != 0 {
			l.Holders = append(l.Holders, Holding{Who: Self{uint32(v>>32) - 1, uint32(v)}, What: side.what, N: 1})
		}
	}
	if s.items.Armed() || s.space.Armed() {
		l.Waiters = 1
	}
	if s.IsShut() {
		l.State = "shut down"
		if end := mem.Load64(s.end); end != 0 && mem.Load64(s.get.own) >= end-1 {
			l.State = "at its end"
		}
	}
	return l
}

// checkSPSC verifies what holds at any instant. The two indexes are verified only if
// head stands still for long enough to be read twice.
func checkSPSC(a mem.Area) error {
	s, err := AttachSPSC(a, Env{})
	if err != nil {
		return err
	}
	end, look := mem.Load64(s.end), mem.Load64(s.look) // in this order: X is set before end is
	switch {
	case look>>33 != 0:
		return badSPSC("flags %#x", look>>32)
	case end != 0 && look&spscShut == 0:
		return badSPSC("an end at %d, but it is not shut down", end-1)
	}
	for _, w := range []*uint64{s.put.claim, s.get.claim} {
		if v := mem.Load64(w); v != 0 && (v>>32 == 0 || v>>32 > MaxParticipants) {
			return badSPSC("a side is held by %#x", v)
		}
	}
	for range 3 {
		head := mem.Load64(s.get.own)
		tail := mem.Load64(s.put.own)
		if mem.Load64(s.get.own) != head {
			continue
		}
		if tail-head > s.n {
			return badSPSC("tail %d, head %d, of %d slots", tail, head, s.n)
		}
		if end != 0 && head > end-1 {
			return badSPSC("head %d, beyond the end at %d", head, end-1)
		}
		break
	}
	return nil
}

func init() {
	register(KindSPSC, Ops{Name: "spsc", Recover: recoverSPSC, Unheld: recoverSPSC, Has: hasSPSC, Look: lookSPSC, Check: checkSPSC})
}
