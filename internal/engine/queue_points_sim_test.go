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

// While a message is undone at every instant, no Join ends: one is put, by a
// producer that was writing when Join looked at its slot, before the other is
// done.
func TestSimQueueJoinBesideAWriter(t *testing.T) {
	for first := range uint32(2) {
		for k := 1; ; k++ {
			a, q := heapQueue(t, QueueConfig{Slots: 2, Room: 16})
			other := attachQueue(t, a, 1)
			if err := other.TryPut(make([]byte, 16)); err != nil {
				t.Fatal(err)
			}
			lease, err := other.Take(nil, true)
			if err != nil {
				t.Fatal(err)
			}
			writing, err := other.TryClaim()
			if err != nil {
				t.Fatal(err)
			}
			q.heldAt.Store(first)
			had := before(k, func() {
				other.Publish(writing)
				if err := other.Ack(q.Index(lease)); err != nil {
					t.Fatal(err)
				}
			}, func() { err = q.Join(&naps{}) })
			if !errors.Is(err, errNoNap) {
				t.Errorf("put before access %d of a Join: it returns %v", k, err)
			}
			if !had {
				break
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
						if _, err := other.claimBlocks(1, other.pool.newTag(), false); err != nil {
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
		tag := other.pool.newTag()
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
