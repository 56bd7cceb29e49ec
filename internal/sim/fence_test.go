//go:build tandem_sim

package sim

import (
	"fmt"
	"strings"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// Publishing without a fence where somebody may sleep, on a small made-up pair:
// a producer stores a message by a release store and then looks whether anybody
// sleeps; a consumer says that it sleeps and then looks for a message. Each may
// miss the other, unless the consumer's membarrier empties the producer's buffer in
// between. These tests show that the scheduler finds each way to leave it out.

// A sleeper says when a consumer makes its membarrier, and what else comes.
type sleeper struct {
	name     string
	right    bool
	before   bool // a membarrier before it says that it sleeps
	after    bool // a membarrier after it
	found    bool // and that also where somebody else had said so already
	stops    bool // the first consumer is stopped before its membarrier
	unheard  bool // the membarrier does not reach the producer
	exchange bool // the producer publishes by XCHG
}

var sleepers = []sleeper{
	{name: "membarrier after S", right: true, after: true, found: true},
	{name: "no membarrier"},
	{name: "membarrier before S", before: true},
	{name: "the membarrier does not reach the producer", after: true, found: true, unheard: true},
	{name: "which publishes by XCHG", right: true, after: true, found: true, unheard: true, exchange: true},
	{name: "stopped before its membarrier", right: true, after: true, found: true, stops: true},
	{name: "stopped before its membarrier, and S found set is no reason for one", after: true, stops: true},
}

const asleep = 1 // S of a bell

// arm is Bell.Arm, and tells whether S was found set.
func arm(b engine.Bell) (v uint32, found bool) {
	before := mem.Load32(b.Word())
	v = b.Arm()
	return v, before == v && v&asleep != 0
}

func (s sleeper) build(w *World) {
	a := mem.Heap(256)
	message, shut, word := a.W64(0), a.W64(64), a.W32(128)
	rung, sleeping := false, map[*Process]bool{}
	producer := w.Process(0)
	producer.Unreached = s.unheard
	producer.Go("producer", func(t *Thread) {
		b := engine.NewBell(word, t.Env())
		if s.exchange {
			mem.Store64(message, 1)
		} else {
			mem.Release64(message, 1)
		}
		if b.Armed() {
			rung = true
			b.Ring(1)
		}
	})
	look := func() bool { return mem.CAS64(message, 1, 2) || mem.Load64(shut) != 0 }
	// Only a load, as a consumer that finds its slot in transit makes no CAS.
	waits := func() bool { return mem.Load64(message) != 1 && mem.Load64(shut) == 0 }
	for i := range 2 {
		p := w.Process(1 + i)
		p.Go("consumer", func(t *Thread) {
			b := engine.NewBell(word, t.Env())
			for {
				if !waits() && look() {
					return
				}
				if s.before {
					t.Membarrier()
				}
				v, found := arm(b)
				if i == 0 && s.stops {
					p.Stop(1_000_000)
				}
				if s.after && (s.found || !found) {
					t.Membarrier()
				}
				if !waits() && look() {
					return
				}
				sleeping[p] = true
				t.Sleep(b.Word(), v)
				delete(sleeping, p)
			}
		})
	}
	w.OnIdle(func() error {
		for p := range sleeping {
			if *message == 1 && !rung && !p.Stopped() && !producer.Stopped() {
				return fmt.Errorf("a message is there, %v sleeps, and nobody was told", p)
			}
		}
		return nil
	})
	w.OnStuck(func() bool {
		w.Settled()
		if *message == 1 || *shut != 0 {
			return false
		}
		w.Process(5).Go("closer", func(t *Thread) {
			mem.Store64(shut, 1)
			bell := engine.NewBell(word, t.Env())
			bell.Ring(-1)
		})
		return true
	})
}

func TestSleepers(t *testing.T) {
	for _, s := range sleepers {
		t.Run(s.name, func(t *testing.T) {
			verdict(t, s.right, "nobody was told", Options{StopEvery: 100, MaxStops: 1, SpuriousEvery: 200}, s.build)
		})
	}
}

// verdict holds a world to be right or wrong, in random runs and under every schedule.
func verdict(t *testing.T, right bool, wrong string, o Options, build func(w *World)) {
	t.Helper()
	for how, err := range map[string]error{
		"random runs":    Try(20000, o, build),
		"every schedule": TryExhaust(1, 2, o, build),
	} {
		switch {
		case right && err != nil:
			t.Errorf("%s: %v", how, err)
		case !right && err == nil:
			t.Errorf("%s: nothing found", how)
		case !right && !strings.Contains(err.Error(), wrong):
			t.Errorf("%s: %v", how, err)
		}
	}
}

// Two who end the last two messages, each by a release store, each look whether
// all is at rest; who finds it so tells him who waits for that. Each must fence
// between its store and its look: no membarrier of the sleeper's helps, for it is
// the other waker's store that one of them does not see.
func TestLastTwo(t *testing.T) {
	for _, fence := range []bool{true, false} {
		t.Run(fmt.Sprint("fence ", fence), func(t *testing.T) {
			verdict(t, fence, "asleep for ever", Options{}, func(w *World) {
				a := mem.Heap(256)
				slots, word := [2]*uint64{a.W64(0), a.W64(64)}, a.W32(128)
				atRest := func() bool { return mem.Load64(slots[0]) == 1 && mem.Load64(slots[1]) == 1 }
				for i := range 2 {
					w.Process(i).Go("ends one", func(t *Thread) {
						b := engine.NewBell(word, t.Env())
						mem.Release64(slots[i], 1)
						if !b.Armed() {
							return
						}
						if fence {
							mem.Fence()
						}
						if atRest() {
							b.Ring(-1)
						}
					})
				}
				w.Process(2).Go("joiner", func(t *Thread) {
					b := engine.NewBell(word, t.Env())
					for {
						v := b.Arm()
						t.Membarrier()
						if atRest() {
							return
						}
						t.Sleep(b.Word(), v)
					}
				})
			})
		})
	}
}

// A message whose Put has returned is seen by a TryGet that begins then: a slot
// in transit says no more than that its store may be late.
func TestVerdictOnTransit(t *testing.T) {
	for _, membarrier := range []bool{true, false} {
		t.Run(fmt.Sprint("membarrier ", membarrier), func(t *testing.T) {
			verdict(t, membarrier, "was put", Options{}, func(w *World) {
				a := mem.Heap(64)
				slot, put := a.W64(0), false
				w.Process(0).Go("producer", func(*Thread) {
					mem.CAS64(slot, 0, 1) // writing
					mem.Release64(slot, 2)
					put = true
				})
				w.Process(1).Go("consumer", func(t *Thread) {
					t.Step()
					was := put
					s := mem.Load64(slot)
					if s == 1 && membarrier {
						t.Membarrier()
						s = mem.Load64(slot)
					}
					if s != 2 && was {
						w.Fail("empty, and a message was put")
					}
				})
			})
		})
	}
}
