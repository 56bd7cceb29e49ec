package engine

import (
	"bytes"
	"errors"
	"testing"

	"example.com/tandem/internal/mem"
)

// pieces is the pool as a text: a letter for each block, a piece's first in
// capitals: free, held.
func (q *Queue) pieces() string {
	var s []byte
	for b := uint32(0); b < q.pool.n; {
		o := *q.pool.owner(b)
		k := q.pool.length(b, *q.pool.extent(b))
		letter := byte('h')
		if isFree(o) {
			letter = 'f'
		}
		s = append(s, letter-'a'+'A')
		s = append(s, bytes.Repeat([]byte{letter}, int(max(k, 1)-1))...)
		b += max(k, 1)
	}
	return string(s)
}

// What a claim makes of the pool's pieces.
func TestQueueClaimOfBlocks(t *testing.T) {
	c := QueueConfig{Slots: 4, Room: 16, Blocks: 8, BlockSize: 64, MaxMessage: 4 * 64}
	for _, tt := range []struct {
		name   string
		begin  []int // pieces, those of less than 0 are held
		from   uint32
		want   uint32
		whole  bool
		after  string // "": the same
		first  uint32
		failed error
	}{
		{"it fits", []int{4, 4}, 0, 4, true, "HhhhFfff", 0, nil},
		{"cut", []int{4, 4}, 0, 1, true, "HFffFfff", 0, nil},
		{"the next one", []int{-2, 2, 4}, 0, 2, true, "HhHhFfff", 2, nil},
		{"from its hint on", []int{4, 4}, 4, 2, true, "FfffHhFf", 4, nil},
		{"and round", []int{4, -4}, 4, 2, true, "HhFfHhhh", 0, nil},
		{"a hint within a piece", []int{4, -4}, 2, 4, true, "HhhhHhhh", 0, nil},
		{"joined", []int{1, 1, 1, 1, -4}, 0, 3, true, "HhhFHhhh", 0, nil},
		{"a row round the hint", []int{2, 2, -4}, 2, 4, true, "HhhhHhhh", 0, nil},
		{"gathered, a hint within a piece", []int{3, -1, 1, -3}, 1, 4, false, "HhhHHHhh", 0, nil},
		{"joined and cut", []int{1, 3, -4}, 0, 2, true, "HhFfHhhh", 0, nil},
		{"behind a short one", []int{1, -1, 1, 1, 4}, 0, 2, true, "FHHhFfff", 2, nil},
		{"gathered", []int{1, -1, 1, -1, 1, -1, 1, -1}, 0, 3, false, "HHHHHHFH", 0, nil},
		{"gathered and cut", []int{1, -1, 3, -3}, 0, 4, false, "", 0, nil},
		{"gathered, the rest is free", []int{2, -2, 2, -2}, 0, 3, false, "HhHhHFHh", 0, nil},
		{"gathered from the hint on", []int{1, -3, 1, -3}, 4, 2, false, "HHhhHHhh", 4, nil},
		{"not gathered", []int{1, -3, 1, -3}, 0, 2, true, "", 0, ErrFull},
		{"too little", []int{3, -5}, 0, 4, false, "", 0, ErrFull},
		{"nothing", []int{-8}, 0, 1, false, "", 0, ErrFull},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, q := heapQueue(t, c)
			for b := range q.pool.n {
				*q.pool.owner(b) = 0
			}
			b := uint32(0)
			for _, k := range tt.begin {
				if k < 0 {
					k = -k
					*q.pool.owner(b), *q.pool.extent(b) = q.newTag(), uint64(k)
				} else {
					*q.pool.owner(b), *q.pool.extent(b) = freed(uint32(k)), uint64(k|extentLoose)
				}
				b += uint32(k)
			}
			before := q.pieces()
			setHint(&q.pool.hint, tt.from)
			tag := q.newTag()
			first, err := q.claimBlocks(tt.want, tag, tt.whole)
			if err != tt.failed {
				t.Fatalf("claim = %v, want %v", err, tt.failed)
			}
			after := tt.after
			if after == "" {
				after = before
				if err == nil {
					after = "HHHhhHhh"
				}
			}
			if got := q.pieces(); got != after || first != tt.first {
				t.Errorf("%s → %s at %d, want %s at %d", before, got, first, after, tt.first)
			}
			if err != nil {
				return
			}
			msg := bytes.Repeat([]byte("0123456"), 64)[:tt.want*64]
			q.pool.write(first, msg)
			got := make([]byte, len(msg))
			if err := q.pool.read(first, tag, got); err != nil || !bytes.Equal(got, msg) {
				t.Errorf("it reads as %q, %v", got, err)
			}
			if _, ok := q.pool.whole(first, tag, uint32(len(msg))); ok != (q.pool.length(first, *q.pool.extent(first)) == tt.want) {
				t.Errorf("in one piece: %v", ok)
			}
			for b := first; ; b = uint32(*q.pool.extent(b) >> extentNext) {
				if *q.pool.extent(b)&extentLoose != 0 {
					t.Errorf("the piece at %d is loose", b)
				}
				if *q.pool.extent(b)>>extentNext == 0 {
					break
				}
			}
			q.pool.giveBack(first, tag, tt.want)
			if !q.pool.enough(tt.want) {
				t.Errorf("given back: %s", q.pieces())
			}
		})
	}
}

// A message of any length fits an empty queue, whatever was there before.
func TestQueueBlocksDoNotCrumble(t *testing.T) {
	c := QueueConfig{Slots: 64, Room: 16, Blocks: 64, BlockSize: 64, MaxMessage: 32 * 64}
	a, q := heapQueue(t, c)
	for round := range 200 {
		n := 17 + round*37%(c.MaxMessage-16)
		for q.TryPut(make([]byte, n)) == nil {
			n = 17 + n*7%(c.MaxMessage-16)
		}
		for {
			s, err := q.TryTake()
			if err != nil {
				break
			}
			q.Release(s)
		}
		for range 2 {
			if _, err := q.claimBlocks(32, q.newTag(), true); err != nil {
				t.Fatalf("round %d: %v: %s", round, err, q.pieces())
			}
		}
		for b := range q.pool.n {
			if tag := *q.pool.owner(b); tag != 0 && !isFree(tag) {
				q.pool.giveBack(b, tag, 32)
			}
		}
		quietQueue(t, a)
	}
}

// Claimers die, one after the other, each when it has joined a piece to what it had.
// What is free is never in a much longer piece than it was, which one that is stopped
// could keep from all others; and the next claim cuts that, too.
func TestQueueDeathsWhileJoining(t *testing.T) {
	const most = 4
	c := QueueConfig{Slots: 4, Room: 16, Blocks: 40, BlockSize: 64, MaxMessage: most * 64}
	a, q := heapQueue(t, c)
	q.CutInto(3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4)
	longest := func() (n uint32) {
		for b := range q.pool.n {
			if isFree(*q.pool.owner(b)) {
				n = max(n, uint32(*q.pool.extent(b))&extentMask)
			}
		}
		return n
	}
	dead := attachQueue(t, a, 1)
	for b := uint32(33); b < 36; b -= 3 {
		tag := dead.newTag()
		mem.Store64(dead.pool.owner(b), tag) // P1
		if dead.pool.join(b, 3, tag) == 0 {
			t.Fatalf("nothing to join at %d: %s", b+3, q.pieces())
		}
		if err := recoverQueue(a, q.env, Self{1, 1}); err != nil {
			t.Fatal(err)
		}
		quietQueue(t, a)
		if n := longest(); n >= 2*most {
			t.Fatalf("a free piece has %d blocks: %s", n, q.pieces())
		}
	}
	if _, err := q.claimBlocks(1, q.newTag(), true); err != nil {
		t.Fatal(err)
	}
	if n := longest(); n > most {
		t.Errorf("a free piece has %d blocks after a claim: %s", n, q.pieces())
	}
}

// A chain that was damaged, so that it leads into another message's or out of
// the pool, harms no other message, however it ends: what is read of it is
// ErrCorrupt, and no block is freed but its own.
func TestQueueDamagedChain(t *testing.T) {
	c := QueueConfig{Slots: 4, Room: 16, Blocks: 12, BlockSize: 64, MaxMessage: 190}
	next := func(q *Queue, s Slot, to uint32) {
		e := q.pool.extent(*s.first())
		mem.Store64(e, uint64(to)<<extentNext|mem.Load64(e)&(1<<extentNext-1))
	}
	length := func(q *Queue, s Slot, k uint32) {
		e := q.pool.extent(*s.first())
		mem.Store64(e, mem.Load64(e)&^(1<<extentNext-1)|uint64(k))
	}
	for name, damage := range map[string]func(q *Queue, hurt, other Slot){
		"leads to another's":  func(q *Queue, hurt, other Slot) { next(q, hurt, *other.first()) },
		"leads to itself":     func(q *Queue, hurt, other Slot) { next(q, hurt, *hurt.first()) },
		"leads out of it":     func(q *Queue, hurt, other Slot) { next(q, hurt, 1<<31) },
		"leads to a free":     func(q *Queue, hurt, other Slot) { next(q, hurt, 11) },
		"no length":           func(q *Queue, hurt, other Slot) { length(q, hurt, 0) },
		"length beyond it":    func(q *Queue, hurt, other Slot) { length(q, hurt, 1<<31-1) },
		"first is another's":  func(q *Queue, hurt, other Slot) { mem.Store32(hurt.first(), *other.first()) },
		"first out of it":     func(q *Queue, hurt, other Slot) { mem.Store32(hurt.first(), 1<<31) },
		"another length":      func(q *Queue, hurt, other Slot) { mem.Store32(hurt.len(), 1<<31) },
		"first is no piece's": func(q *Queue, hurt, other Slot) { mem.Store32(hurt.first(), *other.first()+1) },
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
				q.shatter()
				for _, b := range []uint32{1, 3, 5, 6, 7, 8, 9, 10, 11} {
					q.claimAt(b) // so that the first message lies in three pieces
				}
				msgs := [][]byte{bytes.Repeat([]byte{1}, 190), bytes.Repeat([]byte{2}, 190), bytes.Repeat([]byte{3}, 60)}
				for i, m := range msgs {
					if err := q.TryPut(m); err != nil {
						t.Fatal(err)
					}
					if i == 0 {
						for b := uint32(5); b < 12; b++ {
							q.pool.giveBack(b, *q.pool.owner(b), 1)
						}
					}
				}
				if got := q.pieces(); got != "HHHHHHhhHFFF" {
					t.Fatal(got)
				}
				hurt := Slot{p: q.slot(0)}
				damage(q, hurt, Slot{p: q.slot(1)})
				s, err := other.Take(nil, end == "ack")
				if err != nil {
					t.Fatal(err)
				}
				if b, err := other.bytesOf(s); !errors.Is(err, ErrCorrupt) && !(name == "leads to itself" && len(b) == 190) {
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

// No message is written or read beyond the pieces that are its own, wherever a
// word leads while it is.
func TestQueueWriteStopsAtABadLink(t *testing.T) {
	c := QueueConfig{Slots: 4, Room: 16, Blocks: 12, BlockSize: 64, MaxMessage: 190}
	for _, bad := range []uint64{1 << 63, 1<<63 | 1, extentMask, 0} {
		_, q := heapQueue(t, c)
		tag := q.newTag()
		first, err := q.claimBlocks(3, tag, false)
		if err != nil {
			t.Fatal(err)
		}
		mem.Store64(q.pool.extent(first), bad)
		q.pool.write(first, bytes.Repeat([]byte{9}, 190)) // it ends
		if err := q.pool.read(first, tag, make([]byte, 190)); err != ErrCorrupt {
			t.Errorf("read = %v", err)
		}
		if err := q.pool.read(first, tag+2, make([]byte, 60)); err != ErrCorrupt {
			t.Errorf("read of another's = %v", err)
		}
	}
}
