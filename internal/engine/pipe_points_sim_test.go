//go:build tandem_sim

package engine_test

import (
	"sync/atomic"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/testproc"
)

// A stepper is a TimedSleeper in each of whose sleeps something happens, which is no access of
// its own. So many sleeps it had.
type stepper struct {
	now   int64
	n     int
	sleep func(w *uint32, v uint32, limit int64)
}

func (s *stepper) Now() int64                      { return s.now }
func (s *stepper) Spin() bool                      { return false }
func (s *stepper) Sleep(w *uint32, v uint32) error { return s.SleepUntil(w, v, 0) }

func (s *stepper) SleepUntil(w *uint32, v uint32, limit int64) error {
	unseen(func() {
		if mem.Load32(w) == v {
			s.n++
			s.sleep(w, v, limit)
		}
	})
	return nil
}

// A longSend is a pipe of 64 bytes that participant 1 has filled, and participant 0, which
// sends a message that takes all of it, waits, is starving, and has sent, up to an access.
type longSend struct {
	*testing.T
	a                 mem.Area
	long, left, right *PipeEnd
	at                int
	over              bool // it has come through
	got, shorts       int  // long messages, and short ones, that were received
}

const longFrame, shortFrame = 56, 8

func newLongSend(t *testing.T, at int) *longSend {
	c := PipeConfig{Buffer: 64, Participants: 2}
	x := &longSend{T: t, a: mem.Heap(c.Size()), at: at}
	c.Init(x.a)
	open := func(i uint32, side int) *PipeEnd {
		p := testproc.Get(AttachPipe(x.a, Env{Self: Self{Index: i, Epoch: 1}, Wake: noWake}))(t)
		return testproc.Get(p.Open(side, new(atomic.Bool)))(t)
	}
	x.long, x.left, x.right = open(0, PipeLeft), open(1, PipeLeft), open(1, PipeRight)
	for x.short() == nil {
	}
	s := &stepper{now: 1e9}
	s.sleep = func(*uint32, uint32, int64) {
		if starving := ViewPipe(x.a).Starving[PipeLeft]; starving != (s.n == 2) {
			t.Errorf("sleep %d: starving %v", s.n, starving)
		}
		switch s.n {
		case 1: // another gets what it waits for
			x.recv()
			testproc.OK(t, x.short())
			s.now += patience + 1
		case 2:
			x.drain()
		default:
			t.Fatal("it waits on")
		}
	}
	x.over = interrupted(at, func() {
		if _, err := x.long.Send(s, make([]byte, longFrame)); err != nil {
			t.Error(err)
		}
	})
	return x
}

func (x *longSend) short() error {
	_, err := x.left.SendNow(make([]byte, shortFrame))
	return err
}

func (x *longSend) recv() bool {
	x.Helper()
	m, err := x.right.RecvNow()
	if err == ErrEmpty {
		return false
	}
	if err != nil {
		x.Fatalf("at access %d: %v", x.at, err)
	}
	switch m.Took(); m.Len() {
	case longFrame:
		x.got++
	case shortFrame:
		x.shorts++
	default:
		x.Errorf("at access %d: a message of %d bytes", x.at, m.Len())
	}
	return true
}

func (x *longSend) drain() {
	for x.recv() {
	}
}

// The starving one is killed before each access of its Send, and whoever recovers it before each
// of its own: nobody is starving then, those that stood back or waited for the lock are
// told, and the long message was sent, or was not.
func TestSimPipeStarvingKilledAnywhere(t *testing.T) {
	dies := func(at, then int) (over, recovered bool) {
		x := newLongSend(t, at)
		if x.over {
			return true, true
		}
		env := Env{Self: Self{Index: 1, Epoch: 1}, Wake: noWake}
		recover := func() error { return RecoverPipe(x.a, env, Self{Index: 0, Epoch: 1}) }
		heal := func() {
			recovered = interrupted(then, func() { recover() })
			testproc.OK(t, recover())
		}
		healed := false
		s := &stepper{now: 1e9}
		s.sleep = func(w *uint32, v uint32, limit int64) {
			switch {
			case !healed:
				heal()
				if healed = true; mem.Load32(w) == v {
					t.Errorf("killed before access %d, its recoverer before %d: one that sleeps is not told", at, then)
				}
			case x.recv(): // it waits for room
			default:
				t.Fatalf("killed before access %d, its recoverer before %d: one sleeps on", at, then)
			}
		}
		send := func() {
			if _, err := x.left.Send(s, make([]byte, shortFrame)); err != nil {
				t.Fatal(err)
			}
		}
		send()
		if !healed {
			heal()
		}
		if v := ViewPipe(x.a); v.Starving[PipeLeft] || v.Sending[PipeLeft] {
			t.Errorf("killed before access %d, its recoverer before %d: %+v", at, then, v)
		}
		testproc.OK(t, CheckPipe(x.a))
		x.drain()
		s.sleep = func(*uint32, uint32, int64) {
			t.Fatalf("killed before access %d, its recoverer before %d: a Send sleeps, and nobody is there", at, then)
		}
		for range 3 {
			send()
		}
		if x.drain(); x.got > 1 {
			t.Errorf("killed before access %d: it has sent %d messages", at, x.got)
		}
		return false, recovered
	}
	for at := 1; ; at++ {
		for then := 1; ; then++ {
			over, recovered := dies(at, then)
			if over {
				t.Logf("%d accesses", at-1)
				return
			}
			if recovered {
				break
			}
		}
	}
}

// It is stopped for ever before each access: each Send of others stands back once, for patience;
// only where it has the lock they wait.
func TestSimPipeStarvingStoppedAnywhere(t *testing.T) {
	stands, holds := 0, 0
	for at := 1; ; at++ {
		x := newLongSend(t, at)
		if x.over {
			break
		}
		if ViewPipe(x.a).Sending[PipeLeft] {
			holds++
			continue
		}
		for range 5 {
			x.drain()
			s := &stepper{now: 1e9}
			s.sleep = func(w *uint32, v uint32, limit int64) {
				if s.n > 1 || limit-s.now > patience || w != PipeTurn(x.a, PipeLeft) {
					t.Fatalf("stopped before access %d: sleep %d, for %d ns", at, s.n, limit-s.now)
				}
				s.now = limit + 1
			}
			if _, err := x.left.Send(s, make([]byte, shortFrame)); err != nil {
				t.Fatalf("stopped before access %d: %v", at, err)
			}
			stands += s.n
		}
		testproc.OK(t, CheckPipe(x.a))
	}
	if stands == 0 || holds == 0 {
		t.Errorf("it was stopped starving %d times, with the lock %d times", stands/5, holds)
	}
}
