//go:build tandem_sim

package engine

import (
	"errors"
	"io"
	"testing"

	"example.com/tandem/internal/mem"
)

// before runs op with f before its access number k, and reports whether it had
// one.
func before(k int, f, op func()) (had bool) {
	n := 0
	mem.Point = func() {
		if n++; n == k {
			mem.Point, had = nil, true
			f()
		}
	}
	defer func() { mem.Point = nil }()
	op()
	return had
}

// A message that is given back while another looks for such in vain is found
// by the next look.
func TestSimQueueReturnedBesideAScan(t *testing.T) {
	for k := 1; ; k++ {
		a, q := heapQueue(t, QueueConfig{Slots: 3, Room: 16})
		other := attachQueue(t, a, 1)
		var leases []int
		for range 2 {
			if err := q.TryPut(make([]byte, 16)); err != nil {
				t.Fatal(err)
			}
			s, err := other.Take(nil, true)
			if err != nil {
				t.Fatal(err)
			}
			leases = append(leases, q.Index(s))
		}
		if _, err := q.Take(nil, true); err != ErrEmpty { // its own hint is behind both
			t.Fatal(err)
		}
		if err := other.Nack(leases[1]); err != nil { // pending, and then in vain
			t.Fatal(err)
		}
		if s, err := other.Take(nil, true); err != nil || q.Index(s) != leases[1] {
			t.Fatal(err)
		}
		var err error
		had := before(k, func() {
			if err := other.Nack(leases[0]); err != nil {
				t.Fatal(err)
			}
		}, func() { _, err = q.Take(nil, false) })
		if !had {
			return
		}
		if err == ErrEmpty {
			_, err = q.Take(nil, false)
		}
		if err != nil {
			t.Errorf("given back before access %d: %v", k, err)
		}
	}
}

// A joiner that sleeps is woken by who ends the last message, though others
// begin to join at every step of his.
func TestSimQueueJoinBesideJoins(t *testing.T) {
	a, q := heapQueue(t, QueueConfig{Slots: 2, Room: 16})
	wakes := countWakes(q)
	if err := q.TryPut(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	s, err := q.Take(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	other := attachQueue(t, a, 1)
	q.idle.Arm() // one who sleeps
	var point func()
	point = func() {
		mem.Point = nil
		if err := other.Join(&naps{}); err != nil && !errors.Is(err, errNoNap) {
			t.Error(err)
		}
		mem.Point = point
	}
	mem.Point = point
	err = q.Ack(q.Index(s))
	if mem.Point = nil; err != nil {
		t.Fatal(err)
	}
	if wakes[q.idle.Word()] == 0 {
		t.Error("nobody was woken")
	}
}

// beforeTwo runs op with f before its access number k, and g before one that
// comes n later.
func beforeTwo(k, n int, f, g, op func()) (hadF, hadG bool) {
	hadF = before(k, func() {
		f()
		mem.Point = func() {
			if n--; n == 0 {
				mem.Point, hadG = nil, true
				g()
			}
		}
	}, op)
	return hadF, hadG
}

// While a message is undone at every instant, no Join ends. What has been got
// is done when another is on lease; that one is done when a third has been put,
// whose producer was writing when Join looked at its slot; or when it has itself
// become one that was got.
func TestSimQueueJoinBesideTheBusy(t *testing.T) {
	for name, last := range map[string]func(q, third *Queue, writing, lease Slot){
		"a writer": func(q, _ *Queue, writing, lease Slot) {
			q.Publish(writing)
			q.Ack(q.Index(lease))
		},
		"a getter": func(q, third *Queue, _, lease Slot) {
			third.got()
			q.Ack(q.Index(lease))
		},
	} {
		for k, n := 1, 1; ; n++ {
			a, q := heapQueue(t, QueueConfig{Slots: 2, Room: 16})
			other, third := attachQueue(t, a, 1), attachQueue(t, a, 2)
			var writing, lease Slot
			var err error
			q.heldAt.Store(1)
			other.got()
			hadF, hadG := beforeTwo(k, n, func() {
				fill(t, third, 1)
				if lease, err = other.Take(nil, true); err != nil {
					t.Fatal(err)
				}
				if name == "a writer" {
					if writing, err = other.TryClaim(); err != nil {
						t.Fatal(err)
					}
				}
				if err := other.TaskDone(); err != nil {
					t.Fatal(err)
				}
			}, func() { last(other, third, writing, lease) }, func() { err = q.Join(&naps{}) })
			if !errors.Is(err, errNoNap) {
				t.Errorf("%s: a lease before access %d of a Join, and %d later its end: Join returns %v", name, k, n, err)
			}
			if !hadF {
				break
			}
			if !hadG {
				k, n = k+1, 0
			}
		}
	}
}

// A producer that does not get all blocks, or cuts what it has, tells those who
// were turned away by what it held for a moment.
func TestSimQueueBlocksHeldForAMoment(t *testing.T) {
	c := QueueConfig{Slots: 4, Room: 16, Blocks: 4, BlockSize: 64, MaxMessage: 250}
	for name, world := range map[string]struct {
		pieces func(q *Queue)
		bytes  int
	}{
		"joins":   {(*Queue).shatter, 250},
		"gathers": {func(q *Queue) { q.shatter(); q.claimAt(1) }, 190},
		"cuts":    {func(q *Queue) {}, 60}, // by a loan, for a Put tells of room anyway
	} {
		t.Run(name, func(t *testing.T) {
			tried := 0
			for k := 1; ; k++ {
				a, q := heapQueue(t, c)
				world.pieces(q)
				other, third := attachQueue(t, a, 1), attachQueue(t, a, 2)
				wakes := countWakes(q)
				turnedAway := false
				had := before(k, func() {
					if world.bytes > 64 {
						if _, err := other.claimBlocks(1, other.newTag(), false); err != nil {
							return
						}
					}
					if turnedAway = !third.pool.enough(2); turnedAway {
						third.space.Arm() // and it falls asleep
					}
				}, func() {
					if name == "cuts" {
						q.Loan(nil, world.bytes)
					} else {
						q.TryPut(make([]byte, world.bytes))
					}
				})
				if !had {
					break
				}
				if turnedAway && q.pool.enough(2) {
					tried++
					if wakes[q.space.Word()] == 0 {
						t.Errorf("disturbed before access %d: nobody was woken", k)
					}
				}
			}
			if tried == 0 {
				t.Error("nobody was ever turned away")
			}
		})
	}
}

// What a claimer has until it has cut off what it does not need is not said to be
// full by one who looks meanwhile: that one looks again, and again.
func TestSimQueueLoosePieces(t *testing.T) {
	c := QueueConfig{Slots: 4, Room: 16, Blocks: 4, BlockSize: 64, MaxMessage: 250}
	put := 0
	for k := 1; ; k++ {
		a, q := heapQueue(t, c)
		other := attachQueue(t, a, 1)
		tag := other.newTag()
		*q.pool.owner(0) = tag // P1 of other
		var err error
		had := before(k, func() { other.pool.cut(0, 4, 1, tag, 0) }, func() { err = q.TryPut(make([]byte, 60)) })
		if !had {
			if err != ErrFull { // as of one who is stopped there
				t.Errorf("never given back: %v", err)
			}
			break
		}
		if err == nil {
			put++
		}
	}
	if put < 20 {
		t.Errorf("it looks for %d accesses", put)
	}
}

// TryPut to a queue without a free slot holds no blocks for any moment.
func TestSimQueueTryPutHoldsNoBlocks(t *testing.T) {
	c := QueueConfig{Slots: 1, Room: 16, Blocks: 3, BlockSize: 64, MaxMessage: 190}
	_, q := heapQueue(t, c)
	if err := q.TryPut(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	var point func()
	point = func() {
		mem.Point = nil
		if !q.pool.enough(3) {
			t.Error("it holds a block")
		}
		mem.Point = point
	}
	mem.Point = point
	err := q.TryPut(make([]byte, 190))
	if mem.Point = nil; err != ErrFull {
		t.Errorf("TryPut = %v", err)
	}
}

// A message that is published while a consumer lingers at its slot is taken,
// whenever that is.
func TestSimQueueLingers(t *testing.T) {
	for k := 1; ; k++ {
		a, q := heapQueue(t, QueueConfig{Slots: 2, Room: 16})
		other := attachQueue(t, a, 1)
		s, err := other.TryClaim()
		if err != nil {
			t.Fatal(err)
		}
		had := before(k, func() { other.Publish(s) }, func() { _, err = q.Take(nil, false) })
		if !had {
			if k < 10 {
				t.Errorf("it looked %d times only", k-1)
			}
			return
		}
		if err != nil {
			t.Errorf("published before access %d: %v", k, err)
		}
	}
}

// One who is stopped while he frees a message's blocks holds up neither the
// end of the queue nor Join: the message is done.
func TestSimQueueStoppedDraining(t *testing.T) {
	c := QueueConfig{Slots: 2, Room: 16, Blocks: 6, BlockSize: 64, MaxMessage: 150}
	draining := 0
	for k := 1; ; k++ {
		a, q := heapQueue(t, c)
		other := attachQueue(t, a, 1)
		if err := other.TryPut(make([]byte, 150)); err != nil {
			t.Fatal(err)
		}
		s, err := other.Take(nil, true)
		if err != nil {
			t.Fatal(err)
		}
		type stop struct{}
		func() {
			defer func() {
				if r := recover(); r != nil && r != (stop{}) {
					panic(r)
				}
			}()
			if !before(k, func() { panic(stop{}) }, func() { other.Ack(q.Index(s)) }) {
				k = 0
			}
		}()
		if k == 0 {
			break
		}
		if phaseOf(*q.word(0)) != slotDraining {
			continue
		}
		draining++
		if err := q.Join(&naps{}); err != nil {
			t.Errorf("stopped before access %d: Join = %v", k, err)
		}
		q.Shutdown()
		if _, err := q.Take(nil, false); err != io.EOF {
			t.Errorf("stopped before access %d: %v, not the end", k, err)
		}
	}
	if draining == 0 {
		t.Error("it was never stopped there")
	}
}

// A recovery beside a Put or a Get, at whichever of its accesses, leaves it
// what it needs: head passes no slot that is being written.
func TestSimQueueRecoveryBesideTheLiving(t *testing.T) {
	for _, c := range queueConfigs {
		for k := 1; ; k++ {
			a, q := heapQueue(t, c)
			msg := c.message(1)
			had := before(k, func() {
				if err := recoverQueue(a, q.env, Self{1, 1}); err != nil {
					t.Error(err)
				}
			}, func() {
				if err := q.TryPut(msg); err != nil {
					t.Errorf("%v, recovery before access %d: Put = %v", c, k, err)
				}
				if b, _, err := q.get(nil); err != nil || string(b) != string(msg) {
					t.Errorf("%v, recovery before access %d: %v, %v", c, k, b, err)
				}
			})
			quietQueue(t, a)
			if !had {
				break
			}
		}
	}
}

// A producer that has seen no Shutdown claims beside one: its message comes
// before the end, or it is told ErrShutdown.
func TestSimQueueClaimBesideShutdown(t *testing.T) {
	for k := 1; ; k++ {
		a, q := heapQueue(t, QueueConfig{Slots: 2, Room: 16})
		other := attachQueue(t, a, 1)
		var end error
		var err error
		had := before(k, func() {
			other.Shutdown()
			_, end = other.Take(nil, false)
		}, func() { err = q.TryPut(make([]byte, 16)) })
		switch {
		case !had:
			return
		case err == nil && end == io.EOF:
			t.Errorf("shut down before access %d: put after the end", k)
		case err != nil && err != ErrShutdown:
			t.Errorf("shut down before access %d: %v", k, err)
		}
	}
}

// A walk in words that lead round and round ends soon, as ErrCorrupt.
func TestSimQueueWalksInCircles(t *testing.T) {
	const n = 4
	for _, phase := range []uint64{slotEmpty, slotFull, slotLeased} {
		_, q := heapQueue(t, QueueConfig{Slots: n, Room: 16})
		for i := range uint32(n) {
			*q.word(i) = slotWord(3*(i+1), phase, 0)
		}
		for _, op := range []func() error{
			func() error { return q.TryPut(make([]byte, 16)) },
			func() error { _, err := q.Take(nil, false); return err },
		} {
			steps := 0
			mem.Point = func() { steps++ }
			err := op()
			mem.Point = nil
			if err != ErrCorrupt || steps > 20*n {
				t.Errorf("phase %d: %v after %d accesses", phase, err, steps)
			}
		}
	}
}

// While a process scribbles on the slot that is to be claimed, or taken, an
// attempt ends all the same: also while that process moves the tail.
func TestSimQueueScribbledSlot(t *testing.T) {
	for _, moves := range []bool{false, true} {
		for _, phase := range []uint64{slotEmpty, slotFull} {
			_, q := heapQueue(t, QueueConfig{Slots: 1, Room: 16})
			s, steps := slotWord(turnOf(*q.word(0)), phase, 0), 0
			mem.Point = func() { // each access finds another owner
				steps++
				*q.word(0) = s | uint64(steps)&whoMask
				if moves {
					*q.tail.shared++
				}
			}
			var err error
			if phase == slotEmpty {
				err = q.TryPut(make([]byte, 16))
			} else {
				_, err = q.Take(nil, false)
			}
			if mem.Point = nil; err != ErrCorrupt || steps > 1<<23 && !moves {
				t.Errorf("phase %d, tail moves %v: %v after %d accesses", phase, moves, err, steps)
			}
		}
	}
}
