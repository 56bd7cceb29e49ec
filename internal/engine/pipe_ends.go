package engine

import (
	"sync/atomic"

	"example.com/tandem/internal/mem"
)

// How a process has an end: with its first handle it sets its bit, with the last it takes
// it away. What counts these is private, and so is the lock of the count, which is held for
// as long as it takes a copy of this process's to be over (C3), and no longer.

// A PipeEnd is a handle on one end of a pipe.
type PipeEnd struct {
	p       *Pipe
	side    int
	out, in *pipeWay // nil: messages do not go that way
	closed  *atomic.Bool
	over    bool // Close was called; p.mu
}

// Open makes a handle on an end. closed is set before Close is called, or when the region
// is closed: from then on no call of the handle sends or receives anything, but one that
// is in the middle of it. ErrPeerGone: the end is gone.
//
//go:norace
func (p *Pipe) Open(side int, closed *atomic.Bool) (*PipeEnd, error) {
	p.lock()
	defer p.unlock()
	if p.n[side] == 0 {
		if err := p.enter(side); err != nil {
			return nil, err
		}
	}
	p.n[side]++
	return &PipeEnd{p: p, side: side, out: p.ways[side], in: p.ways[1-side], closed: closed}, nil
}

// bit is where the bit of participant i is that has an end, and which.
func (p *Pipe) bit(side int, i uint32) (w *uint64, bit uint64) {
	return p.a.W64(pipeHeld + uint64(side)*pipeHeldSize + uint64(i/64)*8), 1 << (i % 64)
}

// enter is O1 to O3.
func (p *Pipe) enter(side int) error {
	me := p.env.Self.Index
	if uint64(me/64) >= p.words {
		return badPipe("participant %d, and bits for %d", me, 64*p.words)
	}
	w, bit := p.bit(side, me)
	mem.Or64(w, bit) // O1
	for {
		e := mem.Load64(p.e) // O2
		state := pipeState(e, side)
		if state > pipeOpen {
			mem.And64(w, ^bit)
			if state > pipeGone {
				return badPipe("ends %#x", e&(pipeOpening-1))
			}
			return ErrPeerGone
		}
		next := e + pipeOpening + (pipeOpen-state)<<(pipeStateBits*side)
		switch ok, err := p.env.change(p.e, e, next); { // O3
		case err != nil:
			return err
		case ok:
			return nil
		}
	}
}

// Hold is one more that holds h's end, as a handle does, until drop is called. It is nil
// after Close.
//
//go:norace
func (h *PipeEnd) Hold() (drop func()) {
	p := h.p
	p.lock()
	defer p.unlock()
	if h.over {
		return nil
	}
	p.n[h.side]++
	held := new(PipeEnd)
	*held = PipeEnd{p: p, side: h.side}
	return held.Close
}

// Close is C3 to C5; C1 and C2 are the caller's. A second one does nothing.
//
//go:norace
func (h *PipeEnd) Close() {
	p := h.p
	p.lock()
	defer p.unlock()
	if h.over {
		return
	}
	h.over = true
	if p.n[h.side]--; p.n[h.side] > 0 {
		return
	}
	for n := 0; (n < copyingMost || p.inside(h.side)) && p.copying(h.side); n++ { // C3
		mem.Yield()
	}
	w, bit := p.bit(h.side, p.env.Self.Index)
	mem.And64(w, ^bit) // C4
	p.tryEnd(h.side)   // C5
}

// copyingMost bounds C3 where a lock names this process though no call of it copies, which
// is damage, or the moment before the copy or after it: some hundred milliseconds in which
// others of the process could run. Tests have it shorter.
var copyingMost = 1 << 23

// copying reports whether this process has one of an end's locks.
func (p *Pipe) copying(side int) bool {
	mine := func(m *Mutex) bool { return mem.Load64(m.w)&mutexHolder == m.me }
	out, in := p.ways[side], p.ways[1-side]
	return out != nil && mine(out.sending) || in != nil && mine(in.receiving)
}

// inside reports whether a call of this process is in the middle of its copy, which may take
// as long as it takes: of what lies on a disk, say.
func (p *Pipe) inside(side int) bool {
	out, in := p.ways[side], p.ways[1-side]
	return out != nil && seen(&out.sends.inside) != 0 || in != nil && seen(&in.recvs.inside) != 0
}

// tryEnd is T1 to T4.
func (p *Pipe) tryEnd(side int) {
	for {
		e := mem.Load64(p.e) // T1
		if pipeState(e, side) != pipeOpen || p.anyHolds(side) {
			return
		}
		if mem.CAS64(p.e, e, e+(pipeGone-pipeOpen)<<(pipeStateBits*side)) { // T3
			break
		}
	}
	if y := p.ways[side]; y != nil { // T4
		y.data.Ring(-1)
	}
	if y := p.ways[1-side]; y != nil {
		y.room.Ring(-1)
	}
}

// anyHolds is T2.
func (p *Pipe) anyHolds(side int) bool {
	for i := range p.words {
		if mem.Load64(p.a.W64(pipeHeld+uint64(side)*pipeHeldSize+8*i)) != 0 {
			return true
		}
	}
	return false
}

// lock and unlock are of mu. Threads of a simulation come between each other here.
//
//go:norace
func (p *Pipe) lock() {
	mem.RaceDisable()
	for mem.Between(); !p.mu.CompareAndSwap(false, true); {
		mem.Yield()
	}
	mem.RaceEnable()
}

//go:norace
func (p *Pipe) unlock() {
	mem.RaceDisable()
	p.mu.Store(false)
	mem.RaceEnable()
}

// PipeOver reports whether both ends of the pipe in a are gone.
func PipeOver(a mem.Area) bool {
	if _, err := pipeConfig(a); err != nil {
		return false
	}
	e := mem.Load64(a.W64(pipeE))
	return pipeState(e, PipeLeft) == pipeGone && pipeState(e, PipeRight) == pipeGone
}
