package ring

import (
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// Loans is how many loans of the queue are out, in all processes.
func (q *Queue[T]) Loans() (n int) {
	ops, _ := engine.OpsOf(engine.KindQueue)
	for _, h := range ops.Look(q.core.Area).Holders {
		if h.What == "loan" {
			n += h.N
		}
	}
	return n
}

// Shut begins a Close of the region, which goes no further.
func (q *Queue[T]) Shut() { q.core.Gate.Shut() }

// Out reports whether the collector would give the loan back.
func (l Loan[T]) Out() bool { return l.own.out.core != nil }

// Ended reports whether the subscriber's handle was closed.
func (s *Subscriber[T]) Ended() bool { return s.core.Ended() }

// PutPast is a Put that has found the handle open before it was closed.
func (s *SPSC[T]) PutPast(v T) error {
	p, err := s.eng.TryRoom()
	if err != nil {
		return err
	}
	*(*T)(p) = v
	s.eng.Publish()
	return nil
}

// Starving reports whether a Send of the left end has waited for long (docs/layout.md).
func (c *Conn[T]) Starving() bool { return mem.Load32(c.core.Area.W32(512+520)) != 0 }

// Void is what a publisher leaves that has removed the only message of a new broadcast for its
// memory, and goes no further.
func (b *Broadcast[T]) Void() {
	a := b.core.Area
	for off := uint64(384); off+8 <= a.Size(); off += 8 { // the first word that is a full slot's, of lap 2
		if w := mem.Load64(a.W64(off)); w>>33 == 2 && w&3 == 2 {
			mem.Store64(a.W64(off), 2<<2)
			return
		}
	}
}

// Begin is as if so many bytes had gone each way, and were received (docs/layout.md).
func (c *Conn[T]) Begin(at uint64) {
	for way := range uint64(2) {
		mem.Store64(c.core.Area.W64(512+768*way+256), at)
		mem.Store64(c.core.Area.W64(512+768*way+384), at)
	}
}

// Way is how many bytes an end has sent, and the other has received.
func (c *Conn[T]) Way(sender End) (sent, received uint64) {
	at := uint64(512)
	if sender == Right {
		at += 768
	}
	return mem.Load64(c.core.Area.W64(at + 256)), mem.Load64(c.core.Area.W64(at + 384))
}
