//go:build tandem_sim

package engine

import (
	"testing"

	"example.com/tandem/internal/mem"
)

// Before each access of one that publishes another replaces the message there, and a third
// claims what is free by then; and the first dies before each access that it has after that.
// Its recovery takes nothing from the third: what the first says that it removes is never a tag
// of one that is preparing a message.
func TestSimBroadcastTagOfAnother(t *testing.T) {
	c := BroadcastConfig{Slots: 1, MaxMessage: 16, Fixed: true, Blocks: 4, BlockSize: 64, Rows: 4, Subscribers: 1}
	msg := make([]byte, 16)
	type dead struct{}
	dies := func(at, death int) (reached, over bool) {
		a := mem.Heap(c.Size())
		c.Init(a)
		attach := func(i uint32) *Broadcast {
			b, err := AttachBroadcast(a, Env{Self: Self{Index: i, Epoch: 1}, Wake: func(*uint32, int) int { return 0 }})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		publish := func(b *Broadcast) {
			if err := b.TryPublish(msg); err != nil {
				t.Fatal(err)
			}
		}
		first, other, third := attach(0), attach(1), attach(2)
		publish(other)
		prepared := map[uint32]uint64{}
		n, within := 0, false
		mem.Point = func() {
			if within {
				return
			}
			n++
			if n == at {
				within = true
				publish(other)
				for {
					tag := third.newTag()
					m := third.pool.claim(1, tag, false)
					if m.one == 0 {
						break
					}
					prepared[m.one-1] = tag
				}
				within = false
			}
			if n == at+death {
				panic(dead{})
			}
		}
		func() {
			defer func() {
				mem.Point = nil
				if r := recover(); r != nil && r != (dead{}) {
					panic(r)
				}
			}()
			first.TryPublish(msg)
			over = true
		}()
		if err := recoverBroadcast(a, other.env, first.env.Self); err != nil {
			t.Fatal(err)
		}
		for b, tag := range prepared {
			if got := mem.Load64(third.pool.owner(b)); got != tag {
				t.Fatalf("killed %d accesses after access %d: block %d is %#x, and %#x has it", death, at, b, got, tag)
			}
		}
		return n >= at, over
	}
	for at := 1; ; at++ {
		for death := 0; ; death++ {
			reached, over := dies(at, death)
			if !reached {
				return
			}
			if over {
				break
			}
		}
	}
}

// Before each access of one that publishes, and removes the oldest for its blocks, another shuts
// the broadcast down: nothing comes into the ring any more.
func TestSimBroadcastShutBesideRemoval(t *testing.T) {
	c := BroadcastConfig{Slots: 2, MaxMessage: 150, Blocks: 6, BlockSize: 64, Rows: 4, Subscribers: 1}
	msg := make([]byte, 150)
	for at, reached := 1, true; reached; at++ {
		a := mem.Heap(c.Size())
		c.Init(a)
		attach := func(i uint32) *Broadcast {
			b, err := AttachBroadcast(a, Env{Self: Self{Index: i, Epoch: 1}, Wake: func(*uint32, int) int { return 0 }})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		front := func(b *Broadcast) uint64 {
			f, _, err := b.walk(b.front.load(), false)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		publisher, other := attach(0), attach(1)
		for range 2 {
			if err := publisher.TryPublish(msg); err != nil {
				t.Fatal(err)
			}
		}
		end := uint64(0)
		n, within := 0, false
		mem.Point = func() {
			if within {
				return
			}
			if n++; n == at {
				within = true
				if err := other.Shutdown(); err != nil {
					t.Error(err)
				}
				end = front(other)
				within = false
			}
		}
		publisher.TryPublish(msg)
		mem.Point = nil
		if reached = n >= at; reached {
			if f := front(other); f != end {
				t.Fatalf("shut down at access %d, at %d messages: %d came", at, end, f)
			}
		}
	}
}

// Before each access of one that subscribes another publishes, and it is stopped there for ever,
// or goes on. Its row, which had a cursor of long ago, holds up nobody until it is active,
// and then no more than a subscriber at the front would; and nothing comes that it does not
// see.
func TestSimBroadcastJoins(t *testing.T) {
	c := BroadcastConfig{Slots: 2, Reliable: true, MaxMessage: 16, Fixed: true, Blocks: 8, BlockSize: 64, Rows: 4, Subscribers: 1}
	msg := make([]byte, 16)
	type stopped struct{}
	joins := func(at int, stop bool) (reached bool) {
		a := mem.Heap(c.Size())
		c.Init(a)
		attach := func(i uint32) *Broadcast {
			b, err := AttachBroadcast(a, Env{Self: Self{Index: i, Epoch: 1}, Wake: func(*uint32, int) int { return 0 }})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		first, other := attach(0), attach(1)
		publish := func() {
			if err := other.TryPublish(msg); err != nil {
				t.Fatalf("at access %d, stopped there %v: %v", at, stop, err)
			}
		}
		for range 10 {
			publish()
		}
		n, before := 0, uint64(0)
		mem.Point = func() {
			if n++; n != at {
				return
			}
			mem.Point = nil
			reached = true
			before, _, _ = other.walk(other.front.load(), false)
			publish()
			if stop {
				panic(stopped{})
			}
		}
		var s *Subscription
		func() {
			defer func() {
				mem.Point = nil
				if r := recover(); r != nil && r != (stopped{}) {
					panic(r)
				}
			}()
			var err error
			if s, err = first.Subscribe(); err != nil {
				t.Fatal(err)
			}
		}()
		switch {
		case !reached:
		case s == nil:
			if mem.Load64(other.subs.owner(0))&rowState != rowActive {
				for range 10 {
					publish()
				}
			}
		default:
			f := before + 1 - s.next
			if f > 1 || mem.Load64(other.subs.cursor(0)) != s.next {
				t.Fatalf("at access %d: it begins at %d, its cursor is %d, and the front %d then", at, s.next, mem.Load64(other.subs.cursor(0)), before)
			}
			publish()
			for range 1 + f {
				if _, err := s.GetNow(); err != nil {
					t.Fatalf("at access %d: %v", at, err)
				}
			}
		}
		return reached
	}
	for at := 1; joins(at, true); at++ {
		joins(at, false)
	}
}
