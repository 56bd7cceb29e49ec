package engine

import "example.com/tandem/internal/mem"

// B4: where too few blocks are free for a message, and what messages have that may be removed
// makes up for it, its publisher takes what is free, and then removes the oldest messages.
// Each of their pieces becomes its own as soon as the message is gone: else those who want
// less would take away what it makes room for, again and again. If others are faster all the
// same it gives back what it has: nobody waits with blocks in hand. Where there is too little
// it touches nothing, and so wakes nobody who could do no more than that, either.

// A collection is a chain of loose pieces that grows.
type collection struct {
	tag         uint64
	first, last uint32
	got, want   uint32
	gave        bool // a part of what was taken is free again
}

// collect is P1 where a claim has seen too little. ErrFull: there is too little, when the
// front was where it says.
func (b *Broadcast) collect(m *outgoing) (c claim, front uint64, err error) {
	if front, err = b.enough(m.want); err != nil {
		return c, front, err
	}
	g := collection{tag: m.tag, want: m.want}
	for !b.takeFree(&g) {
		if _, err = b.removeOldest(&g); err != nil {
			b.pool.giveBack(g.first, g.tag, g.got)
			return claim{stirs: g.gave || g.got > 0, lost: err == ErrFull}, front, err
		}
		if g.got == g.want {
			break
		}
	}
	b.pool.settle(g.first, g.want)
	return claim{one: g.first + 1, stirs: g.gave}, front, nil
}

// enough is ErrFull if there are not so many blocks, free and in messages that may be removed.
func (b *Broadcast) enough(want uint32) (front uint64, err error) {
	front, at, err := b.walk(b.front.load(), false)
	if err != nil {
		return front, err
	}
	if at.w&slotEnd != 0 {
		return front, ErrShutdown
	}
	have := b.pool.look(0, want).all
	for q := b.oldestFrom(front); have < want; q++ {
		if q == front || b.reliable && q >= load(&b.limit) && q >= b.limitFrom(front) {
			return front, ErrFull
		}
		if s, ok := b.look(q, false); ok && hasMessage(s.w) && (s.p == q || !b.reliable) {
			have += b.blocks(s.n)
		}
	}
	return front, nil
}

// takeFree goes round the pool, and reports whether that is all.
func (b *Broadcast) takeFree(g *collection) bool {
	p := &b.pool
	at := hintOf(&p.hint)
	if at >= p.n || mem.Load64(p.owner(at)) == 0 {
		at = 0
	}
	for left := p.n; ; {
		o := mem.Load64(p.owner(at))
		k := p.free(at, o)
		if k > 0 && mem.CAS64(p.owner(at), o, g.tag) { // P1 of pool
			if p.collect(g, at, k) {
				return true
			}
		} else if k = 1; o != 0 && !isFree(o) {
			k = max(p.length(at, mem.Load64(p.extent(at))), 1)
		}
		if k >= left {
			return false
		}
		left -= k
		if at += k; at >= p.n {
			at = 0
		}
	}
}

// removeOldest removes the oldest message that is there, for its blocks: B4. ErrFull: nothing
// can be removed. It also returns the front.
func (b *Broadcast) removeOldest(g *collection) (uint64, error) {
	for range b.bound() {
		f, s, err := b.walk(b.front.load(), false)
		if err != nil {
			return f, err
		}
		if s.w&slotEnd != 0 {
			return f, ErrShutdown
		}
		q := b.oldestFrom(f)
		for ; q < f; q++ {
			if b.reliable && q >= load(&b.limit) && q >= b.limitFrom(f) {
				return f, ErrFull
			}
			old, ok := b.look(q, true)
			if !ok || old.p != q {
				break // others are at it
			}
			save(&b.oldest, q)
			if !hasMessage(old.w) {
				continue
			}
			if b.replace(&old, voidWord(old.lap, old.w&slotEnd), g) {
				return f, nil
			}
			break
		}
		if q == f {
			return f, ErrFull
		}
		if b.gone() {
			return f, ErrGone
		}
	}
	return 0, b.lost()
}

// oldestFrom is where the oldest message may be, when the front is f.
func (b *Broadcast) oldestFrom(f uint64) uint64 {
	if q := max(f-b.n, load(&b.oldest)); q < f {
		return q
	}
	return f - b.n // it cannot have passed the front: a damaged one
}

// collect adds a piece, which has g's tag and is loose. It reports whether that is all.
func (p *pool) collect(g *collection, at, k uint32) bool {
	if k > g.want-g.got {
		p.cut(at, k, g.want-g.got, g.tag, extentLoose)
		g.gave, k = true, g.want-g.got
	}
	if g.got == 0 {
		g.first = at
	} else {
		p.chain(g.last, at)
	}
	g.last, g.got = at, g.got+k
	if g.got < g.want {
		return false
	}
	setHint(&p.hint, at+k)
	return true
}

// takeAll is freeAll, of who collects the pieces as far as it wants them.
func (p *pool) takeAll(g *collection, at uint32, tag uint64, n uint32) {
	for n > 0 && g.got < g.want {
		e, k := uint64(0), uint32(0)
		if at < p.n && mem.Load64(p.owner(at)) == tag {
			e = mem.Load64(p.extent(at))
			k = p.length(at, e)
		}
		if k == 0 || k > n || !mem.CAS64(p.owner(at), tag, g.tag) {
			break
		}
		mem.Release64(p.extent(at), uint64(k|extentLoose))
		p.collect(g, at, k)
		n -= k
		at = uint32(e >> extentNext)
	}
	if n > 0 { // more than is wanted, or a recovery has freed some
		p.freeAll(at, tag, n)
		g.gave = true
	}
}
