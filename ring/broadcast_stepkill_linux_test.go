package ring_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/test/stepkill"
)

// A victim is killed after every instruction of what a publisher or a subscriber does to a
// Broadcast. Messages have numbers; those of a text are of one to three blocks of sixty-four
// bytes, of which there are fifteen for a ring of eight. broadcast_stepkill_play_linux_test.go
// has what the survivors do then.

const (
	saidSlots  = 8
	saidBlocks = 15
	saidMost   = 3 // blocks of a message
)

// said is a broadcast of numbered messages, whatever their type.
type said struct {
	try       func(n, blocks int) error
	subscribe func() (*heard, error)
	shutdown  func() error
	pool      func() ring.BroadcastPool
	half      func(publish func() error) error // what a process leaves that dies in all it does,
	halfShut  func()                           // or in Shutdown

	// For the victim, with as little beside the operation as can be.
	publish func(ctx context.Context, n, blocks int) error // one of ready,
	attempt func(n, blocks int) error                      // by TryPublish
}

// heard is a subscriber.
type heard struct {
	try   func() (n int, missed uint64, err error)
	next  func(ctx context.Context) (missed uint64, err error)
	close func() error
}

type openSaid func(r *shm.Region, name string) (*said, error)

func saying[T any](o ring.BroadcastOptions, pack func(n, blocks int) T, unpack func(T) (int, error)) openSaid {
	return func(r *shm.Region, name string) (*said, error) {
		b, err := ring.OpenBroadcast[T](r, name, &o)
		if err != nil {
			return nil, err
		}
		ready := map[int]*[1 + saidMost]T{}
		for _, n := range []int{101, 200} {
			ready[n] = new([1 + saidMost]T)
			for k := 1; k <= saidMost; k++ {
				ready[n][k] = pack(n, k)
			}
		}
		return &said{
			try:      func(n, blocks int) error { return b.TryPublish(pack(n, blocks)) },
			publish:  func(ctx context.Context, n, blocks int) error { return b.Publish(ctx, ready[n][blocks]) },
			attempt:  func(n, blocks int) error { return b.TryPublish(ready[n][blocks]) },
			shutdown: b.Shutdown,
			halfShut: b.HalfShut,
			pool:     b.Pool,
			half: func(publish func() error) error {
				err := b.HalfFreed(publish)
				b.HalfClaimed()
				b.HalfJoined()
				return err
			},
			subscribe: func() (*heard, error) {
				s, err := b.Subscribe()
				if err != nil {
					return nil, err
				}
				return &heard{
					try: func() (n int, missed uint64, err error) {
						v, missed, err := s.TryNext()
						if err == nil {
							n, err = unpack(v)
						}
						return n, missed, err
					},
					next:  func(ctx context.Context) (uint64, error) { _, missed, err := s.Next(ctx); return missed, err },
					close: s.Close,
				}, nil
			},
		}, nil
	}
}

func sayingText(mode ring.BroadcastMode) openSaid {
	return saying(ring.BroadcastOptions{Mode: mode, Capacity: saidSlots, Buffer: saidBlocks * 64, MaxMessage: saidMost*64 - 16},
		func(n, blocks int) string { return blank(n, blocks*64-16) }, unblank)
}

var saidForms = map[string]openSaid{
	"reliable": sayingText(ring.Reliable),
	"lossy":    sayingText(ring.Lossy),
	"plain": saying(ring.BroadcastOptions{Capacity: saidSlots},
		func(n, _ int) tagged { return tag(n) },
		func(v tagged) (int, error) {
			if v[0] != -v[1] {
				return 0, fmt.Errorf("torn message %v", v)
			}
			return int(v[0]), nil
		}),
}

// sizes are the blocks of messages, a digit each.
func sizes(s string) (ns []int) {
	for _, d := range s {
		ns = append(ns, int(d-'0'))
	}
	return ns
}

const (
	fullRing   = "11111111"
	fullMemory = "33333"

	// What is free lies at both ends of the memory when the eleventh comes: it is in pieces.
	endsFree  = fullRing + "33"
	pieces    = endsFree + "3"
	chainLast = pieces + "1111111" // and is the oldest one
	chainMore = fullRing + "323" + "11111" + "23"
)

// A saidScene is a state of a broadcast and what a victim does then.
type saidScene struct {
	name   string
	form   string
	there  string // sizes of messages 1 to n
	unread bool   // the survivor has seen none of them; else it subscribes behind them
	shape  [3]int // pieces of the oldest one, blocks that are free, and most of them in a row
	loses  int    // so many messages a victim removes that publishes
	does   effect
	do     func(b *said, s *heard) error

	subscribed bool   // the victim is, behind what is there;
	then       string // and then these come, which the survivor reads

	over, half bool // then it is shut down, or by one that dies in it

	reader, putter bool // a subscriber, and a publisher, that are asleep
	waits          bool // the victim is asleep, until there is room, or a message;
	inHand         bool // and once more, for another was faster when its message was whole
}

var saidScenes = []saidScene{
	{name: "publish, a subscriber asleep", does: puts, do: publishes(1), reader: true},
	{name: "publish over a chain", there: chainLast, shape: [3]int{3, 5, 5}, does: puts, do: publishes(3)},
	{name: "publish over a chain, a subscriber asleep", there: chainLast, shape: [3]int{3, 5, 5}, does: puts, do: publishes(1), reader: true},
	{name: "publish in pieces", there: endsFree, shape: [3]int{1, 3, 2}, does: puts, do: publishes(3)},
	{name: "publish, short of blocks", form: "lossy", there: pieces, unread: true, shape: [3]int{1, 1, 1}, loses: 2, does: puts, do: publishes(3)},
	{name: "publish, short of a part of a chain", there: chainMore, shape: [3]int{2, 2, 2}, does: puts, do: publishes(3)},
	{name: "publish over what nobody has seen", form: "lossy", there: chainLast, unread: true, shape: [3]int{3, 5, 5}, loses: 1, does: puts, do: publishes(3)},
	{name: "publish, the ring full", there: fullRing, unread: true, does: puts, do: publishes(1), waits: true},
	{name: "publish, its message in hand", there: fullRing, unread: true, does: puts, do: publishes(3), waits: true, inHand: true},
	{name: "publish, the memory full", there: fullMemory, unread: true, shape: [3]int{1, 0, 0}, does: puts, do: publishes(3), waits: true},
	{name: "publish what is plain", form: "plain", there: fullRing + "1", does: puts, do: publishes(1)},
	{name: "publish, an attempt", there: chainLast, shape: [3]int{3, 5, 5}, does: puts, do: attempts(nil)},
	{name: "publish, an attempt in vain", there: "33332", unread: true, shape: [3]int{1, 1, 1}, does: takes, do: attempts(ring.ErrFull)},
	{name: "next", subscribed: true, then: "3", does: takes, do: hears(0)},
	{name: "next, a publisher asleep", subscribed: true, then: fullRing, putter: true, does: takes, do: hears(0)},
	{name: "next, a publisher asleep for memory", subscribed: true, then: fullMemory, putter: true, does: takes, do: hears(0)},
	{name: "next, empty", subscribed: true, does: takes, do: hears(0), waits: true},
	{name: "next, lapped", form: "lossy", subscribed: true, then: fullRing + "111", does: takes, do: hears(3)},
	{name: "next of what is plain", form: "plain", subscribed: true, then: "1", does: takes, do: hears(0)},
	{name: "next to the end", subscribed: true, then: "1", over: true, does: takes, do: hearsUpToTheEnd},
	{name: "next to half an end, all asleep", subscribed: true, then: fullRing, half: true, does: takes, do: hearsUpToTheEnd, reader: true, putter: true},
	{name: "subscribe", there: fullRing, unread: true, does: takes, do: joins},
	{name: "subscribe, a publisher asleep", there: fullRing, unread: true, putter: true, does: takes, do: joins},
	{name: "close, a publisher asleep", subscribed: true, then: fullRing, putter: true, does: takes, do: leaves},
	{name: "close, a publisher asleep for memory", subscribed: true, then: fullMemory, putter: true, does: takes, do: leaves},
	{name: "shut down", form: "lossy", there: "13", unread: true, does: ends, do: shutsSaid},
	{name: "shut down, all asleep", there: fullRing, unread: true, reader: true, putter: true, does: ends, do: shutsSaid},
}

func publishes(blocks int) func(*said, *heard) error {
	return func(b *said, _ *heard) error {
		return times(1, func(int) error { return b.publish(background, 101, blocks) })
	}
}

func attempts(want error) func(*said, *heard) error {
	return func(b *said, _ *heard) error {
		return times(1, func(int) error {
			if err := b.attempt(101, saidMost); !errors.Is(err, want) {
				return fmt.Errorf("TryPublish = %v, want %v", err, want)
			}
			return nil
		})
	}
}

func hears(misses uint64) func(*said, *heard) error {
	return func(_ *said, s *heard) error {
		return times(1, func(int) error {
			missed, err := s.next(background)
			if err == nil && missed != misses {
				err = fmt.Errorf("%d missed, not %d", missed, misses)
			}
			return err
		})
	}
}

func hearsUpToTheEnd(_ *said, s *heard) error {
	return times(1, func(int) error {
		for {
			if _, err := s.next(background); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
		}
	})
}

func joins(b *said, _ *heard) error {
	return times(1, func(int) error { _, err := b.subscribe(); return err })
}

func leaves(_ *said, s *heard) error    { return times(1, func(int) error { return s.close() }) }
func shutsSaid(b *said, _ *heard) error { return times(1, func(int) error { return b.shutdown() }) }

var (
	saidOps = map[string]stepkill.Op{}
	_       = registerSaid()

	// A subscriber notes how many messages it has got, to the end.
	hearsAll = stepkill.Register("peer hears all", func(r *shm.Region) (func() error, error) {
		b, err := saidForms["reliable"](r, "b")
		if err != nil {
			return nil, err
		}
		s, err := b.subscribe()
		return func() error {
			for n := 1; ; n++ {
				if _, err := s.next(background); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
				stepkill.Note(n)
			}
		}, err
	})
	// A publisher notes -1 if there is an end.
	saysOne = stepkill.Register("peer says one", func(r *shm.Region) (func() error, error) {
		b, err := saidForms["reliable"](r, "b")
		return func() error {
			err := b.publish(background, 200, saidMost)
			if errors.Is(err, ring.ErrShutdown) {
				stepkill.Note(-1)
				return nil
			}
			return err
		}, err
	})
)

func registerSaid() bool {
	for i := range saidScenes {
		sc := &saidScenes[i]
		if sc.form == "" {
			sc.form = "reliable"
		}
		saidOps[sc.name] = stepkill.Rehearsed("broadcast: "+sc.name, "b", func(r *shm.Region, name string) (func() error, error) {
			b, err := saidForms[sc.form](r, name)
			if err != nil || name == stepkill.Rehearsal {
				return func() error { return rehearseSaid(b) }, err
			}
			var s *heard
			if sc.subscribed {
				s, err = b.subscribe()
			}
			return func() error { return sc.do(b, s) }, err
		})
	}
	return true
}

// rehearseSaid does everything once.
func rehearseSaid(b *said) error {
	s, err := b.subscribe()
	if err != nil {
		return err
	}
	for _, k := range sizes("13") {
		err = errors.Join(err, b.publish(background, 101, k))
		_, heard := s.next(background)
		err = errors.Join(err, heard)
	}
	other, joined := b.subscribe()
	if joined != nil {
		return errors.Join(err, joined)
	}
	return errors.Join(err, s.close(), b.attempt(101, 1), b.shutdown(), hearsUpToTheEnd(b, other))
}

func TestBroadcastPublishKilledAnywhere(t *testing.T)    { playSaid(t, true) }
func TestBroadcastSubscriberKilledAnywhere(t *testing.T) { playSaid(t, false) }

func playSaid(t *testing.T, publish bool) {
	all := slices.DeleteFunc(slices.Clone(saidScenes), func(sc saidScene) bool {
		return strings.HasPrefix(sc.name, "publish") != publish
	})
	for _, sc := range stepkill.Some(t, all...) {
		t.Run(sc.name, func(t *testing.T) {
			stepkill.Every(t, saidOps[sc.name], func(t *testing.T, s *stepkill.Stage) { sc.play(t, s) })
		})
	}
}
