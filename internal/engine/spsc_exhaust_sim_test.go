//go:build tandem_sim

package engine_test

import (
	"fmt"
	"io"
	"testing"
	"unsafe"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// Tiny worlds under every schedule with a preemption or two, of which some may be kills,
// with stores at once and as late as can be. Each word is a process: P puts and G gets
// a message by a call that does not wait, p and g by one that does, B and b two in a
// run, X shuts down.
func TestSimSPSCExhaust(t *testing.T) {
	for _, tt := range []struct {
		slots int
		procs []string
		most  int
		kills int
	}{
		{1, []string{"P", "G"}, 2, 1},
		{2, []string{"PP", "GG"}, 2, 0},
		{1, []string{"pp", "gg"}, 2, 0},
		{1, []string{"p", "g"}, 2, 1},
		{1, []string{"pp", "gg"}, 1, 1},
		{2, []string{"P", "P", "GG"}, 1, 1},
		{1, []string{"PP", "G", "G"}, 1, 1},
		{2, []string{"PP", "GGG", "X"}, 2, 0},
		{2, []string{"P", "GG", "X"}, 1, 1},
		{2, []string{"B", "b", "X"}, 2, 0},
		{3, []string{"B", "b", "b"}, 1, 1},
		{1, []string{"p", "gg", "X"}, 2, 0},
		{1, []string{"pp", "g", "X"}, 1, 0},
		{1, []string{"pp", "X"}, 2, 0},
		{2, []string{"BP", "bG"}, 2, 0},
	} {
		t.Run(fmt.Sprint(tt.slots, tt.procs), func(t *testing.T) {
			sim.Exhaust(t, 1, tt.most, sim.Options{MaxKills: tt.kills}, func(w *sim.World) {
				o := newSimSPSC(w, SPSCConfig{Slots: tt.slots, Room: 16})
				for i, calls := range tt.procs {
					o.calling(w.Process(i), calls)
				}
				o.sleepless()
			})
		})
	}
}

// sleepless has a last consumer, which is not killed, come when all sleep.
func (o *simSPSC) sleepless() {
	last := o.w.Process(5)
	last.Immortal = true
	s := o.attach(last)
	o.side(last, "last consumer", func(t *sim.Thread) {
		for o.last == 0 {
			t.Sleep(&o.last, 0)
		}
		for {
			if err := o.getSome(t, s, spscWaits, 1); err != nil {
				return
			}
		}
	})
}

func (o *simSPSC) calling(p *sim.Process, calls string) {
	s := o.attach(p)
	if calls == "X" {
		p.Immortal = true
		o.closing = true
		p.Go("closer", func(*sim.Thread) { s.Shutdown() })
		return
	}
	o.side(p, calls, func(t *sim.Thread) {
		for _, c := range calls {
			var err error
			switch c {
			case 'P':
				err = o.putSome(t, s, spscTries, 1)
			case 'p':
				err = o.putSome(t, s, spscWaits, 1)
			case 'B':
				err = o.putSome(t, s, spscRuns, 2)
			case 'G':
				err = o.getSome(t, s, spscTries, 1)
			case 'g':
				err = o.getSome(t, s, spscWaits, 1)
			case 'b':
				err = o.getSome(t, s, spscRuns, 2)
			}
			switch err {
			case nil, ErrFull, ErrEmpty, ErrBusy, ErrShutdown, io.EOF:
			default:
				o.w.Fail("%c: %v", c, err)
			}
		}
	})
}

// A Try sees every Put, and every Get, of which its caller can know: here by a word that
// who has put, or got, stores after it, without a fence.
func TestSimSPSCKnown(t *testing.T) {
	for _, puts := range []bool{true, false} {
		t.Run(fmt.Sprint("puts=", puts), func(t *testing.T) {
			sim.Exhaust(t, 1, 2, sim.Options{}, func(w *sim.World) {
				o := newSimSPSC(w, SPSCConfig{Slots: 1, Room: 16})
				o.last, o.closing = 1, true
				told := mem.Heap(64)
				a, b := w.Process(0), w.Process(1)
				s, r := o.attach(a), o.attach(b)
				if puts {
					a.Go("producer", func(t *sim.Thread) {
						o.putSome(t, s, spscTries, 1)
						mem.Release64(told.W64(0), 1)
					})
					b.Go("consumer", func(t *sim.Thread) {
						if known := mem.Load64(told.W64(0)) == 1; o.getSome(t, r, spscTries, 1) == ErrEmpty && known {
							w.Fail("it was told of the message, and there is none")
						}
					})
					return
				}
				if p, err := r.TryRoom(); err != nil {
					w.Fail("TryRoom: %v", err)
				} else {
					m := o.message()
					mem.Copy(p, unsafe.Pointer(&o.encode(m)[0]), 16)
					r.Publish()
				}
				a.Go("consumer", func(t *sim.Thread) {
					o.getSome(t, s, spscTries, 1)
					mem.Release64(told.W64(0), 1)
				})
				b.Go("producer", func(t *sim.Thread) {
					if known := mem.Load64(told.W64(0)) == 1; o.putSome(t, r, spscTries, 1) == ErrFull && known {
						w.Fail("it was told of the room, and there is none")
					}
				})
			})
		})
	}
}

// No Put that begins when Shutdown has returned puts anything.
func TestSimSPSCPutAfterShutdown(t *testing.T) {
	sim.Exhaust(t, 1, 2, sim.Options{}, func(w *sim.World) {
		o := newSimSPSC(w, SPSCConfig{Slots: 4, Room: 16})
		o.last, o.closing = 1, true
		over, point := false, mem.Heap(8).W64(0)
		p := w.Process(0)
		s := o.attach(p)
		p.Go("producer", func(t *sim.Thread) {
			for _, how := range []int{spscTries, spscRuns, spscTries} {
				mem.Load64(point)
				was := over
				if err := o.putSome(t, s, how, 1); err == nil && was {
					w.Fail("put after a Shutdown had returned")
				}
			}
		})
		c := w.Process(1)
		r := o.attach(c)
		c.Go("closer", func(t *sim.Thread) {
			r.Shutdown()
			over = true
		})
	})
}
