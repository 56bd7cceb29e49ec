//go:build tandem_sim

package ring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
	"example.com/tandem/shm"
)

// sharedSPSCOf makes the memory of an SPSC that all processes of w share, and has the
// dead recovered in it.
func sharedSPSCOf(w *sim.World, slots int) mem.Area {
	c := engine.SPSCConfig{Slots: slots, Room: 8}
	a := mem.Heap(c.Size())
	c.Init(a)
	w.Share(a)
	ops, _ := engine.OpsOf(engine.KindSPSC)
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		if err := ops.Recover(a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	w.AtEnd(func() error { return ops.Check(a) })
	return a
}

func simSPSC(p *sim.Process, a mem.Area) *SPSC[int64] {
	s, err := newSPSC[int64](p.Core(engine.KindSPSC, a), SPSCOptions{})
	if err != nil {
		panic(err)
	}
	return s
}

// A spscLedger is what calls said of each message.
type spscLedger struct {
	w       *sim.World
	next    int64
	in, out []int64
	eof     bool
}

// over enters the result of a call that did, or did not, and reports whether there are
// to be no more of it.
func (l *spscLedger) over(err error) bool {
	switch {
	case err == nil, errors.Is(err, sim.ErrCanceled), errors.Is(err, ErrFull), errors.Is(err, ErrEmpty):
		return false
	case errors.Is(err, io.EOF):
		l.eof = true
		return true
	case errors.Is(err, shm.ErrClosed), errors.Is(err, ErrBusy), errors.Is(err, ErrShutdown):
		return true
	}
	l.w.Fail("%v", err)
	return true
}

func (l *spscLedger) put(t *sim.Thread, s *SPSC[int64], round int) error {
	t.Context(true)
	v := l.next
	l.next += 3
	var err error
	n := 0
	switch round % 3 {
	case 0:
		ctx := sim.Context
		if s.Len() < s.Cap() { // it has not to wait
			ctx = context.Background()
		}
		err = s.Put(ctx, v)
	case 1:
		n, err = s.PutBatch(sim.Context, []int64{v, v + 1, v + 2})
	default:
		err = s.TryPut(v)
	}
	if round%3 != 1 && err == nil {
		n = 1
	}
	for i := range int64(n) {
		l.in = append(l.in, v+i)
	}
	return err
}

func (l *spscLedger) get(t *sim.Thread, s *SPSC[int64], round int) error {
	t.Context(true)
	vs := make([]int64, 3)
	var err error
	n := 0
	switch round % 3 {
	case 0:
		ctx := sim.Context
		if s.Len() > 0 {
			ctx = context.Background()
		}
		vs[0], err = s.Get(ctx)
	case 1:
		n, err = s.GetBatch(sim.Context, vs)
	default:
		vs[0], err = s.TryGet()
	}
	if round%3 != 1 && err == nil {
		n = 1
	}
	l.out = append(l.out, vs[:n]...)
	return err
}

// verdict compares them, when the rest was got: each message came once whose Put said
// that it is in, and no other. (In which order the calls of several processes returned
// says nothing.)
func (l *spscLedger) verdict() error {
	slices.Sort(l.in)
	slices.Sort(l.out)
	if fmt.Sprint(l.in) != fmt.Sprint(l.out) {
		return fmt.Errorf("put, as calls said: %v; got: %v", l.in, l.out)
	}
	return nil
}

// Close at every access of a Put or a Get, or of both in one process, while others take
// the side of who has left, and while it is shut down.
func TestSimCloseSPSC(t *testing.T) {
	for _, shut := range []bool{false, true} {
		t.Run(fmt.Sprint("shutdown=", shut), func(t *testing.T) {
			o := sim.Options{CloseEvery: 40, MaxCloses: 4, CloseFor: 15, StopEvery: 600, MaxStops: 1, SpuriousEvery: 300, CancelEvery: 300}
			sim.Explore(t, 10000, o, func(w *sim.World) {
				a := sharedSPSCOf(w, 1+w.Rand.IntN(4))
				l := &spscLedger{w: w}
				type role = func(*sim.Thread, *SPSC[int64], int) error
				for i, roles := range [][]role{{l.put, l.get}, {l.get}, {l.put}, {l.get}} {
					p := w.Process(i)
					s := simSPSC(p, a)
					for _, role := range roles {
						from := w.Rand.IntN(3)
						p.Go("user", func(t *sim.Thread) {
							for busy := 0; ; {
								for range w.Rand.IntN(30) {
									t.Step()
								}
								err := role(t, s, from)
								if from++; errors.Is(err, ErrBusy) && busy < 10 {
									busy++
									continue
								}
								if l.over(err) || from > 8 {
									p.Close() // and gives its sides up
									return
								}
							}
						})
					}
				}
				last := w.Process(9)
				last.Immortal = true
				s := simSPSC(last, a)
				if shut {
					last.Go("closer", func(t *sim.Thread) {
						for range w.Rand.IntN(150) {
							t.Step()
						}
						if err := s.Shutdown(); err != nil {
							w.Fail("Shutdown: %v", err)
						}
					})
				}
				w.OnStuck(func() bool { // full or empty, for ever
					last.Go("more", func(t *sim.Thread) {
						if err := l.put(t, s, 2); errors.Is(err, ErrBusy) || errors.Is(err, ErrFull) || errors.Is(err, ErrShutdown) {
							l.get(t, s, 2)
						}
					})
					return true
				})
				w.AtEnd(func() error {
					for {
						vs := make([]int64, 1)
						var err error
						if vs[0], err = s.TryGet(); err != nil {
							if !errors.Is(err, ErrEmpty) && !errors.Is(err, io.EOF) {
								return err
							}
							break
						}
						l.out = append(l.out, vs[0])
					}
					return l.verdict()
				})
			})
		})
	}
}

// A Put that Close comes upon while another process shuts down, and the consumer concludes
// that there is nothing more: it is in if and only if it says so.
func TestSimCloseSPSCAtItsEnd(t *testing.T) {
	o := sim.Options{CloseEvery: 12, MaxCloses: 1, CloseFor: 4}
	sim.Explore(t, 40000, o, func(w *sim.World) {
		a := sharedSPSCOf(w, 2)
		l := &spscLedger{w: w}
		p := w.Process(0)
		s := simSPSC(p, a)
		p.Go("producer", func(t *sim.Thread) { l.put(t, s, 1+w.Rand.IntN(2)) })
		other := w.Process(1)
		other.Immortal = true
		r := simSPSC(other, a)
		other.Go("consumer", func(t *sim.Thread) {
			if err := r.Shutdown(); err != nil {
				w.Fail("Shutdown: %v", err)
			}
			for range 4 {
				l.over(l.get(t, r, 2))
			}
		})
		w.AtEnd(func() error {
			for {
				v, err := r.TryGet()
				if err != nil {
					return l.verdict()
				}
				l.out = append(l.out, v)
			}
		})
	})
}
