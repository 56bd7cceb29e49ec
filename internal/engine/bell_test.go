package engine

import (
	"testing"

	"example.com/tandem/internal/mem"
)

// A nap is a Sleeper that spins once before each sleep, in the last of which
// wake is called.
type nap struct {
	spun   bool
	sleeps int // left
	wake   func()
}

func (s *nap) Now() int64 { return 1 }

func (s *nap) Spin() bool {
	s.spun = !s.spun
	return s.spun
}

func (s *nap) Sleep(*uint32, uint32) error {
	if s.sleeps--; s.sleeps < 0 {
		return errAsleep
	} else if s.sleeps == 0 {
		s.wake()
	}
	return nil
}

// A call that spins and sleeps allocates nothing, whatever it waits for.
func TestAwaitAllocatesNothing(t *testing.T) {
	if mem.RaceEnabled {
		t.Skip("the race detector's build allocates otherwise")
	}
	env := Env{Wake: func(*uint32, int) int { return 0 }}
	event := mem.Heap(EventSize)
	InitEvent(event)
	e, err := AttachEvent(event, env)
	if err != nil {
		t.Fatal(err)
	}
	barrier := mem.Heap(BarrierSize(2))
	InitBarrier(barrier, 2)
	b, err := AttachBarrier(barrier, env)
	if err != nil {
		t.Fatal(err)
	}
	c := QueueConfig{Slots: 1, Room: 8}
	queue := mem.Heap(c.Size())
	c.Init(queue)
	q, err := AttachQueue(queue, env)
	if err != nil {
		t.Fatal(err)
	}
	_, full := heapSPSC(t, SPSCConfig{Slots: 1, Room: 8}, env)
	_, bare := heapSPSC(t, SPSCConfig{Slots: 1, Room: 8}, env)
	put := func(s *SPSC) {
		if _, err := s.TryRoom(); err == nil {
			s.Publish()
		}
	}
	get := func(s *SPSC) {
		if _, err := s.TryNext(); err == nil {
			s.Advance()
		}
	}
	left, right := heapEnds(t, PipeConfig{Buffer: 64, Participants: 2}, env)
	msg, s := make([]byte, 8), &nap{}
	for _, tt := range []struct {
		name string
		wait func() error
		wake func()
	}{
		{"event", func() error { e.Clear(); return e.Wait(s) }, func() { e.Set() }},
		{"barrier", func() error {
			a, err := b.Arrive(s)
			if err != nil {
				return err
			}
			_, err = b.Await(a, s)
			return err
		}, func() {
			if a, err := b.Arrive(s); err == nil {
				b.Trip(a)
			}
		}},
		{"spsc put", func() error {
			put(full)
			_, err := full.AwaitRoom(s)
			return err
		}, func() { get(full) }},
		{"spsc get", func() error {
			get(bare)
			_, err := bare.AwaitNext(s)
			return err
		}, func() { put(bare) }},
		{"pipe send", func() error {
			if err := fillPipe(left, msg); err != ErrFull {
				return err
			}
			_, err := left.Send(s, msg)
			return err
		}, func() { recvAll(right) }},
		{"pipe receive", func() error {
			recvAll(right)
			m, err := right.Recv(s)
			if err == nil {
				m.Took()
			}
			return err
		}, func() { left.SendNow(msg) }},
		{"pipe poll", func() error {
			recvAll(right)
			return right.Poll(s)
		}, func() { left.SendNow(msg) }},
		{"queue get", func() error {
			slot, err := q.Take(s, false)
			if err == nil {
				q.Discard(slot)
			}
			return err
		}, func() { q.TryPut(msg) }},
		{"queue put", func() error {
			if err := q.TryPut(msg); err != nil {
				return err
			}
			if err := q.Put(s, msg); err != nil {
				return err
			}
			return discard(q)
		}, func() { discard(q) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.wake = tt.wake
			if n := testing.AllocsPerRun(100, func() {
				s.spun, s.sleeps = false, 2
				if err := tt.wait(); err != nil {
					t.Fatal(err)
				}
				if s.sleeps != 0 {
					t.Fatalf("it slept %d times less than it should", s.sleeps)
				}
			}); n != 0 {
				t.Errorf("%v allocations in a wait", n)
			}
		})
	}
}

func discard(q *Queue) error {
	slot, err := q.TryTake()
	if err == nil {
		q.Discard(slot)
	}
	return err
}

// An error ends the wait at once: what the call could have had is left alone.
func TestAwaitErrorIsTheLastLook(t *testing.T) {
	var w uint32
	looks := 0
	s := &nap{}
	b := NewBell(&w, Env{})
	slept, err := b.Await(s, func() bool { looks++; return false })
	if !slept || err != errAsleep || looks != 2 {
		t.Errorf("Await = %v, %v after %d looks: not slept, its sleeper's error, and 2", slept, err, looks)
	}
}
