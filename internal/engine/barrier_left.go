package engine

import "example.com/tandem/internal/mem"

// A BarrierLeft is what a barrier was when this process closed its region, for calls of it
// that see zeroes by now. It is written by Leave, and read after it.
type BarrierLeft struct {
	seen bool   // it could be seen
	b    uint64 // B, when the round under way was broken if a party of this process was in it
}

// Leave is for a process that closes the region, and has zeroes in its place by now: a is
// the barrier, where it still can be seen, if it is so long. It is X1 for the parties of this
// process, which are about to be recovered.
func (l *BarrierLeft) Leave(a mem.Area, env Env) {
	b, err := AttachBarrier(a, env)
	if err != nil {
		return
	}
	for range leaveTries {
		w := mem.Load64(b.b)
		if w&barrierBroken != 0 || !b.has(w, b.me) {
			break
		}
		if mem.CAS64(b.b, w, w|barrierBroken) { // X1
			mem.Add64(a.W64(barrierBreaks), 1)
			b.tell() // T2
			break
		}
	}
	l.seen, l.b = true, mem.Load64(b.b)
}

// leaveTries is more than B can change while the round is one that this process has come to:
// its parties hold up those after the next.
const leaveTries = 8

// Tripped reports whether the round of a was tripped with it, of a party that has seen its
// round's end in the zeroes.
func (l *BarrierLeft) Tripped(a Arrival) bool { return l.seen && tripped(a.b, l.b) }
