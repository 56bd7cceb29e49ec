package engine

import (
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// pool is where the bytes of messages lie that do not fit a slot: blocks of
// one size, cut into pieces. A piece is a run of neighbouring blocks that is
// free, or one message's. Pieces tile the pool: one begins at block 0, and each
// where the one before it ends. A message lies in one piece, wherever one is to
// be had; so it is claimed by one CAS, of whatever length it is, and lies in
// memory without a gap. Only where what is free is in pieces that are too short
// does it take several, chained.
//
// # Words
//
// Two for each block, of meaning at the first block of a piece:
//
//	 63     54 53       34 33            1   0
//	+---------+-----------+---------------+---+
//	|  index  |   epoch   |   sequence    | 0 |    owner: a tag, the message's (rule 1)
//	+---------+-----------+---------------+---+
//	|          0          |    length     | 1 |    owner: free
//	+---------------------+---------------+---+
//	 63                 32  31  30            0
//	+----------------------+---+--------------+
//	|         next         | L |    length    |   extent
//	+----------------------+---+--------------+
//	owner   0: no piece begins at this block
//	length  blocks of the piece; of a free one it stands in both words
//	L       loose: free, or of a holder that may give part of it back at once
//	next    the chain's next piece, but in its last
//
// A tag names the producer, and no two messages have the same (queue_blocks_tags.go):
// all pieces of a message are known by it, without the chain. The owner says whose the
// piece is and only its CAS moves it from one to another. The extent is the holder's.
//
// # Steps
//
//	claim  P1  CAS owner: free → tag. If the piece is longer, cut:
//	       P2  extent of the rest, owner of the rest: tag. It is a part, since the
//	           piece's own length goes beyond it
//	       P3  extent: the length wanted, not loose. By this store the part is a
//	           piece, of the same holder
//	       P4  CAS owner of the rest: tag → free. Then ring space
//	join   J1  CAS owner of the next piece: free → tag. If it is longer than the
//	           longest message: P2 to P4 of the rest
//	       J2  extent: longer by it. By this store it is a part
//	       J3  owner of the part: 0
//	free   F1  extent: loose. CAS owner: tag → free, with the length
//
// TILING  at any instant: each owner that says free is a piece's and has its
// length, and no two pieces have a block in common. For a block becomes the
// first of a piece, or ceases to be, only by a store of the extent of the piece
// around it or before it, of whom that is (P3, J2), and has a tag then. So a CAS
// from free is right whenever it succeeds, however old the look before it: it
// compares the length as well, and needs no count against ABA. A tag that was
// read is used again after 2^33 others, if at all.
//
// A claimer cuts what is too long and joins what is too short, after a look has
// shown that the pieces in a row will do. It gives back what it has if others are
// faster: a holder of blocks does not wait. If there is no such row and enough
// is free all the same, it gathers several pieces, in the same manner.
//
// # What fits
//
// Messages fit as long as their blocks, together, are no more than there are:
// a chain takes every free one. A loan has to lie in one piece, and so waits
// for a row of free ones. The pool begins as pieces for the longest message,
// and no claim leaves a longer one behind: it cuts the rest, too. One that dies after
// J2 leaves a piece of less than twice that length; of which no longer one comes, since
// whoever joins it cuts it first.
//
// # Stops, and what is said to be full
//
// From P1 to P4, three stores, and while it joins or gathers, a claimer has more
// than it keeps: less than twice the longest message, unless it gathers, or joins what
// one left that died so: then less than three times. A claimer that finds no room and
// has seen a loose piece in somebody's hand looks again a few times (claimBlocks), as a
// consumer lingers at a slot that is being written. A process that is stopped there
// keeps that much from the others until it goes on or dies. One that waits is woken:
// whoever gives back what it had for a moment rings space. Who takes a piece and keeps
// all of it rings for nobody; so one that has seen room and lost it to others goes on
// looking, until it sees none. It loses to a CAS of theirs each time: somebody gets on.
//
// # Death
//
// A piece whose owner is dead and whose tag is in no slot is free; the pieces of
// a slot that was left draining are those with its tag. A message that was put,
// and a loan, have no parts: those are of a claimer that died between P2 and P3,
// or J2 and J3, have its tag and lie within a piece with it. They are
// cleared before that piece is freed (reclaim), by whoever goes over the pool from
// its first block on; so no part is taken for a piece.
//
// # Close
//
// A claim is a CAS from free, which is never 0. In the zeroes that come in the
// region's place there is no free piece but one that was cut there, and who
// has claimed that finds that the region is gone (claimBlocks).
type pool struct {
	n, size uint32
	most    uint32 // blocks of the longest message
	heads   unsafe.Pointer
	bytes   unsafe.Pointer
	who     uint64
	hint    atomic.Uint32 // block where the next search begins
	stretch atomic.Pointer[stretch]
}

const (
	tagWhoShift = 34
	blockFree   = 1       // in an owner
	extentLoose = 1 << 31 // in an extent
	extentMask  = extentLoose - 1
	extentNext  = 32
	headBytes   = 16
)

func newPool(a mem.Area, c QueueConfig, l queueLayout, self Self) pool {
	n := uint64(c.Blocks)
	return pool{
		n: uint32(n), size: uint32(c.BlockSize), who: whoBits(self),
		most:  uint32((c.MaxMessage + c.BlockSize - 1) / c.BlockSize),
		heads: a.Ptr(l.heads, headBytes*n), bytes: a.Ptr(l.bytes, n*uint64(c.BlockSize)),
	}
}

// apart lets the searches of different processes begin at different pieces.
func (p *pool) apart(self Self) {
	setHint(&p.hint, uint32(uint64(self.Index)*0x9e3779b1%uint64(p.n))/p.most*p.most)
}

// initPool writes the pool's words: pieces for the longest message, all free.
func (c QueueConfig) initPool(a mem.Area, l queueLayout) {
	p := newPool(a, c, l, Self{})
	for b := uint32(0); b < p.n; b += p.most {
		k := min(p.most, p.n-b)
		*p.owner(b), *p.extent(b) = freed(k), uint64(k|extentLoose)
	}
}

func (p *pool) owner(b uint32) *uint64 {
	return (*uint64)(unsafe.Add(p.heads, uintptr(b)*headBytes))
}
func (p *pool) extent(b uint32) *uint64 {
	return (*uint64)(unsafe.Add(p.heads, uintptr(b)*headBytes+8))
}
func (p *pool) at(b uint32) unsafe.Pointer {
	return unsafe.Add(p.bytes, uintptr(b)*uintptr(p.size))
}

func tagWho(tag uint64) uint64   { return tag >> tagWhoShift }
func freed(length uint32) uint64 { return uint64(length)<<1 | blockFree }
func isFree(owner uint64) bool   { return owner&blockFree != 0 }

// blocks is how many a message of n bytes takes: one at least.
func (p *pool) blocks(n uint32) uint32 { return max((n+p.size-1)/p.size, 1) }

// length is that of an extent of block b, 0 if it is none: a damaged one.
func (p *pool) length(b uint32, extent uint64) uint32 {
	if k := uint32(extent) & extentMask; k <= p.n-b {
		return k
	}
	return 0
}

// free is the length of the piece at b by its words, if it is free, else 0. The
// two lengths are different if one of them was damaged, or as the words were read
// while the piece changed hands.
func (p *pool) free(b uint32, owner uint64) uint32 {
	if !isFree(owner) {
		return 0
	}
	k := p.length(b, mem.Load64(p.extent(b)))
	if freed(k) != owner {
		return 0
	}
	return k
}

// A sight is what a look round the pool has seen.
type sight struct {
	row   uint32 // where free pieces in a row begin that have as many blocks as wanted
	found bool   // there are such
	all   uint32 // blocks that are free, as far as it has looked
	loose bool   // somebody holds a piece that is loose, or changes some
}

// look goes round the pool from block b on until it has found what is wanted: to
// the end of the row, if there is one, in which it began.
func (p *pool) look(b, want uint32) (s sight) {
	run := uint32(0)
	for left := p.n; ; {
		o := mem.Load64(p.owner(b))
		k := p.free(b, o)
		if k > 0 {
			if run == 0 {
				s.row = b
			}
			run, s.all = run+k, s.all+min(k, left)
			if run >= want {
				s.found = true
				return s
			}
		} else {
			run = 0
			if o == 0 || isFree(o) {
				s.loose = true // it has changed under this look
			} else {
				e := mem.Load64(p.extent(b))
				s.loose = s.loose || e&extentLoose != 0
				k = p.length(b, e)
			}
			k = max(k, 1)
		}
		left -= min(k, left)
		if b += k; b >= p.n {
			b, run = 0, 0
		}
		if left == 0 && run == 0 {
			return s
		}
	}
}

// A claim is what an attempt at blocks has come to. It is of four fields, and so in
// registers: what is copied from memory piece by piece just written waits for that.
type claim struct {
	one   uint32 // one more than the first block; 0: it has got none
	stirs bool   // it has held for a moment what is free again: others may have failed for that
	lost  bool   // there was enough, and others were faster
	loose bool   // there was not, and others hold something that may be free in a moment
}

// claim takes want blocks: a piece, or pieces if it need not be whole.
func (p *pool) claim(want uint32, tag uint64, whole bool) (c claim) {
	start := hintOf(&p.hint)
	if start >= p.n || mem.Load64(p.owner(start)) == 0 {
		start = 0 // a piece begins there, always
	}
	s := p.look(start, want)
	switch {
	case s.found:
		return p.piece(s.row, want, tag)
	case !whole && s.all >= want:
		return p.gather(start, want, tag)
	}
	return claim{loose: s.loose}
}

// piece claims want blocks from b on, where free pieces were seen in a row.
func (p *pool) piece(b, want uint32, tag uint64) (c claim) {
	o := mem.Load64(p.owner(b))
	have := p.free(b, o)
	if have == 0 || !mem.CAS64(p.owner(b), o, tag) { // P1
		return claim{lost: true}
	}
	for have < want {
		k := p.join(b, have, tag)
		if k == 0 {
			mem.CAS64(p.owner(b), tag, freed(have))
			return claim{stirs: true, lost: true}
		}
		have += k
	}
	if c.one = b + 1; have > want {
		p.cut(b, have, want, tag, 0)
		c.stirs = true
	} else {
		mem.Release64(p.extent(b), uint64(want)) // P3
	}
	setHint(&p.hint, b+want)
	return c
}

// join adds the next piece to the piece of have blocks at b. It returns by how
// many; 0 if that is not free. Neither it nor cut is inlined: J2 is not to be taken
// for a store that nobody sees, since another to the same word follows.
//
//go:noinline
func (p *pool) join(b, have uint32, tag uint64) uint32 {
	next := b + have
	if next >= p.n {
		return 0
	}
	o := mem.Load64(p.owner(next))
	k := p.free(next, o)
	if k == 0 || !mem.CAS64(p.owner(next), o, tag) { // J1
		return 0
	}
	if k > p.most {
		p.cut(next, k, p.most, tag, extentLoose)
		k = p.most
	}
	mem.Release64(p.extent(b), uint64(have+k|extentLoose)) // J2
	mem.Release64(p.owner(next), 0)                        // J3
	return k
}

// cut gives back what the piece of have blocks at b has beyond k, in pieces for the
// longest message.
//
//go:noinline
func (p *pool) cut(b, have, k uint32, tag uint64, loose uint32) {
	for ; have-k > p.most; have -= p.most {
		p.cutOne(b, have, have-p.most, tag, extentLoose)
	}
	p.cutOne(b, have, k, tag, loose)
}

// cutOne is P2 to P4.
func (p *pool) cutOne(b, have, k uint32, tag uint64, loose uint32) {
	rest := b + k
	mem.Release64(p.extent(rest), uint64(have-k|extentLoose)) // P2
	mem.Release64(p.owner(rest), tag)                         // P2
	mem.Release64(p.extent(b), uint64(k|loose))               // P3
	mem.CAS64(p.owner(rest), tag, freed(have-k))              // P4
}
