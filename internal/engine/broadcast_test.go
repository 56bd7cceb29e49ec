package engine

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"example.com/tandem/internal/mem"
)

func broadcastEnv(i, epoch uint32) Env {
	return Env{Self: Self{Index: i, Epoch: epoch}, Wake: func(*uint32, int) int { return 0 }}
}

// newBroadcast is a ring in heap memory, and what process 1 has of it.
func newBroadcast(t *testing.T, c BroadcastConfig) (mem.Area, *Broadcast) {
	t.Helper()
	a := mem.Heap(c.Size())
	c.Init(a)
	return a, attachBroadcast(t, a, 1)
}

func attachBroadcast(t *testing.T, a mem.Area, i uint32) *Broadcast {
	t.Helper()
	b, err := AttachBroadcast(a, broadcastEnv(i, 1))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func subscribe(t *testing.T, b *Broadcast) *Subscription {
	t.Helper()
	s, err := b.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func said(i, n int) []byte {
	return bytes.Repeat([]byte{byte(i)}, n)
}

var broadcastConfigs = []BroadcastConfig{
	{Slots: 1, MaxMessage: 16, Fixed: true, Blocks: 3, BlockSize: 64, Rows: 8, Subscribers: 4},
	{Slots: 4, MaxMessage: 16, Fixed: true, Blocks: 8, BlockSize: 64, Rows: 8, Subscribers: 4},
	{Slots: 3, MaxMessage: 300, Blocks: 12, BlockSize: 64, Rows: 8, Subscribers: 4},
}

func quietBroadcast(t *testing.T, a mem.Area) {
	t.Helper()
	if err := checkBroadcastAt(a, true); err != nil {
		t.Error(err)
	}
}

// sizeOf is how long message i is.
func (c BroadcastConfig) sizeOf(i int) int {
	if c.Fixed {
		return c.MaxMessage
	}
	return i * 37 % (c.MaxMessage + 1)
}

// Every subscriber gets every message, from the next one on, for many laps.
func TestBroadcastAll(t *testing.T) {
	for _, c := range broadcastConfigs {
		for _, c.Reliable = range []bool{false, true} {
			t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
				a, b := newBroadcast(t, c)
				other := attachBroadcast(t, a, 2)
				first := subscribe(t, other)
				var second *Subscription
				for i := range 100 {
					if i == 10 {
						second = subscribe(t, b)
					}
					if err := []*Broadcast{b, other}[i%3/2].TryPublish(said(i, c.sizeOf(i))); err != nil {
						t.Fatal(err)
					}
					for _, s := range []*Subscription{first, second} {
						if s == nil {
							continue
						}
						if msg, err := s.GetNow(); err != nil || !bytes.Equal(msg, said(i, c.sizeOf(i))) || s.Missed() != 0 {
							t.Fatalf("message %d: %v, %v", i, msg, err)
						}
						if _, err := s.GetNow(); err != ErrEmpty {
							t.Fatalf("nothing was published, and: %v", err)
						}
					}
				}
				quietBroadcast(t, a)
				if l := lookBroadcast(a); l.Value != "100" || len(l.Holders) != 2 {
					t.Errorf("it looks like %+v", l)
				}
			})
		}
	}
}

// A Lossy publisher waits for nobody, and what was missed is exact.
func TestBroadcastLossy(t *testing.T) {
	for _, c := range broadcastConfigs {
		a, b := newBroadcast(t, c)
		s := subscribe(t, b)
		published, came := 0, uint64(0)
		for n := range 40 {
			for range n {
				if err := b.TryPublish(said(published, c.sizeOf(published))); err != nil {
					t.Fatal(err)
				}
				published++
			}
			for range 2 {
				msg, err := s.GetNow()
				came += s.Missed()
				if err == ErrEmpty {
					continue
				}
				if err != nil || !bytes.Equal(msg, said(int(came), c.sizeOf(int(came)))) {
					t.Fatalf("after %d, message %d: %v, %v", published, came, msg, err)
				}
				came++
			}
		}
		for {
			if _, err := s.GetNow(); err != nil {
				break
			}
			came++
		}
		if came += s.Missed(); came != uint64(published) {
			t.Errorf("%d received and missed of %d", came, published)
		}
		quietBroadcast(t, a)
	}
}

// A Reliable one waits for the slowest, as long as it is there.
func TestBroadcastReliable(t *testing.T) {
	for _, c := range broadcastConfigs[:2] {
		c.Reliable = true
		a, b := newBroadcast(t, c)
		slow, fast := subscribe(t, attachBroadcast(t, a, 2)), subscribe(t, b)
		for i := range c.Slots {
			if err := b.TryPublish(said(i, 16)); err != nil {
				t.Fatal(err)
			}
			if _, err := fast.GetNow(); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := b.TryPublish(said(0, 16)); err != ErrFull {
				t.Fatalf("full, and: %v", err)
			}
		}
		quietBroadcast(t, a)
		if _, err := slow.GetNow(); err != nil {
			t.Fatal(err)
		}
		if err := b.TryPublish(said(1, 16)); err != nil {
			t.Fatal(err)
		}
		if err := b.TryPublish(said(1, 16)); err != ErrFull {
			t.Fatalf("full, and: %v", err)
		}
		if err := recoverBroadcast(a, broadcastEnv(1, 1), Self{2, 1}); err != nil {
			t.Fatal(err)
		}
		fast.GetNow()
		if err := b.TryPublish(said(1, 16)); err != nil {
			t.Fatalf("the slowest is dead, and: %v", err)
		}
		fast.Close()
		for i := range 3 * c.Slots {
			if err := b.TryPublish(said(i, 16)); err != nil {
				t.Fatalf("nobody subscribes, and: %v", err)
			}
		}
		quietBroadcast(t, a)
	}
}

// Where memory is short the oldest message goes: Reliable, only what all have read.
func TestBroadcastShortOfBlocks(t *testing.T) {
	c := BroadcastConfig{Slots: 16, MaxMessage: 300, Blocks: 9, BlockSize: 64, Rows: 8, Subscribers: 4}
	a, b := newBroadcast(t, c)
	s := subscribe(t, b)
	for i := range 50 {
		if err := b.TryPublish(said(i, 300)); err != nil {
			t.Fatal(err)
		}
	}
	msg, err := s.GetNow()
	if err != nil || msg[0] != 49 || s.Missed() != 49 {
		t.Fatalf("%v, %v: there is room for one", msg, err)
	}
	quietBroadcast(t, a)

	c.Reliable = true
	a, b = newBroadcast(t, c)
	s = subscribe(t, b)
	for i := range 50 {
		if err := b.TryPublish(said(i, 300)); err != nil {
			t.Fatal(err)
		}
		if err := b.TryPublish(said(i, 300)); err != ErrFull {
			t.Fatalf("there is room for one, and: %v", err)
		}
		if msg, err := s.GetNow(); err != nil || msg[0] != byte(i) {
			t.Fatal(msg, err)
		}
	}
	quietBroadcast(t, a)
}

func TestBroadcastShutdown(t *testing.T) {
	for _, c := range broadcastConfigs {
		for _, c.Reliable = range []bool{false, true} {
			a, b := newBroadcast(t, c)
			s, late := subscribe(t, attachBroadcast(t, a, 2)), subscribe(t, b)
			if err := b.TryPublish(said(1, c.sizeOf(1))); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := b.Shutdown(); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.TryPublish(said(1, c.sizeOf(1))); err != ErrShutdown {
				t.Fatal(err)
			}
			for _, s := range []*Subscription{s, late} {
				if _, err := s.GetNow(); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if _, err := s.GetNow(); err != io.EOF {
						t.Fatal(err)
					}
				}
			}
			if _, err := subscribe(t, b).GetNow(); err != io.EOF {
				t.Fatal(err)
			}
			quietBroadcast(t, a)
		}
	}
}

// Shutdown's process died between the flag and the end.
func TestBroadcastShutdownHalf(t *testing.T) {
	c := broadcastConfigs[1]
	a, b := newBroadcast(t, c)
	s := subscribe(t, b)
	*b.state |= stateShut
	if err := b.TryPublish(said(1, 16)); err != ErrShutdown {
		t.Errorf("a Publish behind it: %v", err)
	}
	if _, err := s.GetNow(); err != io.EOF {
		t.Fatal(err)
	}
	quietBroadcast(t, a)
}

func TestBroadcastRows(t *testing.T) {
	c := broadcastConfigs[0]
	a, b := newBroadcast(t, c)
	var subs []*Subscription
	for range c.Subscribers {
		subs = append(subs, subscribe(t, b))
	}
	if _, err := b.Subscribe(); err != ErrNoRow {
		t.Fatal(err)
	}
	subs[2].Close()
	if _, err := subs[2].GetNow(); err != ErrEnded {
		t.Fatal(err)
	}
	again := subscribe(t, b)
	subs[2].Close() // a second time, and the row is another's
	if *b.subs.owner(2) != again.word {
		t.Error("a second Close has freed a row that was another's")
	}
	quietBroadcast(t, a)
}

// A subscriber that is lapped counts exactly, also where turns have wrapped meanwhile.
func TestBroadcastWraps(t *testing.T) {
	c := broadcastConfigs[1]
	a := mem.Heap(c.Size())
	c.Init(a)
	b := attachBroadcast(t, a, 1)
	s := subscribe(t, b)
	for _, lap := range []uint64{1 << 30, 1<<31 - 3, 1 << 31, 1<<31 + 3, 1<<32 + 1<<30, 1 << 40} {
		was := s.next
		for i := range uint64(c.Slots) { // as if so many had come
			*b.slot(i) = voidWord(lap, 0)
		}
		f := (lap + 1) * uint64(c.Slots)
		if err := b.TryPublish(said(7, 16)); err != nil {
			t.Fatal(err)
		}
		msg, err := s.GetNow()
		if err != nil || msg[0] != 7 || s.Missed() != f-was || s.next != f+1 {
			t.Fatalf("lap %d: %v, %v, at %d of %d", lap, msg, err, s.next, f+1)
		}
		// Another of whom only the hint is old.
		old := attachBroadcast(t, a, 2)
		*b.front.shared, old.front.own = 2*4, 2*4
		if err := old.TryPublish(said(8, 16)); err != nil {
			t.Fatal(err)
		}
		if msg, err := s.GetNow(); err != nil || msg[0] != 8 {
			t.Fatalf("lap %d: %v, %v", lap, msg, err)
		}
		for i, v := range []uint64{f + 100, 0, 1 << 63} { // hints that are none
			*b.front.shared, old.front.own = v, v
			if err := old.TryPublish(said(i, 16)); err != nil {
				t.Fatal(err)
			}
			if msg, err := s.GetNow(); err != nil || msg[0] != byte(i) {
				t.Fatalf("lap %d: %v, %v", lap, msg, err)
			}
		}
		for p := range b.pool.n { // what the laps that did not come would have freed
			if tag := *b.pool.owner(p); !isFree(tag) {
				b.pool.freeAll(p, tag, 1)
			}
		}
	}
}

// Recovery frees what a dead publisher had prepared, had removed, or both with another.
func TestBroadcastRecovery(t *testing.T) {
	for _, c := range broadcastConfigs {
		a, b := newBroadcast(t, c)
		dead := attachBroadcast(t, a, 2)
		n := min(c.sizeOf(7), 40)
		for range c.Slots {
			if err := b.TryPublish(said(6, n)); err != nil {
				t.Fatal(err)
			}
		}
		if c.Slots > 1 {
			if err := dead.TryPublish(said(7, n)); err != nil {
				t.Fatal(err)
			}
		}
		m := outgoing{msg: said(8, n), tag: dead.newTag(), want: dead.pool.blocks(uint32(n) + messageBody)}
		if err := dead.prepare(&m, false); err != nil {
			t.Fatal(err)
		}
		subscribe(t, dead)
		_, old, err := b.walk(b.front.load(), true)
		if err != nil {
			t.Fatal(err)
		}
		*dead.drain = old.tag // of b's message: removed by the dead one, and not freed
		if !mem.CAS64(b.slot(old.p), old.w, voidWord(old.p/b.n, 0)) {
			t.Fatal("it has gone")
		}
		for range 2 {
			if err := recoverBroadcast(a, broadcastEnv(1, 1), Self{2, 1}); err != nil {
				t.Fatal(err)
			}
			quietBroadcast(t, a)
		}
		if *dead.drain != 0 {
			t.Error("the drain is not cleared")
		}
		if l := lookBroadcast(a); len(l.Holders) != 0 {
			t.Errorf("a dead subscriber: %+v", l)
		}
	}
}

// Who removes a message, and finds that a recovery has freed its beginning, frees the rest.
func TestBroadcastSweep(t *testing.T) {
	c := BroadcastConfig{Slots: 1, MaxMessage: 300, Blocks: 12, BlockSize: 64, Rows: 8, Subscribers: 4}
	a, b := newBroadcast(t, c)
	for i := range b.pool.n { // what is free is in pieces of a block, none beside another
		*b.pool.owner(i), *b.pool.extent(i) = freed(1), 1|extentLoose
		if i%2 == 1 && i < 10 {
			*b.pool.owner(i) = 2
		}
	}
	if err := b.TryPublish(said(1, 300)); err != nil {
		t.Fatal(err)
	}
	_, old, err := b.walk(b.front.load(), true)
	if err != nil {
		t.Fatal(err)
	}
	mem.CAS64(b.slot(old.p), old.w, voidWord(old.p/b.n, 0))
	b.pool.reclaim(old.first, old.tag)
	b.pool.freeAll(old.first, old.tag, 5)
	for i := uint32(1); i < 10; i += 2 {
		*b.pool.owner(i) = freed(1)
	}
	quietBroadcast(t, a)
}

func TestBroadcastTooLarge(t *testing.T) {
	_, b := newBroadcast(t, broadcastConfigs[2])
	if err := b.TryPublish(said(1, 301)); err != ErrTooLarge {
		t.Error(err)
	}
	_, b = newBroadcast(t, broadcastConfigs[1])
	if err := b.TryPublish(said(1, 15)); err != ErrTooLarge {
		t.Error(err)
	}
}

// A slot, or a message's first words, that say what cannot be: nothing is got, or missed, and
// nobody looks outside.
func TestBroadcastDamagedWords(t *testing.T) {
	c := broadcastConfigs[1]
	for what, damage := range map[string]func(b *Broadcast, w *uint64, first uint32){
		"a block that there is not": func(b *Broadcast, w *uint64, _ uint32) { *w = fullWord(2, firstMask) },
		"a length":                  func(b *Broadcast, _ *uint64, first uint32) { *b.len(first) = uint64(c.MaxMessage + 1) },
		"another slot's position":   func(b *Broadcast, _ *uint64, first uint32) { *b.pos(first) += 1 },
		"no word":                   func(b *Broadcast, w *uint64, _ uint32) { *w = 0 },
	} {
		_, b := newBroadcast(t, c)
		s := subscribe(t, b)
		if err := b.TryPublish(said(1, 16)); err != nil {
			t.Fatal(err)
		}
		w, at := b.slot(s.next), s.next
		damage(b, w, firstBlock(*w))
		if msg, err := s.GetNow(); err != ErrCorrupt || s.next != at || s.missed != 0 {
			t.Errorf("%s: %v, %v, at %d of %d, %d missed", what, msg, err, s.next, at, s.missed)
		}
	}
}

// Who stands still in the middle of Subscribe is behind nothing yet, and has a row.
func TestBroadcastLookJoining(t *testing.T) {
	c := broadcastConfigs[1]
	a, b := newBroadcast(t, c)
	subscribe(t, b)
	other := attachBroadcast(t, a, 2)
	if !mem.CAS64(b.subs.owner(1), rowFree, rowOf(other.who, rowJoining)) {
		t.Fatal("the row is taken")
	}
	if l := lookBroadcast(a); fmt.Sprint(l.Holders) != "[{{1 1} behind 0 0} {{2 1} joining 1 0}]" {
		t.Errorf("its holders are %v", l.Holders)
	}
	if err := recoverBroadcast(a, broadcastEnv(1, 1), Self{2, 1}); err != nil {
		t.Fatal(err)
	}
	if l := lookBroadcast(a); len(l.Holders) != 1 {
		t.Errorf("a dead one that was joining: %v", l.Holders)
	}
}
