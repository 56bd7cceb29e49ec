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
			if n >= at+death {
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

// Before one access of one that wants blocks another takes one that is free, or gives some back,
// and before a later access a third is turned away, and sleeps. If there is enough for it when the
// first has got its own, or has not, somebody has told it.
func TestSimBroadcastTurnedAway(t *testing.T) {
	c := BroadcastConfig{Slots: 8, MaxMessage: 150, Blocks: 7, BlockSize: 64, Rows: 4, Subscribers: 1}
	long, two, one := make([]byte, 150), make([]byte, 100), make([]byte, 8) // what takes so many blocks
	slept, turned := 0, 0
	for name, scene := range map[string]struct {
		first, third []byte
		set          func(hold func(n uint32) (back func()), say func(msg []byte)) (happens func())
	}{
		"three are free": {long, one, func(hold func(uint32) func(), _ func([]byte)) func() {
			hold(3)
			hold(1)
			return func() { hold(1) }
		}},
		"two are free, and one is a message's": {long, one, func(hold func(uint32) func(), say func([]byte)) func() {
			say(one)
			hold(3)
			hold(1)
			return func() { hold(1) }
		}},
		"one is a message's, and three come": {one, long, func(hold func(uint32) func(), say func([]byte)) func() {
			say(one)
			back := hold(3)
			hold(3)
			return back
		}},
		"two messages have two each, in two pieces": {long, one, func(hold func(uint32) func(), say func([]byte)) func() {
			var back []func()
			for range 5 {
				back = append(back, hold(1))
			}
			last := hold(2)
			back[0]()
			back[2]()
			say(two)
			back[1]()
			back[4]()
			say(two)
			return last
		}},
	} {
		away := func(happens, slips int) (reached bool) {
			a := mem.Heap(c.Size())
			c.Init(a)
			attach := func(i uint32) *Broadcast {
				b, err := AttachBroadcast(a, Env{Self: Self{Index: i, Epoch: 1}, Wake: func(*uint32, int) int { return 1 }})
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
			first, other, third := attach(0), attach(1), attach(2)
			happen := scene.set(func(n uint32) func() {
				tag := other.newTag()
				k := other.pool.claim(n, tag, false)
				return func() {
					if k.one != 0 {
						other.pool.giveBack(k.one-1, tag, n)
						other.stir()
					}
				}
			}, func(msg []byte) {
				if err := other.TryPublish(msg); err != nil {
					t.Fatal(err)
				}
			})
			n, v, asleep := 0, uint32(0), false
			mem.Point = func() {
				n++
				if n != happens && n != slips {
					return
				}
				point := mem.Point
				mem.Point = nil
				if n == happens {
					happen()
				}
				if n == slips {
					v = third.space.Arm()
					asleep = third.PublishNow(scene.third) == ErrFull
				}
				mem.Point = point
			}
			err := first.prepare(&outgoing{msg: scene.first, tag: first.newTag(), want: first.blocks(uint32(len(scene.first)))}, false)
			mem.Point = nil
			if n < slips {
				return false
			}
			if err != nil {
				turned++
			}
			if asleep {
				slept++
			}
			if mem.Load32(third.space.Word()) == v && asleep && third.PublishNow(scene.third) == nil {
				t.Fatalf("%s: another comes before access %d, and one that was turned away before access %d sleeps on", name, happens, slips)
			}
			return true
		}
		for happens := 0; ; happens++ {
			if happens > 0 && !away(happens, happens) {
				break
			}
			for slips := happens + 1; away(happens, slips); slips++ {
			}
		}
	}
	if slept == 0 || turned == 0 {
		t.Errorf("it was turned away %d times, and slept %d times", turned, slept)
	}
}

// One has prepared its message when another's fills the ring, waits, and its context ends after a
// subscriber has read that: who was turned away by what it held is told.
func TestSimBroadcastLeaves(t *testing.T) {
	c := BroadcastConfig{Slots: 1, Reliable: true, MaxMessage: 150, Blocks: 5, BlockSize: 64, Rows: 4, Subscribers: 1}
	long, short := make([]byte, 150), make([]byte, 8)
	held := 0
	for at, over := 1, false; !over; at++ {
		a := mem.Heap(c.Size())
		c.Init(a)
		attach := func(i uint32) *Broadcast {
			b, err := AttachBroadcast(a, Env{Self: Self{Index: i, Epoch: 1}, Wake: func(*uint32, int) int { return 1 }})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		first, other, third := attach(0), attach(1), attach(2)
		s, err := other.Subscribe()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		mem.Point = func() {
			if n++; n == at {
				mem.Point = nil
				other.TryPublish(short)
			}
		}
		var v uint32
		asleep := false
		err = first.Publish(&script{t: t, now: 1, sleeps: []func(int64){func(int64) {
			mem.Point = nil
			if first.HeldBlocks() > 0 {
				held++
			}
			if _, err := s.GetNow(); err != nil {
				t.Error(err)
			}
			v = third.space.Arm()
			asleep = third.PublishNow(long) == ErrFull
		}}, ends: true}, long)
		mem.Point = nil
		over = n < at
		if is := mem.Load32(third.space.Word()); asleep && is == v && third.PublishNow(long) == nil {
			t.Fatalf("the ring is full before access %d, %v: one that was turned away then sleeps on", at, err)
		}
	}
	if held == 0 {
		t.Error("it never waited with a message in hand")
	}
}

// What another has in hand only to cut it is not said to be full: one looks again a few times.
func TestSimBroadcastLoosePieces(t *testing.T) {
	c := BroadcastConfig{Slots: 4, MaxMessage: 234, Blocks: 4, BlockSize: 64, Rows: 4, Subscribers: 1}
	published := 0
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
		b, other := attach(0), attach(1)
		tag := other.newTag()
		*b.pool.owner(0) = tag // P1 of other
		n := 0
		mem.Point = func() {
			if n++; n == at {
				mem.Point = nil
				other.pool.cut(0, 4, 1, tag, 0)
			}
		}
		err := b.TryPublish(make([]byte, 8))
		mem.Point = nil
		if reached = n >= at; err == nil {
			published++
		} else if err != ErrFull {
			t.Fatal(err)
		}
	}
	if published < 20 {
		t.Errorf("it looks for %d accesses", published)
	}
}
