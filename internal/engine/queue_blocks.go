package engine

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// pool is where the bytes of messages lie that do not fit a slot: blocks of
// one size, chained. A block's words:
//
//	owner  u64 {index:10, epoch:20, seq:34}   0: free. Else the tag of the message
//	link   u32                                the chain's next block, but in its last
//
// A tag names the producer and is never used for two messages, so all blocks
// of a message are known by it, without the chain. They are claimed one by one
// by CAS 0 → tag and filled before the producer claims a slot; then the slot
// has {length, tag, first block}. They are freed by CAS tag → 0, by the
// consumer that holds the slot draining.
//
// A producer that does not get all blocks gives back those that it has: a
// holder of blocks does not wait. It begins only when it has seen enough free
// ones, so two that wait for more than there is do not wake each other in turn.
//
// Death: a block whose owner is dead and whose tag is in no slot is free. The
// blocks of a slot that was left draining are those with its tag.
type pool struct {
	n, size uint32
	owners  unsafe.Pointer
	links   unsafe.Pointer
	bytes   unsafe.Pointer
	who     uint64
	hint    atomic.Uint32 // block where the next search begins
}

const tagSeqBits = 34

// tags counts this process's messages in blocks, in all queues, so that no
// handle begins anew.
var tags atomic.Uint64

func (p *pool) init(a mem.Area, c QueueConfig, l queueLayout, self Self) {
	n := uint64(c.Blocks)
	p.n, p.size, p.who = uint32(n), uint32(c.BlockSize), whoBits(self)
	p.owners, p.links, p.bytes = a.Ptr(l.owners, 8*n), a.Ptr(l.links, 4*n), a.Ptr(l.bytes, n*uint64(c.BlockSize))
	p.hint.Store(uint32(uint64(self.Index) * 0x9e3779b1 % n)) // apart from others
}

func (p *pool) owner(b uint32) *uint64 { return (*uint64)(unsafe.Add(p.owners, uintptr(b)*8)) }
func (p *pool) link(b uint32) *uint32 {
	return (*uint32)(mem.Place(unsafe.Add(p.links, uintptr(b)*4)))
}
func (p *pool) at(b uint32) unsafe.Pointer {
	return unsafe.Add(p.bytes, uintptr(b)*uintptr(p.size))
}

func tagWho(tag uint64) uint64 { return tag >> tagSeqBits }

// newTag is a tag for one more message; never 0.
func (p *pool) newTag() uint64 {
	mem.RaceDisable()
	defer mem.RaceEnable()
	for {
		if seq := tags.Add(1) & (1<<tagSeqBits - 1); seq != 0 {
			return p.who<<tagSeqBits | seq
		}
	}
}

// blocks is how many a message of n bytes takes.
func (p *pool) blocks(n uint32) uint32 { return (n + p.size - 1) / p.size }

// claim chains want blocks. disturbed says that it failed but held some for a
// moment, so that others may have failed for that.
func (p *pool) claim(want uint32, tag uint64) (first uint32, ok, disturbed bool) {
	start := hintOf(&p.hint)
	if start >= p.n {
		start = 0
	}
	if !p.enough(start, want) {
		return 0, false, false
	}
	var last, got uint32
	b := start
	for range p.n {
		if mem.Load64(p.owner(b)) == 0 && mem.CAS64(p.owner(b), 0, tag) {
			if got == 0 {
				first = b
			} else {
				*p.link(last) = b
			}
			last = b
			if got++; got == want {
				setHint(&p.hint, b+1)
				return first, true, false
			}
		}
		if b++; b == p.n {
			b = 0
		}
	}
	p.free(first, tag, got)
	return 0, false, got > 0
}

// enough looks for want free blocks.
func (p *pool) enough(b, want uint32) bool {
	for range p.n {
		if mem.Load64(p.owner(b)) == 0 {
			if want--; want == 0 {
				return true
			}
		}
		if b++; b == p.n {
			b = 0
		}
	}
	return false
}

// free gives back the n blocks of a chain, as far as they are tag's: a chain
// that was damaged ends where it leads to another's.
func (p *pool) free(b uint32, tag uint64, n uint32) {
	for range n {
		if b >= p.n {
			return
		}
		next := *p.link(b)
		if !mem.CAS64(p.owner(b), tag, 0) {
			return
		}
		b = next
	}
}

// write copies a message into the chain that was claimed for it.
func (p *pool) write(b uint32, msg []byte) {
	for {
		k := min(len(msg), int(p.size))
		mem.Copy(p.at(b), unsafe.Pointer(unsafe.SliceData(msg)), uintptr(k))
		if msg = msg[k:]; len(msg) == 0 {
			return
		}
		b = *p.link(b)
		if b >= p.n { // the region was closed or overwritten under it
			return
		}
	}
}

// read copies a message of len(dst) > 0 bytes out of its chain.
func (p *pool) read(b uint32, tag uint64, dst []byte) error {
	for {
		if b >= p.n || mem.Load64(p.owner(b)) != tag {
			return ErrCorrupt
		}
		k := min(len(dst), int(p.size))
		mem.Copy(unsafe.Pointer(unsafe.SliceData(dst)), p.at(b), uintptr(k))
		if dst = dst[k:]; len(dst) == 0 {
			return nil
		}
		b = *p.link(b)
	}
}

// claimBlocks makes one attempt at a message's blocks: ErrFull or ErrShutdown
// if it does not get them.
func (q *Queue) claimBlocks(want uint32, tag uint64) (uint32, error) {
	for try := range 8 {
		if mem.Load64(q.state)&stateShut != 0 {
			return 0, ErrShutdown
		}
		first, ok, disturbed := q.pool.claim(want, tag)
		if ok {
			return first, nil
		}
		if !disturbed {
			break
		}
		// Somebody else is claiming as well. A producer that was turned away by
		// what was held here looks again. The claimers part by waiting
		// unequally long.
		q.space.Ring(-1)
		for range uint64(try+1) * (tag * 0x9e3779b97f4a7c15 >> 62) {
			runtime.Gosched()
		}
	}
	return 0, ErrFull
}
