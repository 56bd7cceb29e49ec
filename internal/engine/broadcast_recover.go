package engine

import "example.com/tandem/internal/mem"

// Recovery of a dead participant D, beside live operations and after, or beside, other
// recoverers of D. Nothing of D's moves by itself any more: every step is a CAS from
// what D left, and doing one twice does nothing.
//
//	R1  D's subscribers: their rows → free
//	R2  which tags of D's, and is the one in D's drain, in slots? A message of D's that
//	    is in the ring stays until somebody removes it, and one that is not never comes
//	    back, for D publishes no more. This is decided once, for all slots, before any
//	    block is freed: chains are freed whole, or not at all
//	R3  the pieces of those that are in no slot → free, from the pool's first block on
//	R4  drain → 0
//	R5  bump the bells
//
// A message that D was removing is freed in R3 if D's CAS came; if another's did, that
// one frees it, or its own drain names it. Both may be at it at once.
func recoverBroadcast(a mem.Area, env Env, dead Self) error {
	b, err := AttachBroadcast(a, env)
	if err != nil {
		return err
	}
	if dead.Index >= b.rows {
		return ErrCorrupt
	}
	who := whoBits(dead)
	for i := range b.subs.n { // R1
		if w := b.subs.owner(i); rowWho(mem.Load64(w)) == who {
			b.freeRow(w, who)
		}
	}
	drain := b.drainOf(dead.Index)
	removing := mem.Load64(drain)
	asked := func(tag uint64) bool {
		return tag != 0 && !isFree(tag) && (tagWho(tag) == who || tag == removing)
	}
	keep := b.tagsIn(asked)             // R2
	for i := uint32(0); i < b.pool.n; { // R3
		if tag := mem.Load64(b.pool.owner(i)); asked(tag) && !keep[tag] {
			i += b.pool.reclaim(i, tag)
		} else {
			i++
		}
	}
	if removing != 0 {
		mem.CAS64(drain, removing, 0) // R4
	}
	b.tellEnd() // R5
	return nil
}

// freeRow frees a row of a dead participant's, joining or active.
func (b *Broadcast) freeRow(w *uint64, who uint64) {
	for v := mem.Load64(w); rowWho(v) == who && v&rowState != rowFree; v = mem.Load64(w) {
		mem.CAS64(w, v, rowFree)
	}
}

// tagsIn is R2: the tags asked for of messages that are in the ring. A slot that changes
// under the look has by then none that was asked for.
func (b *Broadcast) tagsIn(asked func(tag uint64) bool) map[uint64]bool {
	tags := map[uint64]bool{}
	for p := range b.n {
		at := b.slot(p)
		w := mem.Load64(at)
		first := firstBlock(w)
		if !hasMessage(w) || first >= b.pool.n {
			continue
		}
		if tag := mem.Load64(b.pool.owner(first)); asked(tag) && mem.Load64(at)&^slotEnd == w&^slotEnd {
			tags[tag] = true
		}
	}
	return tags
}

// freeAll is B3: it frees the message of that tag, which begins at b and has n blocks,
// and of which others may be freeing the same.
func (p *pool) freeAll(b uint32, tag uint64, n uint32) {
	for n > 0 {
		if b >= p.n || mem.Load64(p.owner(b)) != tag {
			p.sweep(tag)
			return
		}
		e := mem.Load64(p.extent(b))
		k := p.length(b, e)
		if k == 0 || k > n {
			p.sweep(tag)
			return
		}
		if p.most > 1 && e&extentLoose == 0 {
			mem.CAS64(p.extent(b), e, e|extentLoose)
		}
		if !mem.CAS64(p.owner(b), tag, freed(k)) {
			p.sweep(tag)
			return
		}
		n -= k
		b = uint32(e >> extentNext)
	}
}

// sweep frees what is that tag's wherever it is.
//
//go:noinline
func (p *pool) sweep(tag uint64) {
	for b := uint32(0); b < p.n; {
		if mem.Load64(p.owner(b)) == tag {
			b += p.reclaim(b, tag)
		} else {
			b++
		}
	}
}

func init() {
	register(KindBroadcast, Ops{Name: "broadcast", Recover: recoverBroadcast, Look: lookBroadcast, Check: checkBroadcast})
}
