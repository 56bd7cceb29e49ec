package engine

import (
	"runtime"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// Publishing a message:
//
//	P1  claim blocks for it; where there are too few, remove the oldest (B4)
//	P2  write it
//	P3  the front; Reliable: the limit (B8)
//	P4  the tag of the message there, in drain; CAS (B2)
//	P5  free what went (B3)
//	P6  ring items for all; space, for there are blocks
//
// A publisher that dies before P4 has published nothing. From there on the message
// stands.

// An outgoing is a message on its way into the ring.
type outgoing struct {
	msg   []byte
	tag   uint64
	want  uint32 // blocks
	first uint32
	ready bool // P1 and P2 are done
}

// TryPublish is ErrFull, ErrShutdown or ErrTooLarge, or the message is published.
func (b *Broadcast) TryPublish(msg []byte) error { return b.Publish(nil, msg) }

// Publish waits for the slowest subscriber, where the broadcast is Reliable, and for
// memory. Without a Sleeper it makes one attempt, and ErrFull is sure.
func (b *Broadcast) Publish(by Sleeper, msg []byte) error { return b.publish(by, msg, by == nil) }

// PublishNow is Publish's first attempt: ErrFull is not sure.
func (b *Broadcast) PublishNow(msg []byte) error { return b.publish(nil, msg, false) }

func (b *Broadcast) publish(by Sleeper, msg []byte, sure bool) error {
	if uint64(len(msg)) > uint64(b.most) || b.fixed && len(msg) != int(b.most) {
		return ErrTooLarge
	}
	mem.RaceRead(unsafe.Pointer(unsafe.SliceData(msg)), len(msg))
	var m outgoing // not copied, see claim
	m.msg, m.tag, m.want = msg, b.newTag(), b.blocks(uint32(len(msg)))
	defer func() {
		if m.ready { // or msg is memory that cannot be read, any more, and the fault a panic
			b.pool.giveBack(m.first, m.tag, m.want)
			b.stir()
		}
	}()
	err := b.attempt(&m, sure)
	if err == ErrFull && by != nil {
		if _, e := b.space.Await(by, func() bool {
			err = b.attempt(&m, false)
			return err != ErrFull
		}); e != nil {
			err = e
		}
	}
	return err
}

// attempt is all of P1 to P6 that is still to be done.
func (b *Broadcast) attempt(m *outgoing, sure bool) error {
	if b.isShut() {
		return ErrShutdown
	}
	if !m.ready {
		if b.full(b.front.load(), sure) { // before blocks are held in vain
			return ErrFull
		}
		if err := b.prepare(m, sure); err != nil {
			return err
		}
	}
	return b.install(m, sure)
}

// newTag is a tag for one more message; see queue_blocks_tags.go.
func (b *Broadcast) newTag() uint64 {
	for {
		mem.RaceDisable()
		n := tags.Add(1)
		mem.RaceEnable()
		seq := (n + tagsFrom) << 1 & (1<<tagWhoShift - 1)
		tag := b.who<<tagWhoShift | seq
		if seq != 0 && (n < tagRound || !b.tagged(n/tagStretch, tag)) {
			return tag
		}
	}
}

// tagged is Queue.tagged. What a drain names is not in use, but may be looked for.
//
//go:noinline
func (b *Broadcast) tagged(n uint64, tag uint64) bool {
	s := b.pool.stretch.Load()
	if s == nil || s.n != n {
		s = &stretch{n, map[uint64]bool{}}
		for i := range b.pool.n {
			if o := mem.Load64(b.pool.owner(i)); tagWho(o) == b.who {
				s.taken[o] = true
			}
		}
		for i := range b.rows {
			if d := mem.Load64(b.drainOf(i)); tagWho(d) == b.who {
				s.taken[d] = true
			}
		}
		b.pool.stretch.Store(s)
	}
	return s.taken[tag]
}

// prepare is P1 and P2: ErrFull, ErrShutdown, or the message is ready.
func (b *Broadcast) prepare(m *outgoing, sure bool) error {
	loose, judged := 0, uint64(0)
	for try := range b.bound() {
		c := b.pool.claim(m.want, m.tag, false)
		front, err, others := uint64(0), error(nil), c.loose
		if c.one == 0 && !c.lost {
			if b.isShut() {
				return ErrShutdown
			}
			c, front, err = b.collect(m)
		}
		if c.stirs {
			b.stir() // a publisher that was turned away by what was held here looks again
		}
		if b.gone() {
			return ErrGone
		}
		if c.one != 0 {
			mem.FenceStore() // who sees bytes of this message sees that the one before has gone
			m.first, m.ready = c.one-1, true
			mem.Release64(b.len(m.first), uint64(len(m.msg)))
			b.write(m.first, m.msg)
			return nil
		}
		switch {
		case c.lost:
			loose = 0
		case err != ErrFull:
			return err
		case sure && b.reliable && judged != front:
			judged = front
			b.sync()
			continue
		default:
			if loose++; !others || loose == looseLooks {
				return ErrFull
			}
		}
		if try < 2 {
			mem.Relax(1 + try)
			continue
		}
		for range min(uint64(try)+1, 8) * ((m.tag + uint64(try)) * 0x9e3779b97f4a7c15 >> 62) {
			runtime.Gosched()
		}
	}
	return b.lost()
}

// install is P3 to P6: ErrFull, ErrShutdown, or the message is published.
func (b *Broadcast) install(m *outgoing, sure bool) error {
	p := b.front.load()
	var old placed
	for range b.bound() {
		f, err := b.walkTo(&old, p, true)
		if err != nil {
			return err
		}
		p = f
		if old.w&slotEnd != 0 {
			return ErrShutdown
		}
		if b.full(p, sure) {
			b.front.save(p)
			return ErrFull
		}
		mem.Release64(b.pos(m.first), p)
		b.raceRelease(p)
		if b.replace(&old, fullWord(old.lap, m.first), nil) { // P4, P5
			m.ready = false
			b.reached(p + 1)
			b.items.Ring(-1) // P6
			b.stir()
			return nil
		}
	}
	return b.lost()
}

// replace changes the slot of old to another word, and frees what was there, or adds it to a
// collection: B2, B3.
func (b *Broadcast) replace(old *placed, to uint64, g *collection) bool {
	if !hasMessage(old.w) {
		return mem.CAS64(old.at, old.w, to)
	}
	b.mu.lock()
	mem.Release64(b.drain, old.tag)
	ok := mem.CAS64(old.at, old.w, to)
	if n := b.blocks(old.n); ok && g != nil {
		b.pool.takeAll(g, old.first, old.tag, n)
	} else if ok {
		b.pool.freeAll(old.first, old.tag, n)
	}
	b.mu.unlock()
	return ok
}

// write copies a message into its pieces, behind its first words.
func (b *Broadcast) write(first uint32, msg []byte) {
	skip := uintptr(messageBody)
	if n := uintptr(len(msg)); n+skip <= uintptr(b.pool.size) { // all in its first block
		mem.CopyRacing(unsafe.Add(b.pool.at(first), skip), unsafe.Pointer(unsafe.SliceData(msg)), n)
		return
	}
	for len(msg) > 0 && first < b.pool.n {
		e := mem.Load64(b.pool.extent(first))
		size := uintptr(b.pool.length(first, e)) * uintptr(b.pool.size)
		if size <= skip {
			return // overwritten, or the region is gone
		}
		k := min(uintptr(len(msg)), size-skip)
		mem.CopyRacing(unsafe.Add(b.pool.at(first), skip), unsafe.Pointer(unsafe.SliceData(msg)), k)
		msg, skip, first = msg[k:], 0, uint32(e>>extentNext)
	}
}
