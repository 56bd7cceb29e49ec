//go:build tandem_sim

package engine_test

import (
	"fmt"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
)

// A process is stopped for ever before each access of each operation: all others go on, but
// that a Reliable publisher waits for a subscriber that is stopped; nothing is lost; and when
// the stopped process is killed at last nothing of it is left.
func TestSimBroadcastStopped(t *testing.T) {
	for _, c := range []BroadcastConfig{
		{Slots: 3, MaxMessage: 16, Fixed: true, Blocks: 8, BlockSize: 64, Rows: 8, Subscribers: 3},
		{Slots: 3, MaxMessage: 150, Blocks: 12, BlockSize: 64, Rows: 8, Subscribers: 3},
		{Slots: 8, MaxMessage: 150, Blocks: 9, BlockSize: 64, Rows: 8, Subscribers: 3}, // messages are removed for their blocks
	} {
		for _, c.Reliable = range []bool{false, true} {
			for name, op := range map[string]func(b *Broadcast, s *Subscription){
				"publish":   func(b *Broadcast, s *Subscription) { b.TryPublish(make([]byte, c.MaxMessage)) },
				"subscribe": func(b *Broadcast, s *Subscription) { b.Subscribe() },
				"next":      func(b *Broadcast, s *Subscription) { s.GetNow() },
				"close":     func(b *Broadcast, s *Subscription) { s.Close() },
				"shutdown":  func(b *Broadcast, s *Subscription) { b.Shutdown() },
			} {
				t.Run(fmt.Sprintf("%s %+v", name, c), func(t *testing.T) {
					for at := 1; !broadcastStoppedAt(t, c, name, op, at); at++ {
					}
				})
			}
		}
	}
}

// broadcastStoppedAt stops op at an access; true: it has no more.
func broadcastStoppedAt(t *testing.T, c BroadcastConfig, name string, op func(*Broadcast, *Subscription), at int) bool {
	a := mem.Heap(c.Size())
	c.Init(a)
	attach := func(i uint32) *Broadcast {
		b, err := AttachBroadcast(a, Env{Self: Self{Index: i, Epoch: 1}, Wake: noWake})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	stopped, b := attach(1), attach(2)
	theirs, err := stopped.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	if name == "publish" {
		theirs.Close()
	}
	in := 0
	publish := func() bool {
		msg := make([]byte, c.MaxMessage)
		msg[0] = byte(in)
		err := b.TryPublish(msg)
		if err == nil {
			in++
		}
		return err == nil
	}
	for range 2 * c.Slots { // as many as go in, so that op removes one
		publish()
		if c.Reliable && in < 2*c.Slots-1 {
			if name != "next" && name != "publish" {
				theirs.GetNow()
			}
			s.GetNow()
		}
	}
	if interrupted(at, func() { op(stopped, theirs) }) {
		return true
	}
	waits := c.Reliable && name != "shutdown" && name != "publish" // for the stopped one's cursor
	if waits {
		if err := RecoverBroadcast(a, Env{Wake: noWake}, Self{Index: 1, Epoch: 1}); err != nil {
			t.Fatal(err)
		}
	}
	came := 0
	accesses(t, 100_000, func() {
		for range 60 {
			for {
				if _, err := s.GetNow(); err != nil {
					break
				}
			}
			if publish() {
				came++
			}
		}
	})
	if name != "shutdown" && came != 60 {
		t.Errorf("stopped before access %d: only %d of 60 messages pass", at, came)
	}
	if err := CheckBroadcast(a, false); err != nil {
		t.Errorf("stopped before access %d: %v", at, err)
	}
	for range 2 {
		if err := RecoverBroadcast(a, Env{Wake: noWake}, Self{Index: 1, Epoch: 1}); err != nil {
			t.Fatal(err)
		}
		if err := CheckBroadcast(a, true); err != nil {
			t.Errorf("killed before access %d: %v", at, err)
		}
	}
	return false
}

// One that publishes dies before each access of its, and its recoverer before each access of
// its own: the next recovery leaves no block that is nobody's. What is removed is another's.
func TestSimBroadcastRecoveryDies(t *testing.T) {
	c := BroadcastConfig{Slots: 1, MaxMessage: 90, Blocks: 6, BlockSize: 64, Rows: 8, Subscribers: 1}
	dies := func(at, then int) (over, recovered bool) {
		a := mem.Heap(c.Size())
		c.Init(a)
		attach := func(i uint32) *Broadcast {
			return testproc.Get(AttachBroadcast(a, Env{Self: Self{Index: i, Epoch: 1}, Wake: noWake}))(t)
		}
		dead, other := attach(1), attach(2)
		testproc.OK(t, other.TryPublish(make([]byte, 90)))
		if interrupted(at, func() { dead.TryPublish(make([]byte, 90)) }) {
			return true, true
		}
		recover := func() error { return RecoverBroadcast(a, Env{Wake: noWake}, Self{Index: 1, Epoch: 1}) }
		recovered = interrupted(then, func() { recover() })
		testproc.OK(t, recover())
		if err := CheckBroadcast(a, true); err != nil {
			t.Fatalf("killed before access %d, its recoverer before its access %d: %v", at, then, err)
		}
		return false, recovered
	}
	for at := 1; ; at++ {
		for then := 1; ; then++ {
			over, recovered := dies(at, then)
			if over {
				return
			}
			if recovered {
				break
			}
		}
	}
}

// One who publishes a long message gets on beside another who takes each block as soon as it
// is free, for short ones.
func TestSimBroadcastLongAmongShort(t *testing.T) {
	c := BroadcastConfig{Slots: 64, MaxMessage: 16*64 - 16, Blocks: 64, BlockSize: 64, Rows: 8, Subscribers: 3}
	a := mem.Heap(c.Size())
	c.Init(a)
	attach := func(i uint32) *Broadcast {
		b, err := AttachBroadcast(a, Env{Self: Self{Index: i, Epoch: 1}, Wake: noWake})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	long, short := attach(1), attach(2)
	say := func() {
		if err := short.TryPublish(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
	}
	for range 64 {
		say()
	}
	n, within := 0, false
	mem.Point = func() {
		if within {
			return
		}
		if n++; n%40 == 0 {
			within = true
			say()
			within = false
		}
		if n > 100_000 {
			t.Fatal("it does not get on")
		}
	}
	defer func() { mem.Point = nil }()
	if err := long.TryPublish(make([]byte, c.MaxMessage)); err != nil {
		t.Error(err)
	}
	mem.Point = nil
	if err := CheckBroadcast(a, true); err != nil {
		t.Error(err)
	}
	t.Logf("%d accesses", n)
}
