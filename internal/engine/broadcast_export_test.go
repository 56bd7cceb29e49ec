package engine

import "example.com/tandem/internal/mem"

// For tests that cannot be in this package, since package sim imports it.

func (c BroadcastConfig) InitLap(a mem.Area, lap uint64)    { c.initLap(a, lap) }
func RecoverBroadcast(a mem.Area, env Env, dead Self) error { return recoverBroadcast(a, env, dead) }
func CheckBroadcast(a mem.Area, quiet bool) error           { return checkBroadcastAt(a, quiet) }
func LookBroadcast(a mem.Area) Look                         { return lookBroadcast(a) }

// Front is F, by the slots alone.
func (b *Broadcast) Front() uint64 {
	f, _, err := b.walk(firstLap*b.n, false)
	if err != nil {
		panic(err)
	}
	return f
}

// Position is the next one that a subscriber reads.
func (s *Subscription) Position() uint64 { return s.next }

// Cursor is what the others know of that.
func (s *Subscription) Cursor() uint64 { return mem.Load64(s.b.subs.cursor(s.row)) }

// Closed reports that the subscriber was closed.
func (s *Subscription) Closed() bool { return s.closed }

// GetNow is what a subscriber gets without waiting.
func (s *Subscription) GetNow() ([]byte, error) {
	s.Lock()
	defer s.Unlock()
	var m Incoming
	for {
		if err := s.Look(&m); err != nil {
			return nil, err
		}
		msg := make([]byte, m.Len())
		if got, err := s.Take(&m, s.Read(&m, msg)); err != nil || got {
			return msg, err
		}
	}
}

// Get waits for a message.
func (s *Subscription) Get(by Sleeper) ([]byte, error) {
	for {
		msg, err := s.GetNow()
		if err != ErrEmpty {
			return msg, err
		}
		if err := s.Wait(by); err != nil {
			return nil, err
		}
	}
}

// Lets reports whether a message of n bytes can be published, FreeBlocks how many blocks
// nobody has.
func (b *Broadcast) Lets() bool {
	p, _, err := b.walk(b.front.load(), false)
	return err == nil && (!b.reliable || p < b.limitFrom(p)+b.n)
}

func (b *Broadcast) FreeBlocks() int     { return int(b.pool.look(0, b.pool.n+1).all) }
func (b *Broadcast) BlocksFor(n int) int { return int(b.pool.blocks(uint32(n) + messageBody)) }
func (b *Broadcast) IsShut() bool        { return b.isShut() }

// RemovableBlocks is how many messages have that could be removed.
func (b *Broadcast) RemovableBlocks() (n int) {
	f := b.Front()
	limit := f
	if b.reliable {
		limit = b.limitFrom(f)
	}
	for q := f - b.n; q < limit; q++ {
		if s, ok := b.look(q, false); ok && hasMessage(s.w) {
			n += b.BlocksFor(int(s.n))
		}
	}
	return n
}

// HeldBlocks is how many blocks have a tag of this process's and are of no message in
// the ring.
func (b *Broadcast) HeldBlocks() int {
	n := 0
	keep := b.tagsIn(func(uint64) bool { return true })
	for i := uint32(0); i < b.pool.n; i++ {
		if tag := mem.Load64(b.pool.owner(i)); tag != 0 && !isFree(tag) && tagWho(tag) == b.who && !keep[tag] {
			n += int(b.pool.length(i, mem.Load64(b.pool.extent(i))))
		}
	}
	return n
}

// At is what slot p%N shows: the position that was filled last, its message, if there is
// one, and whether it is the end.
func (b *Broadcast) At(p uint64) (last uint64, msg []byte, end bool) {
	s, ok := b.look(p, false)
	if !ok {
		panic("a slot that says what cannot be")
	}
	if hasMessage(s.w) {
		msg = make([]byte, s.n)
		sub := Subscription{b: b}
		if !sub.Read(&Incoming{s}, msg) {
			panic("a message that cannot be read")
		}
	}
	return s.p, msg, s.w&slotEnd != 0
}

// Keeps is the least cursor of the rows that are active, as memory has them, but of those
// for which true says another; or the front.
func (b *Broadcast) Keeps(is func(row uint32) (uint64, bool)) uint64 {
	least := b.Front()
	for i := range b.subs.n {
		if mem.Load64(b.subs.owner(i))&rowState != rowActive {
			continue
		}
		c := mem.Load64(b.subs.cursor(i))
		if p, ok := is(i); ok {
			c = p
		}
		least = min(least, c)
	}
	return least
}

// Row is the subscriber's.
func (s *Subscription) Row() uint32 { return s.row }

// RowsOf is how many rows are of a participant.
func (b *Broadcast) RowsOf(who Self) (n int) {
	for i := range b.subs.n {
		if w := mem.Load64(b.subs.owner(i)); w != rowFree && rowWho(w) == whoBits(who) {
			n++
		}
	}
	return n
}

// Tiled verifies the pool's TILING at any instant.
func (b *Broadcast) Tiled() error {
	c := queueCheck{q: &Queue{}, tags: map[uint64]uint32{}}
	c.q.pool.n, c.q.pool.size, c.q.pool.most, c.q.pool.heads, c.q.pool.bytes = b.pool.n, b.pool.size, b.pool.most, b.pool.heads, b.pool.bytes
	return c.blocks()
}
