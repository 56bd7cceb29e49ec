//go:build tandem_sim

package engine_test

import (
	"fmt"
	"io"
	"testing"
	"time"
	"unsafe"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// A stage is an SPSC that one of three processes has been stopped over. Messages are
// numbers that grow.
type spscStage struct {
	t       *testing.T
	what    string
	a       mem.Area
	stopped *SPSC
	next    uint64 // message to be put
	due     uint64 // to be got
}

func (st *spscStage) attach(index uint32) *SPSC {
	st.t.Helper()
	s, err := AttachSPSC(st.a, Env{Self: Self{Index: index, Epoch: 1}, Wake: noWake})
	if err != nil {
		st.t.Fatal(err)
	}
	return s
}

func (st *spscStage) errorf(format string, a ...any) {
	st.t.Helper()
	st.t.Errorf("%s: %s", st.what, fmt.Sprintf(format, a...))
}

// put and get are one message, or a run of two.
func (st *spscStage) put(s *SPSC, n int) error {
	msgs := []uint64{st.next, st.next + 1}
	k, err := s.PutRun(unsafe.Pointer(&msgs[0]), n)
	st.next += uint64(k)
	return err
}

func (st *spscStage) get(s *SPSC, n int) error {
	st.t.Helper()
	var msgs [2]uint64
	k, err := s.GetRun(unsafe.Pointer(&msgs[0]), n)
	for _, m := range msgs[:k] {
		if m != st.due {
			st.errorf("message %d came, %d was due", m, st.due)
		}
		st.due = m + 1
	}
	return err
}

// A process is stopped for ever before each access of each operation. The other side goes
// on with what there is, hears of a Shutdown and of the end, and nobody takes the side of
// the stopped one; when that is killed at last the next goes on where it was. Of n
// messages that were in its hands all are there, or none.
func TestSimSPSCStopped(t *testing.T) {
	for _, tt := range []struct {
		name string
		puts bool // the stopped one has, or would take, the producer's side
		n    int  // messages in its hands
		op   func(st *spscStage)
	}{
		{"put", true, 1, func(st *spscStage) { st.put(st.stopped, 1) }},
		{"put a run", true, 2, func(st *spscStage) { st.put(st.stopped, 2) }},
		{"get", false, 1, func(st *spscStage) { st.get(st.stopped, 1) }},
		{"get a run", false, 2, func(st *spscStage) { st.get(st.stopped, 2) }},
		{"get in place", false, 1, func(st *spscStage) {
			if _, err := st.stopped.TryNext(); err == nil {
				st.stopped.Advance()
				st.due++
			}
		}},
	} {
		for _, had := range []bool{false, true} { // the side, from before
			for _, shut := range []bool{false, true} {
				name := fmt.Sprintf("%s, had=%v, shut=%v", tt.name, had, shut)
				t.Run(name, func(t *testing.T) {
					for at, over := 1, false; !over; at++ {
						st := &spscStage{t: t, what: fmt.Sprintf("stopped before access %d", at)}
						over = st.play(at, tt.puts, tt.n, had, shut, func() { tt.op(st) })
						if t.Failed() {
							return
						}
					}
				})
			}
		}
	}
}

func (st *spscStage) play(at int, puts bool, n int, had, shut bool, op func()) (over bool) {
	c := SPSCConfig{Slots: 5, Room: 8} // the run goes round its end
	st.a = mem.Heap(c.Size())
	c.InitAt(st.a, spscFrom)
	st.stopped = st.attach(1)
	other, third := st.attach(2), st.attach(3)
	producer, consumer := other, st.stopped
	if puts {
		producer, consumer = consumer, producer
	}
	if had && puts {
		st.put(producer, 2)
	} else if !puts {
		st.put(producer, 2)
		st.put(producer, 2)
	}
	if had && !puts {
		st.get(consumer, 1)
	}
	put, due := st.next, st.due
	over = interrupted(at, op)
	v := ViewSPSC(st.a)
	if !over { // what it had done by then is not what it was told
		st.next, st.due = put, due
		if puts && v.Tail-spscFrom != put {
			st.next += uint64(n)
		} else if !puts && v.Head-spscFrom != due {
			st.due += uint64(n)
		}
	}
	if v.Tail-spscFrom != st.next || v.Head-spscFrom != st.due {
		st.errorf("%d put and %d got, the indexes say %d and %d", st.next, st.due, v.Tail-spscFrom, v.Head-spscFrom)
	}
	side, mine := v.Consumer, &st.due
	if puts {
		side, mine = v.Producer, &st.next
	}
	taken := side != 0
	busy := func() {
		st.t.Helper()
		if !taken {
			return
		}
		again := st.get
		if puts {
			again = st.put
		}
		if err := again(third, 1); err != ErrBusy {
			st.errorf("another at its side: %v", err)
		}
	}
	busy()
	if puts {
		for st.due < st.next {
			if err := st.get(other, 1); err != nil {
				st.errorf("the consumer, with %d of %d got: %v", st.due, st.next, err)
				return true
			}
		}
		if err := st.get(other, 1); err != ErrEmpty {
			st.errorf("the consumer at the end of what there is: %v", err)
		}
	} else {
		for st.next-st.due < 5 {
			if err := st.put(other, 1); err != nil {
				st.errorf("the producer, %d messages: %v", st.next-st.due, err)
				return true
			}
		}
		if err := st.put(other, 1); err != ErrFull {
			st.errorf("the producer at the end of room: %v", err)
		}
	}
	if shut {
		third.Shutdown()
		if puts {
			if err := st.get(other, 1); err != io.EOF {
				st.errorf("the consumer, after Shutdown: %v", err)
			}
		}
		if err := st.put(other, 1); err != ErrShutdown {
			st.errorf("a producer, after Shutdown: %v", err)
		}
	} else {
		busy()
	}
	if err := CheckSPSC(st.a); err != nil {
		st.errorf("%v", err)
	}
	if err := RecoverSPSC(st.a, Env{Wake: noWake}, Self{Index: 1, Epoch: 1}); err != nil {
		st.errorf("recovery: %v", err)
	}
	was := *mine
	switch {
	case puts && shut:
		if err := st.put(third, 1); err != ErrShutdown {
			st.errorf("the next producer, after Shutdown: %v", err)
		}
	case puts:
		if err := st.put(third, 2); err != nil || *mine != was+2 {
			st.errorf("the next producer: %v", err)
		}
		st.get(other, 2)
	default:
		for st.due < st.next {
			if err := st.get(third, 1); err != nil {
				st.errorf("the next consumer, with %d of %d got: %v", st.due, st.next, err)
				return true
			}
		}
		if err := st.get(third, 1); shut && err != io.EOF || !shut && err != ErrEmpty {
			st.errorf("the next consumer, at the end: %v", err)
		}
	}
	if st.due != st.next {
		st.errorf("%d were put, %d got", st.next, st.due)
	}
	if err := CheckSPSC(st.a); err != nil {
		st.errorf("%v", err)
	}
	return over
}

// Shutdown stopped before each of its accesses, and then killed: who sleeps is woken by its
// recovery, if not before.
func TestSimSPSCStoppedShutdown(t *testing.T) {
	for at, over := 1, false; !over; at++ {
		st := &spscStage{t: t, what: fmt.Sprintf("stopped before access %d", at)}
		c := SPSCConfig{Slots: 2, Room: 8}
		st.a = mem.Heap(c.Size())
		c.InitAt(st.a, spscFrom)
		s, bells := st.attach(1), 0
		st.stopped = st.attach(2)
		over = interrupted(at, st.stopped.Shutdown)
		if err := st.put(s, 1); err != nil && err != ErrShutdown {
			st.errorf("Put: %v", err)
		}
		count := func(*uint32, int) int { bells++; return 0 }
		RecoverSPSC(st.a, Env{Wake: count}, Self{Index: 2, Epoch: 1})
		if bells != 2 {
			st.errorf("recovery woke sleepers of %d bells", bells)
		}
		st.attach(3).Shutdown()
		for range 2 {
			if err := st.get(s, 2); err == io.EOF && st.due == st.next {
				break
			} else if err != nil {
				st.errorf("Get: %v", err)
			}
		}
		if st.due != st.next {
			st.errorf("%d were put, %d got", st.next, st.due)
		}
	}
}

// Who sleeps over what one does whom no Membarrier reaches, though it stores as one that is
// reached, finds it by the first look after a moment; and what was put so before a Shutdown
// is got before the end.
func TestSimSPSCFindsTheMissed(t *testing.T) {
	for _, puts := range []bool{true, false} {
		t.Run(fmt.Sprint("missed producer=", puts), func(t *testing.T) {
			sim.Exhaust(t, 1, 2, sim.Options{Timers: true, NsStep: 1000}, func(w *sim.World) {
				o := newSimSPSC(w, SPSCConfig{Slots: 1, Room: 16})
				o.misses, o.closing, o.last = true, true, 1
				ps := [2]*sim.Process{w.Process(0), w.Process(1)}
				missed, other := ps[0], ps[1]
				missed.Missed = true
				for _, p := range ps {
					p.Immortal = true
				}
				if puts {
					o.oneBy(missed, true, 1)
					o.oneBy(other, false, 1)
				} else {
					o.oneBy(other, true, 2)
					o.oneBy(missed, false, 2)
				}
			})
		})
	}
	t.Run("at the end", func(t *testing.T) {
		sim.Explore(t, 500, sim.Options{Timers: true, NsStep: 1000, MaxSteps: 1_000_000}, func(w *sim.World) {
			o := newSimSPSC(w, SPSCConfig{Slots: 2, Room: 16})
			o.misses, o.last = true, 1
			p := w.Process(0)
			p.Missed = true
			s := o.attach(p)
			o.side(p, "producer", func(t *sim.Thread) {
				for range 1 + w.Rand.IntN(2) {
					if err := o.putSome(t, s, w.Rand.IntN(3), 1); err != nil && err != ErrShutdown {
						w.Fail("Put: %v", err)
					}
				}
			})
			c := w.Process(1)
			r := o.attach(c)
			o.side(c, "consumer", func(t *sim.Thread) {
				for {
					err := o.getSome(t, r, w.Rand.IntN(3), 1)
					if err == io.EOF {
						return
					} else if err != nil && err != ErrEmpty {
						w.Fail("Get: %v", err)
					}
				}
			})
			o.shutdown(7)
		})
	})
}

// oneBy has p put, or get, so many messages, waiting for each.
func (o *simSPSC) oneBy(p *sim.Process, puts bool, n int) {
	s := o.attach(p)
	p.Go(fmt.Sprint("puts=", puts), func(t *sim.Thread) {
		from := t.Now()
		for range n {
			err := error(nil)
			if puts {
				err = o.putSome(t, s, spscWaits, 1)
			} else {
				err = o.getSome(t, s, spscWaits, 1)
			}
			if err != nil {
				o.w.Fail("%v", err)
			}
		}
		if long := time.Duration(t.Now() - from); long > 100*time.Millisecond {
			o.w.Fail("it took %v", long)
		}
	})
}
