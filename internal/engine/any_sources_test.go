package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"example.com/tandem/internal/mem"
)

// A taken is a Source with what takes from it: the same look, but that it takes.
type taken struct {
	Source
	give, other func() // something comes; something else happens
	take        func() error
	end         func()
}

func heapEnv() Env {
	return Env{Self: Self{Index: 1, Epoch: 1}, Wake: func(*uint32, int) int { return 0 }}
}

// takens are the kinds that a Try takes from, which says ErrEmpty for nothing.
func takens(t *testing.T) map[string]taken {
	all := map[string]taken{}
	for _, c := range []QueueConfig{{Slots: 4, Room: 8, Rows: 2}, {Slots: 3, Room: 16, Rows: 2, Blocks: 8, BlockSize: 64, MaxMessage: 100}} {
		a := mem.Heap(c.Size())
		c.Init(a)
		q, err := AttachQueue(a, heapEnv())
		if err != nil {
			t.Fatal(err)
		}
		var leased []Slot
		all[fmt.Sprintf("queue, %d blocks", c.Blocks)] = taken{q,
			func() { q.TryPut(make([]byte, c.Room)) },
			func() {
				switch n := len(leased); {
				case n > 0 && rand.IntN(3) == 0:
					q.Ack(q.Index(leased[n-1]))
					leased = leased[:n-1]
				case n > 0 && rand.IntN(2) == 0:
					q.Nack(q.Index(leased[0]))
					leased = leased[1:]
				default:
					if s, err := q.Take(nil, true); err == nil {
						leased = append(leased, s)
					}
				}
			}, func() error {
				s, err := q.Take(nil, false)
				if err == nil {
					q.Release(s)
				}
				return err
			}, q.Shutdown}
	}
	_, s := heapSPSC(t, SPSCConfig{Slots: 3, Room: 8}, heapEnv())
	all["spsc"] = taken{s, func() {
		if _, err := s.TryRoom(); err == nil {
			s.Publish()
		}
	}, func() {}, func() error {
		_, err := s.TryNext()
		if err == nil {
			s.Advance()
		}
		return err
	}, s.Shutdown}
	left, right := heapEnds(t, PipeConfig{Buffer: 64, Participants: 2}, heapEnv())
	all["pipe"] = taken{right.Source(),
		func() { left.SendNow(make([]byte, 8)) },
		func() {},
		func() error {
			m, err := right.RecvNow()
			if err == nil {
				m.Took()
			}
			return err
		}, func() { closeEnd(left) }}
	for _, c := range broadcastConfigs {
		for _, c.Reliable = range []bool{false, true} {
			_, b := newBroadcast(t, c)
			sub, slow := subscribe(t, b), subscribe(t, b)
			n := 0
			all[fmt.Sprintf("broadcast of %d, %d blocks, reliable %v", c.Slots, c.Blocks, c.Reliable)] = taken{sub,
				func() { n++; b.TryPublish(said(n, c.sizeOf(n))) },
				func() { slow.GetNow() },
				func() error { _, err := sub.GetNow(); return err },
				func() { b.Shutdown() }}
		}
	}
	return all
}

// What is ready is what a Try does not find empty, after anything that can happen, round and
// round; and to look changes nothing.
func TestReadyIsWhatATryFinds(t *testing.T) {
	for range 10 { // each comes to its end in another way
		readyIsWhatATryFinds(t)
	}
}

func readyIsWhatATryFinds(t *testing.T) {
	for name, x := range takens(t) {
		t.Run(name, func(t *testing.T) {
			ready := func() bool {
				is, err := x.Ready(0)
				if again, _ := x.Ready(0); again != is || err != nil {
					t.Fatalf("ready %v, then %v; %v", is, again, err)
				}
				return is
			}
			tries := func(round int) error {
				is := ready()
				err := x.take()
				if is != (err != ErrEmpty) {
					t.Fatalf("round %d: ready %v, and a Try says %v", round, is, err)
				}
				return err
			}
			found, none := 0, 0
			for round := range 1000 {
				switch rand.IntN(6) {
				case 0, 1:
					x.give()
				case 2, 3:
					x.other()
				default:
					if tries(round) == nil {
						found++
					} else {
						none++
					}
				}
			}
			if found < 50 || none < 5 {
				t.Errorf("it was ready %d times, and %d times not", found, none)
			}
			x.end()
			for round := range 200 {
				if round%3 == 0 {
					x.other()
				}
				tries(round)
			}
		})
	}
}

// What comes while a wait for it sleeps, and is rung for one, is rung for once more: the wait
// takes nothing. What is rung for all is not.
func TestAnyRingsOnceMore(t *testing.T) {
	for name, x := range takens(t) {
		want := uint32(1)
		if strings.HasPrefix(name, "queue") || name == "pipe" {
			want = 2
		}
		a := new(Any)
		a.Reset()
		a.Add(x.Source)
		bell, _ := x.Awaited()
		before := uint32(0)
		s := &dozer{armed: true, sleep: func(int) error {
			before = mem.Load32(bell.w) / bellSeq
			x.give()
			return nil
		}}
		if i, err := a.Wait(s); i != 0 || err != nil {
			t.Errorf("%s: Wait = %d, %v", name, i, err)
		}
		if n := mem.Load32(bell.w)/bellSeq - before; n != want {
			t.Errorf("%s: rung %d times, want %d", name, n, want)
		}
	}
}

// An event is ready if it was set since the wait began, also where it was cleared at once, and
// not for what was before.
func TestAnyEventSince(t *testing.T) {
	m := mem.Heap(EventSize)
	InitEvent(m)
	e, err := AttachEvent(m, heapEnv())
	if err != nil {
		t.Fatal(err)
	}
	pulse := func() {
		if err := errors.Join(e.Set(), e.Clear()); err != nil {
			t.Fatal(err)
		}
	}
	pulse()
	a := new(Any)
	a.Reset()
	a.Add(e)
	if i, err := a.Look(); i != -1 || err != nil {
		t.Errorf("Look = %d, %v, and nothing was since", i, err)
	}
	pulse()
	if i, err := a.Look(); i != 0 || err != nil {
		t.Errorf("Look = %d, %v after a pulse", i, err)
	}
}
