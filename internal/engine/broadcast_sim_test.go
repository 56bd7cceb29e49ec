//go:build tandem_sim

package engine_test

import (
	"fmt"
	"io"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/sim"
	"example.com/tandem/internal/testproc"
)

var simBroadcastConfigs = []BroadcastConfig{
	{Slots: 1, MaxMessage: 16, Fixed: true, Blocks: 2, BlockSize: 64, Rows: 16, Subscribers: 3},
	{Slots: 2, MaxMessage: 16, Fixed: true, Blocks: 3, BlockSize: 64, Rows: 16, Subscribers: 3},
	{Slots: 3, MaxMessage: 16, Fixed: true, Blocks: 8, BlockSize: 64, Rows: 16, Subscribers: 3},
	{Slots: 2, MaxMessage: 150, Blocks: 6, BlockSize: 64, Rows: 16, Subscribers: 3},
	{Slots: 4, MaxMessage: 150, Blocks: 7, BlockSize: 64, Rows: 16, Subscribers: 3},
}

// simulateBroadcast builds a world: processes publish, by one thread or two, and subscribe.
func simulateBroadcast(t *testing.T, reliable bool) func(*sim.World) {
	return func(w *sim.World) {
		c := simBroadcastConfigs[w.Rand.IntN(len(simBroadcastConfigs))]
		c.Reliable = reliable
		o := newSimBroadcast(t, w, c)
		o.stores = w.Rand.IntN(storesModes)
		populate := func(p *sim.Process) {
			b := o.attach(p)
			role := w.Rand.IntN(3)
			if role != 0 {
				for range 1 + w.Rand.IntN(4)/3 {
					p.Go("publisher", o.publisher(b, 1+w.Rand.IntN(8), w.Rand.IntN(4) == 0))
				}
			}
			if role != 1 {
				n := simMany
				if w.Rand.IntN(2) == 0 {
					n = 1 + w.Rand.IntN(5)
				}
				p.Go("subscriber", o.subscriber(b, n, n < simMany && w.Rand.IntN(4) == 0))
			}
		}
		for i := range 2 + w.Rand.IntN(3) {
			populate(w.Process(i))
		}
		if w.Rand.IntN(3) == 0 {
			p := w.Process(6)
			p.Immortal = true
			p.Go("early closer", func(t *sim.Thread) {
				for range w.Rand.IntN(400) {
					t.Step()
				}
				o.shutdown(7)
			})
		}
		w.OnRecovered(func(dead Self) {
			if w.Rand.IntN(2) == 0 {
				populate(w.Process(int(dead.Index)))
			}
		})
	}
}

func TestSimBroadcast(t *testing.T) {
	for _, o := range []sim.Options{
		{},
		{StopEvery: 100, MaxStops: 4, CancelEvery: 150, SpuriousEvery: 300},
		{KillEvery: 100, MaxKills: 3},
		{KillEvery: 30, MaxKills: 4},
		{KillEvery: 100, MaxKills: 3, StopEvery: 100, MaxStops: 3, CancelEvery: 200, SpuriousEvery: 300},
		{CloseEvery: 80, MaxCloses: 3, KillEvery: 200, MaxKills: 2},
	} {
		for _, reliable := range []bool{false, true} {
			t.Run(fmt.Sprintf("reliable=%v,kills=%d,every=%d,stops=%d,closes=%d", reliable, o.MaxKills, o.KillEvery, o.MaxStops, o.MaxCloses), func(t *testing.T) {
				sim.Explore(t, 300, o, simulateBroadcast(t, reliable))
			})
		}
	}
}

// Tiny worlds under every schedule with a preemption or two, of which one may be a kill.
// Each letter is a process: p publishes one message, P two, s subscribes and reads two, x
// shuts down.
func TestSimBroadcastExhaust(t *testing.T) {
	one, two := simBroadcastConfigs[0], simBroadcastConfigs[1]
	chain := simBroadcastConfigs[3]
	for _, tt := range []struct {
		roles    string
		c        BroadcastConfig
		reliable bool
		most     int
		kills    int
	}{
		{"ps", one, false, 2, 0},
		{"PPs", one, false, 1, 1},
		{"PPs", two, false, 1, 0},
		{"Psx", one, false, 1, 1},
		{"ps", one, true, 1, 1},
		{"PPs", one, true, 1, 1},
		{"Pss", one, true, 1, 1},
		{"Pss", two, true, 1, 0},
		{"Psx", one, true, 1, 1},
		{"PP", chain, false, 1, 1},
		{"PPs", chain, true, 1, 1},
	} {
		t.Run(fmt.Sprintf("%s,slots=%d,reliable=%v", tt.roles, tt.c.Slots, tt.reliable), func(t *testing.T) {
			tt.c.Reliable = tt.reliable
			sim.Exhaust(t, 1, tt.most, sim.Options{MaxKills: tt.kills}, func(w *sim.World) {
				o := newSimBroadcast(t, w, tt.c)
				for i, r := range tt.roles {
					p := w.Process(i)
					b := o.attach(p)
					switch r {
					case 'p', 'P':
						p.Go("publisher", o.publisher(b, map[rune]int{'p': 1, 'P': 2}[r], false))
					case 's':
						p.Go("subscriber", o.subscriber(b, 2, false))
					case 'x':
						o.shutdown(7)
					}
				}
			})
		})
	}
}

// A subscriber of two threads, in which a third closes it at some time: each message is one
// thread's, and what all have received and missed is what has passed.
func TestSimBroadcastShared(t *testing.T) {
	for _, reliable := range []bool{false, true} {
		t.Run(fmt.Sprintf("reliable=%v", reliable), func(t *testing.T) {
			sim.Explore(t, 300, sim.Options{StopEvery: 200, MaxStops: 2, SpuriousEvery: 300}, func(w *sim.World) {
				c := simBroadcastConfigs[w.Rand.IntN(len(simBroadcastConfigs))]
				c.Reliable = reliable
				o := newSimBroadcast(t, w, c)
				o.stores = w.Rand.IntN(storesModes)
				p := w.Process(1)
				var s *Subscription
				b := o.attach(p)
				unseen(func() {
					var err error
					if s, err = b.Subscribe(); err != nil {
						t.Fatal(err)
					}
				})
				from, passed, missed := s.Position(), 0, uint64(0)
				seen := map[*saying]bool{}
				for range 2 {
					p.Go("reader", func(th *sim.Thread) {
						for {
							msg, err := s.Get(th)
							s.Lock()
							missed += s.Missed()
							s.Unlock()
							if err != nil {
								if err != ErrEnded && err != io.EOF {
									w.Fail("%v", err)
								}
								return
							}
							m, err := o.parse(msg)
							if err != nil || m.at == 0 || seen[m] {
								w.Fail("a reader gets %+v, %v: a second time %v", m, err, seen[m])
							}
							seen[m] = true
							passed++
						}
					})
				}
				p.Go("closer", func(th *sim.Thread) {
					if w.Rand.IntN(2) == 0 {
						return
					}
					for range w.Rand.IntN(300) {
						th.Step()
					}
					s.Close()
				})
				for i := range 2 {
					q := w.Process(2 + i)
					q.Go("publisher", o.publisher(o.attach(q), 1+w.Rand.IntN(8), false))
				}
				w.AtEnd(func() error {
					if at := s.Position(); at-from != uint64(passed)+missed {
						return fmt.Errorf("at %d, from %d: %d received, %d missed", at, from, passed, missed)
					}
					return nil
				})
			})
		})
	}
}

// Two subscribers are the slowest, and each finds space armed, while a publisher sleeps: the
// last of them sees the other's cursor.
func TestSimBroadcastTwoSlowest(t *testing.T) {
	sim.Exhaust(t, 1, 1, sim.Options{}, func(w *sim.World) {
		c := simBroadcastConfigs[0]
		c.Reliable = true
		o := newSimBroadcast(t, w, c)
		pub := w.Process(0)
		b := o.attach(pub)
		var subs [2]*Subscription
		var readers [2]*sim.Process
		for i := range subs {
			readers[i] = w.Process(1 + i)
			sub := o.attach(readers[i])
			unseen(func() {
				var err error
				if subs[i], err = sub.Subscribe(); err != nil {
					t.Fatal(err)
				}
			})
		}
		say := func(publish func(m []byte) error) {
			if err := publish(o.encode(o.saying(c.MaxMessage))); err != nil {
				w.Fail("%v", err)
			}
		}
		unseen(func() { say(b.TryPublish) })
		done := false
		pub.Go("publisher", func(th *sim.Thread) {
			say(func(m []byte) error { return b.Publish(th, m) })
			done = true
		})
		for i, s := range subs {
			readers[i].Go("subscriber", func(*sim.Thread) {
				if _, err := s.GetNow(); err != nil {
					w.Fail("%v", err)
				}
			})
		}
		w.OnStuck(func() bool {
			if !done {
				w.Fail("the publisher sleeps on")
			}
			return false
		})
	})
}

// A subscriber is closed while it reads, and its row is another's: the cursor there is that
// one's.
func TestSimBroadcastCloseBesideNext(t *testing.T) {
	sim.Explore(t, 300, sim.Options{}, func(w *sim.World) {
		c := simBroadcastConfigs[1]
		c.Reliable, c.Subscribers = true, 1
		o := newSimBroadcast(t, w, c)
		p := w.Process(0)
		b := o.attach(p)
		var s, next *Subscription
		unseen(func() {
			s = testproc.Get(b.Subscribe())(t)
			other := o.attach(w.Process(1))
			for range 2 { // the next one begins behind both
				testproc.OK(t, other.TryPublish(o.encode(o.saying(16))))
			}
		})
		p.Go("reader", func(*sim.Thread) {
			if _, err := s.GetNow(); err != nil && err != ErrEnded {
				w.Fail("%v", err)
			}
		})
		p.Go("closer", func(*sim.Thread) {
			s.Close()
			var err error
			if next, err = b.Subscribe(); err != nil {
				w.Fail("%v", err)
			}
		})
		w.AtEnd(func() error {
			if at := next.Cursor(); at != next.Position() {
				return fmt.Errorf("a subscriber at %d, and its cursor is %d", next.Position(), at)
			}
			return nil
		})
	})
}

// A subscriber has read what all memory is in, and a TryPublish that begins then sees it, however
// late its cursor comes.
func TestSimBroadcastSureOfBlocks(t *testing.T) {
	sim.Exhaust(t, 1, 1, sim.Options{}, func(w *sim.World) {
		c := BroadcastConfig{Slots: 4, Reliable: true, MaxMessage: 150, Blocks: 3, BlockSize: 64, Rows: 16, Subscribers: 1}
		o := newSimBroadcast(t, w, c)
		reader, publisher := w.Process(0), w.Process(1)
		var s *Subscription
		b := o.attach(publisher)
		unseen(func() {
			s = testproc.Get(o.attach(reader).Subscribe())(t)
			testproc.OK(t, b.TryPublish(o.encode(o.saying(150))))
		})
		reader.Go("reader", func(*sim.Thread) {
			if _, err := s.GetNow(); err != nil {
				w.Fail("%v", err)
			}
			publisher.Go("publisher", func(*sim.Thread) {
				if err := b.TryPublish(o.encode(o.saying(150))); err != nil {
					w.Fail("%v", err)
				}
			})
		})
	})
}
