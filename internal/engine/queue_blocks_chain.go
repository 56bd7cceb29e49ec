package engine

import (
	"runtime"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// What is done with pieces of a pool, and with several of them that are chained;
// queue_blocks.go has the words and the steps.

// gather claims want blocks in several pieces, and chains them. They are loose
// until it has all.
func (p *pool) gather(b, want uint32, tag uint64) (c claim) {
	var first, last, got uint32
	for left := p.n; ; {
		o := mem.Load64(p.owner(b))
		k := p.free(b, o)
		if k > 0 && mem.CAS64(p.owner(b), o, tag) { // P1
			if k > want-got {
				p.cut(b, k, want-got, tag, extentLoose)
				c.stirs, k = true, want-got
			}
			if got == 0 {
				first = b
			} else {
				p.chain(last, b)
			}
			last = b
			if got += k; got == want {
				setHint(&p.hint, b+k)
				p.settle(first, want)
				c.one = first + 1
				return c
			}
		} else if k = 1; o != 0 && !isFree(o) {
			k = max(p.length(b, mem.Load64(p.extent(b))), 1)
		}
		if k >= left {
			break
		}
		left -= k
		if b += k; b >= p.n {
			b = 0
		}
	}
	p.giveBack(first, tag, got)
	return claim{stirs: c.stirs || got > 0, lost: true}
}

// chain makes b the piece after last.
func (p *pool) chain(last, b uint32) {
	mem.Release64(p.extent(last), uint64(b)<<extentNext|mem.Load64(p.extent(last))&(1<<extentNext-1))
}

// settle says of the pieces of a chain of n blocks that all of them are kept.
func (p *pool) settle(b, n uint32) {
	for n > 0 && b < p.n {
		e := mem.Load64(p.extent(b))
		k := p.length(b, e)
		if k == 0 || k > n {
			return // overwritten under it
		}
		mem.Release64(p.extent(b), e&^extentLoose)
		n -= k
		b = uint32(e >> extentNext)
	}
}

// giveBack frees a chain of n blocks, as far as it is tag's: one that was damaged
// ends where it leads to another's, or has another length.
func (p *pool) giveBack(b uint32, tag uint64, n uint32) {
	for n > 0 && b < p.n && mem.Load64(p.owner(b)) == tag {
		e := mem.Load64(p.extent(b))
		k := p.length(b, e)
		if k == 0 || k > n {
			return
		}
		mem.Release64(p.extent(b), uint64(k|extentLoose))
		if !mem.CAS64(p.owner(b), tag, freed(k)) { // F1
			return
		}
		n -= k
		b = uint32(e >> extentNext)
	}
}

// reclaim frees the piece at b, whose tag is of a dead process, and clears the
// parts within it. It may be done twice, and by two: every step is a CAS from what
// the dead one left. An owner is so for certain, by its tag; an extent may be that of
// a message which came there since, and is as long: it shows L then, without need, and
// others look a few times more. It returns how many blocks it has gone over.
func (p *pool) reclaim(b uint32, tag uint64) uint32 {
	e := mem.Load64(p.extent(b))
	k := p.length(b, e)
	if k == 0 {
		return 1 // damaged
	}
	for part := b + 1; part < b+k; part++ {
		if mem.Load64(p.owner(part)) == tag {
			mem.CAS64(p.owner(part), tag, 0)
		}
	}
	if e&extentLoose == 0 {
		mem.CAS64(p.extent(b), e, e|extentLoose)
	}
	mem.CAS64(p.owner(b), tag, freed(k))
	return k
}

// write copies a message into the pieces that were claimed for it.
func (p *pool) write(b uint32, msg []byte) {
	for b < p.n {
		e := mem.Load64(p.extent(b))
		k := min(len(msg), int(p.length(b, e))*int(p.size))
		mem.Copy(p.at(b), unsafe.Pointer(unsafe.SliceData(msg)), uintptr(k))
		if msg = msg[k:]; len(msg) == 0 || k == 0 {
			return // all; or the region was closed or overwritten under it
		}
		b = uint32(e >> extentNext)
	}
}

// read copies a message of len(dst) > 0 bytes out of its pieces.
func (p *pool) read(b uint32, tag uint64, dst []byte) error {
	for {
		if b >= p.n || mem.Load64(p.owner(b)) != tag {
			return ErrCorrupt
		}
		e := mem.Load64(p.extent(b))
		k := min(len(dst), int(p.length(b, e))*int(p.size))
		if k == 0 {
			return ErrCorrupt
		}
		mem.Copy(unsafe.Pointer(unsafe.SliceData(dst)), p.at(b), uintptr(k))
		if dst = dst[k:]; len(dst) == 0 {
			return nil
		}
		b = uint32(e >> extentNext)
	}
}

// whole is where a message of n > 0 bytes lies, if it lies in one piece.
func (p *pool) whole(b uint32, tag uint64, n uint32) (unsafe.Pointer, bool) {
	if b >= p.n || mem.Load64(p.owner(b)) != tag {
		return nil, false
	}
	k := p.length(b, mem.Load64(p.extent(b)))
	return p.at(b), uint64(k)*uint64(p.size) >= uint64(n)
}

// looseLooks is how often a claimer looks that sees too little, and something loose.
const looseLooks = 8

// claimBlocks makes one attempt at a message's blocks: ErrFull or ErrShutdown
// if it does not get them. It ends with a look that has seen too little. As long as
// there is enough and others are faster it goes on: they ring for nobody if they
// keep all that they took.
func (q *Queue) claimBlocks(want uint32, tag uint64, whole bool) (uint32, error) {
	loose := 0
	for try := range q.bound() {
		if mem.Load64(q.state)&stateShut != 0 {
			return 0, ErrShutdown
		}
		c := q.pool.claim(want, tag, whole)
		if c.stirs {
			q.space.Ring(-1) // a producer that was turned away by what was held here looks again
		}
		if q.gone() {
			return 0, ErrGone
		}
		if c.one != 0 {
			return c.one - 1, nil
		}
		if c.lost {
			loose = 0
		} else if loose++; !c.loose || loose == looseLooks {
			return 0, ErrFull
		}
		if try < 2 {
			mem.Relax(1 + try)
			continue
		}
		// The claimers part by waiting unequally long.
		for range min(uint64(try)+1, 8) * ((tag + uint64(try)) * 0x9e3779b97f4a7c15 >> 62) {
			runtime.Gosched()
		}
	}
	return 0, ErrCorrupt
}
