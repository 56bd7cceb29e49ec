package engine

import (
	"bytes"
	"errors"
	"testing"

	"example.com/tandem/internal/mem"
)

// A chain that was damaged, so that it leads into another message's or out of
// the pool, harms no other message, however it ends: what is read of it is
// ErrCorrupt, and no block is freed but its own.
func TestQueueDamagedChain(t *testing.T) {
	c := QueueConfig{Slots: 4, Room: 16, Blocks: 12, BlockSize: 64, MaxMessage: 190}
	for name, damage := range map[string]func(q *Queue, hurt, other Slot){
		"link to another's": func(q *Queue, hurt, other Slot) { mem.Store32(q.pool.link(*hurt.first()), *other.first()) },
		"link to itself":    func(q *Queue, hurt, other Slot) { mem.Store32(q.pool.link(*hurt.first()), *hurt.first()) },
		"link out of it":    func(q *Queue, hurt, other Slot) { mem.Store32(q.pool.link(*hurt.first()), 1<<31) },
		"link to a free":    func(q *Queue, hurt, other Slot) { mem.Store32(q.pool.link(*hurt.first()), 11) },
		"first is another's": func(q *Queue, hurt, other Slot) {
			mem.Store32(hurt.first(), *other.first())
		},
		"first out of it": func(q *Queue, hurt, other Slot) { mem.Store32(hurt.first(), 1<<31) },
		"another length":  func(q *Queue, hurt, other Slot) { mem.Store32(hurt.len(), 1<<31) },
	} {
		for end, op := range map[string]func(q *Queue, s Slot){
			"ack":     func(q *Queue, s Slot) { q.Ack(q.Index(s)) },
			"release": func(q *Queue, s Slot) { q.Release(s) },
			"discard": func(q *Queue, s Slot) { q.Discard(s) },
			"dies":    nil,
		} {
			t.Run(name+", "+end, func(t *testing.T) {
				a, q := heapQueue(t, c)
				other := attachQueue(t, a, 1)
				msgs := [][]byte{bytes.Repeat([]byte{1}, 190), bytes.Repeat([]byte{2}, 190), bytes.Repeat([]byte{3}, 190)}
				for _, m := range msgs {
					if err := q.TryPut(m); err != nil {
						t.Fatal(err)
					}
				}
				damage(q, Slot{p: q.slot(0)}, Slot{p: q.slot(1)})
				s, err := other.Take(nil, end == "ack")
				if err != nil {
					t.Fatal(err)
				}
				if b, err := other.bytesOf(s); !errors.Is(err, ErrCorrupt) && !(name == "link to itself" && len(b) == 190) {
					t.Errorf("what was damaged reads as %d bytes, %v", len(b), err)
				}
				if op != nil {
					op(other, s)
				} else {
					*s.w() = slotWord(turnOf(s.word), slotDraining, other.who) // it died so
					if err := recoverQueue(a, q.env, Self{1, 1}); err != nil {
						t.Fatal(err)
					}
				}
				for i, m := range msgs[1:] {
					if b, _, err := q.get(nil); err != nil || !bytes.Equal(b, m) {
						t.Errorf("message %d: %v, %v", i+1, b, err)
					}
				}
			})
		}
	}
}

// No message is written or read beyond the blocks that are its own, wherever a
// link leads while it is.
func TestQueueWriteStopsAtABadLink(t *testing.T) {
	c := QueueConfig{Slots: 4, Room: 16, Blocks: 12, BlockSize: 64, MaxMessage: 190}
	_, q := heapQueue(t, c)
	tag := q.pool.newTag()
	first, err := q.claimBlocks(3, tag)
	if err != nil {
		t.Fatal(err)
	}
	mem.Store32(q.pool.link(first), 1<<31)
	q.pool.write(first, bytes.Repeat([]byte{9}, 190)) // it ends
	if err := q.pool.read(first, tag, make([]byte, 190)); err != ErrCorrupt {
		t.Errorf("read = %v", err)
	}
	if err := q.pool.read(first, tag+1, make([]byte, 60)); err != ErrCorrupt {
		t.Errorf("read of another's = %v", err)
	}
}
