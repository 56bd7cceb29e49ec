//go:build tandem_sim

package engine_test

import (
	"math/rand/v2"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// The queue of these tests has all its slots but one on lease, so that the way
// to the next message, or to the next empty slot, leads past all of them.
const raceSlots = 4096

func leasedQueue(t *testing.T) (c QueueConfig, a mem.Area, attach func(index uint32) *Queue) {
	t.Helper()
	c = QueueConfig{Slots: raceSlots, Room: 16, Rows: 8}
	a = mem.Heap(c.Size())
	c.InitLap(a, NearWrap)
	attach = func(index uint32) *Queue {
		q, err := AttachQueue(a, Env{Self: Self{Index: index, Epoch: 1}, Wake: noWake})
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	q := attach(1)
	for range raceSlots - 1 {
		if err := q.TryPut(make([]byte, 16)); err != nil {
			t.Fatal(err)
		}
		if _, err := q.Take(nil, true); err != nil {
			t.Fatal(err)
		}
	}
	return c, a, attach
}

// at calls f before an access whenever cond is true then.
func at(cond func() bool, f func()) {
	var point func()
	point = func() {
		mem.Point = nil
		if cond() {
			f()
		}
		mem.Point = point
	}
	mem.Point = point
}

// slotOf is a slot's phase and turn.
func slotOf(a mem.Area, i uint64) (phase, turn uint64) {
	s := *SlotWord(a, i)
	return s >> 30 & 7, s >> 33
}

// A producer whom another is faster than each time, when it has just stepped
// over thousands of leases, is told nothing wrong, however often that is.
func TestSimQueueClaimLosesRaces(t *testing.T) {
	_, a, attach := leasedQueue(t)
	slow, fast := attach(2), attach(3)
	lost := 0
	at(func() bool {
		phase, turn := slotOf(a, raceSlots-1)
		_, before := slotOf(a, raceSlots-2)
		return lost < 300 && phase == 0 && turn == before // it is about to claim it
	}, func() {
		lost++
		if err := fast.TryPut(make([]byte, 16)); err != nil {
			t.Fatal(err)
		}
		s, err := fast.Take(nil, false)
		if err != nil {
			t.Fatal(err)
		}
		fast.Release(s)
	})
	err := slow.TryPut(make([]byte, 16))
	if mem.Point = nil; err != nil || lost != 300 {
		t.Errorf("TryPut after %d races lost: %v", lost, err)
	}
}

// And a consumer whom another is faster than, when it has just passed them.
func TestSimQueueTakeLosesRaces(t *testing.T) {
	_, _, attach := leasedQueue(t)
	slow, fast := attach(2), attach(3)
	if err := fast.TryPut(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	lost, since := 0, 2*raceSlots
	at(func() bool {
		since++ // two accesses a slot
		return lost < 600 && since > 2*(raceSlots-1)+rand.IntN(4)-2
	}, func() {
		since = 0
		lost++
		s, err := fast.Take(nil, false)
		if err != nil {
			t.Fatal(err)
		}
		fast.Release(s)
		if err := fast.TryPut(make([]byte, 16)); err != nil {
			t.Fatal(err)
		}
	})
	_, err := slow.Take(nil, false)
	if mem.Point = nil; err != nil || lost != 600 {
		t.Errorf("Take after %d races lost: %v", lost, err)
	}
}

// Producers die, one after the other, in the only slot that is not on lease,
// and each leaves a hole, with all the leases behind it stepped over: head may
// be far behind then, but the next message comes.
func TestSimQueueTakeAfterDeaths(t *testing.T) {
	_, a, attach := leasedQueue(t)
	const deaths = 600
	for range deaths {
		dying := attach(2)
		if _, err := dying.TryClaim(); err != nil {
			t.Fatal(err)
		}
		if err := RecoverQueue(a, Env{Wake: noWake}, Self{Index: 2, Epoch: 1}); err != nil {
			t.Fatal(err)
		}
	}
	q := attach(3)
	if err := q.TryPut(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Take(nil, false); err != nil {
		t.Errorf("Take after %d deaths: %v", deaths, err)
	}
}
