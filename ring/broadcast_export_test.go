package ring

import (
	"cmp"
	"fmt"
	"slices"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// The words of a broadcast, by docs/layout.md: how its blocks are, and what some leave that die
// in it.

// TryNext is Next that does not wait: ErrEmpty where Next would.
func (s *Subscriber[T]) TryNext() (v T, missed uint64, err error) {
	if s.form == raw {
		missed, err = s.copyOut(unsafe.Slice((*byte)(unsafe.Pointer(&v)), s.size))
		return v, missed, err
	}
	return s.takeBytes()
}

// A BroadcastPool is what there is when nothing is under way.
type BroadcastPool struct {
	Free, Row int      // blocks that are free, and the most of them that lie in a row
	Pieces    []int    // of each message in the ring, from the oldest on
	Rows      int      // of subscribers
	Wrong     []string // what no operation and no recovery leaves: lost blocks, and half a subscriber
}

type broadcastWords struct {
	mem.Area
	n, blocks, size, subs         uint64
	owners, slots, heads, content uint64
}

func (b *Broadcast[T]) words() broadcastWords {
	a := b.core.Area
	word := func(off uint64) uint64 { return uint64(mem.Load32(a.W32(off))) }
	up := func(x uint64) uint64 { return (x + 127) / 128 * 128 }
	w := broadcastWords{Area: a, n: word(0), blocks: word(8), size: word(12), subs: word(24)}
	w.owners = up(384 + 64*word(20))
	w.slots = up(w.owners+8*w.subs) + 128*w.subs
	w.heads = up(w.slots + 8*w.n)
	w.content = up(w.heads + 16*w.blocks)
	return w
}

func (w broadcastWords) at(off uint64) uint64        { return mem.Load64(w.W64(off)) }
func (w broadcastWords) owner(block uint64) *uint64  { return w.W64(w.heads + 16*block) }
func (w broadcastWords) extent(block uint64) *uint64 { return w.W64(w.heads + 16*block + 8) }
func (w broadcastWords) length(block uint64) uint64  { return mem.Load64(w.extent(block)) & (1<<31 - 1) }

// A published is a message in the ring.
type published struct {
	p, tag, blocks uint64
	pieces         []uint64 // their first blocks
}

// messages are those in the ring, from the oldest on.
func (w broadcastWords) messages() (ms []published) {
	for i := range w.n {
		s := w.at(w.slots + 8*i)
		if s&2 == 0 {
			continue
		}
		first := s >> 2 & (1<<31 - 1)
		head := w.content + first*w.size
		m := published{p: w.at(head), tag: mem.Load64(w.owner(first)), blocks: (w.at(head+8) + 16 + w.size - 1) / w.size}
		for at, left := first, m.blocks; left > 0 && at < w.blocks; {
			m.pieces = append(m.pieces, at)
			left -= min(max(w.length(at), 1), left)
			at = mem.Load64(w.extent(at)) >> 32
		}
		ms = append(ms, m)
	}
	slices.SortFunc(ms, func(a, b published) int { return cmp.Compare(a.p, b.p) })
	return ms
}

// Pool looks at it.
func (b *Broadcast[T]) Pool() (l BroadcastPool) {
	w := b.words()
	wrong := func(format string, a ...any) { l.Wrong = append(l.Wrong, fmt.Sprintf(format, a...)) }
	has := map[uint64]uint64{} // blocks of messages that were not met yet, by tag
	for _, m := range w.messages() {
		has[m.tag] = m.blocks
		l.Pieces = append(l.Pieces, len(m.pieces))
	}
	row := uint64(0)
	for at := uint64(0); at < w.blocks; {
		o, k := mem.Load64(w.owner(at)), w.length(at)
		switch {
		case k == 0 || k > w.blocks-at:
			wrong("a piece of %d blocks at %d", k, at)
			return l
		case o&1 == 1 && o>>1 == k:
			l.Free, row = l.Free+int(k), row+k
		case o != 0 && has[o] >= k:
			has[o], row = has[o]-k, 0
		default:
			wrong("%d blocks lost at %d: %#x", k, at, o)
			row = 0
		}
		for part := at + 1; part < at+k; part++ {
			if o := mem.Load64(w.owner(part)); o != 0 {
				wrong("block %d, in the piece of %d at %d: %#x", part, k, at, o)
			}
		}
		l.Row = max(l.Row, int(row))
		at += k
	}
	for tag, left := range has {
		if left != 0 {
			wrong("%d blocks of %#x are another's", left, tag)
		}
	}
	for i := range w.subs {
		switch s := w.at(w.owners + 8*i); s & 3 {
		case 1:
		case 3:
			l.Rows++
		default:
			wrong("row %d: %#x", i, s)
		}
	}
	return l
}

// HalfFreed is what a publisher leaves that dies when its message is in the place of the oldest
// one, and the first piece of that is free.
func (b *Broadcast[T]) HalfFreed(publish func() error) error {
	w := b.words()
	old := w.messages()[0]
	if err := publish(); err != nil {
		return err
	}
	for _, at := range old.pieces[1:] {
		mem.Store64(w.owner(at), old.tag)
	}
	return nil
}

// HalfClaimed is what one leaves that dies when it has cut what it has claimed, and has not said
// so yet; HalfJoined what a subscriber does whose row is not active yet. Each makes it of what is
// this process's: of the last subscriber.
func (b *Broadcast[T]) HalfClaimed() {
	w := b.words()
	tag := w.last()>>2<<34 | 1<<33 // so many messages nobody publishes
	for at := uint64(0); at < w.blocks; at += max(w.length(at), 1) {
		if k := w.length(at); mem.Load64(w.owner(at))&1 == 1 && k > 1 {
			mem.Store64(w.owner(at), tag)
			mem.Store64(w.extent(at+1), k-1|1<<31)
			mem.Store64(w.owner(at+1), tag)
			return
		}
	}
}

func (b *Broadcast[T]) HalfJoined() {
	w := b.words()
	last := w.last()
	for i := w.subs; i > 0; i-- {
		if at := w.W64(w.owners + 8*(i-1)); mem.Load64(at) == last {
			mem.Store64(at, last&^3|2)
			return
		}
	}
}

// HalfShut is what one leaves that dies in Shutdown when the flag is set.
func (b *Broadcast[T]) HalfShut() { w := b.words(); mem.Or64(w.W64(128), 2) }

// last is the last row of a subscriber that is active.
func (w broadcastWords) last() (row uint64) {
	for i := range w.subs {
		if s := w.at(w.owners + 8*i); s&3 == 3 {
			row = s
		}
	}
	return row
}
