package ring

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// A place is where the message of a Delivery lies, if it stays in its blocks while
// it is leased. Whether it is copied at all depends on how the program reads it,
// which the copies of a Delivery have to know of each other:
//
//	View, Ptr   it is read in place, and no copy is made
//	Value       it is copied, once, and the copy is the program's
//	Ack, Nack   what was not read at all is copied now, since Value is to return it
//	            still; what was read in place is not
type place struct {
	at  unsafe.Pointer
	n   int
	r   *reading // nil: it is no such message
	gen uint64
}

// A reading is what the copies of a Delivery have in common. One that was only read
// in place is used again by another Delivery, with another gen.
type reading struct {
	open   atomic.Uint64 // gen, while it was viewed and is not over, or 0
	mu     sync.Mutex
	gen    uint64 // from 1 on
	viewed bool
	over   bool
	copy   any // a *T
}

// readings are those to be used again. There are none for the race detector, as
// there are no buffers.
var readings sync.Pool

func readAt(at unsafe.Pointer, n int) place {
	if !mem.RaceEnabled {
		if r, ok := readings.Get().(*reading); ok {
			return place{at, n, r, r.gen}
		}
	}
	return place{at, n, &reading{gen: 1}, 1}
}

// viewed reports that view has said so, before which the memory was pinned, and
// that it is not over.
func (p *place) viewed() bool { return p.r.open.Load() == p.gen }

// view notes that the message is read in place. false: not any more. It orders
// nothing that the race detector could take for the callers'.
//
//go:norace
func (p place) view() bool {
	mem.RaceDisable()
	defer mem.RaceEnable()
	if p.viewed() {
		return true
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.gen != p.gen || p.r.over {
		return false
	}
	p.r.viewed = true
	p.r.open.Store(p.gen)
	return true
}

// value is a copy of the message, which made makes if there is none yet; nil if
// there is none to be had. Callers share it, and so are in each other's order.
//
//go:norace
func (p place) value(made func() any) any {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.gen != p.gen {
		return nil
	}
	if p.r.copy == nil && !p.r.over {
		p.r.copy = made()
	}
	return p.r.copy
}

// end is before the message leaves its place.
//
//go:norace
func (p place) end(made func() any) {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.gen != p.gen || p.r.over {
		return
	}
	p.r.open.Store(0)
	if !p.r.viewed && p.r.copy == nil {
		p.r.copy = made()
	}
	if p.r.copy != nil {
		p.r.over = true
		return
	}
	p.r.gen, p.r.viewed = p.r.gen+1, false
	if !mem.RaceEnabled {
		readings.Put(p.r)
	}
}
