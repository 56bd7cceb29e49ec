//go:build tandem_sim

package engine_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
)

// A subscriber is stopped before each access of Next, in the middle of its copy too, while as
// many messages as there are slots are published, twice and a hundred times as many; then it
// goes on. Each message that it gets is whole, and in its place; what it has got and missed
// is what was published.
func TestSimBroadcastResumed(t *testing.T) {
	for _, c := range []BroadcastConfig{
		{Slots: 1, MaxMessage: 24, Fixed: true, Blocks: 2, BlockSize: 64, Rows: 8, Subscribers: 1},
		{Slots: 3, MaxMessage: 24, Fixed: true, Blocks: 8, BlockSize: 64, Rows: 8, Subscribers: 1},
		{Slots: 4, MaxMessage: 150, Blocks: 12, BlockSize: 64, Rows: 8, Subscribers: 1},
		{Slots: 8, MaxMessage: 150, Blocks: 9, BlockSize: 64, Rows: 8, Subscribers: 1}, // messages are removed for their blocks
	} {
		for _, c.Reliable = range []bool{false, true} {
			for _, rounds := range []int{1, 2, 100} {
				t.Run(fmt.Sprintf("%d rounds %+v", rounds, c), func(t *testing.T) {
					for at := 1; !broadcastResumedAt(t, c, rounds*c.Slots, at); at++ {
					}
				})
			}
		}
	}
}

// broadcastResumedAt has n messages published before an access of Next; true: it has no more.
func broadcastResumedAt(t *testing.T, c BroadcastConfig, n, at int) (over bool) {
	a := mem.Heap(c.Size())
	c.InitLap(a, 1<<31-1)
	attach := func(i uint32) *Broadcast {
		return testproc.Get(AttachBroadcast(a, Env{Self: Self{Index: i, Epoch: 1}, Wake: noWake}))(t)
	}
	b := attach(1)
	s := testproc.Get(attach(2).Subscribe())(t)
	published := uint64(0)
	publish := func() {
		msg := bytes.Repeat(binary.LittleEndian.AppendUint64(nil, published), c.MaxMessage/8)
		switch err := b.TryPublish(msg); {
		case err == nil:
			published++
		case !c.Reliable || err != ErrFull:
			t.Fatal(err)
		}
	}
	for range c.Slots {
		publish()
	}
	next := uint64(0)
	check := func(msg []byte, err error) bool {
		s.Lock()
		missed := s.Missed()
		s.Unlock()
		if err == ErrEmpty {
			next += missed
			return false
		}
		testproc.OK(t, err)
		next += missed
		if c.Reliable && missed > 0 {
			t.Fatalf("stopped before access %d: %d messages missed", at, missed)
		}
		if want := bytes.Repeat(binary.LittleEndian.AppendUint64(nil, next), c.MaxMessage/8); !bytes.Equal(msg, want) {
			t.Fatalf("stopped before access %d, %d missed: got %x, want %x", at, missed, msg, want)
		}
		next++
		return true
	}
	accesses, within := 0, false
	mem.Point = func() {
		if within {
			return
		}
		if accesses++; accesses == at {
			within = true
			for range n {
				publish()
			}
			within = false
		}
	}
	defer func() { mem.Point = nil }()
	msg, err := s.GetNow()
	mem.Point = nil
	check(msg, err)
	for check(s.GetNow()) {
	}
	if next != published {
		t.Fatalf("stopped before access %d: %d received and missed of %d", at, next, published)
	}
	if err := CheckBroadcast(a, true); err != nil {
		t.Fatalf("stopped before access %d: %v", at, err)
	}
	return accesses < at
}
