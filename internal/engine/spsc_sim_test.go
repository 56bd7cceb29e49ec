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

// How the simulation's calls are made, of which a third are runs.
const (
	spscTries = iota
	spscWaits
	spscRuns
)

// putSome puts some messages in one call, and reports whether the producer goes on.
func (o *simSPSC) putSome(t *sim.Thread, s *SPSC, how, n int) error {
	ms := make([]*spscMessage, n)
	var b []byte
	for i := range ms {
		ms[i] = o.message()
		b = append(b, o.encode(ms[i])...)
	}
	o.begin(t, s, true, how == spscWaits)
	in, err := 0, error(nil)
	if how == spscRuns {
		in, err = s.PutRun(unsafe.Pointer(&b[0]), n)
		if err == nil && in < n { // of the others none was written
			for _, m := range ms[in:] {
				m.rejected = true
			}
			ms = ms[:in]
		}
	} else {
		p, ok := s.Room()
		if !ok && how == spscWaits {
			if p = s.RoomAgain(); p == nil {
				p, err = s.AwaitRoom(t)
			}
		} else if !ok {
			p, err = s.TryRoom()
		}
		if err == nil {
			mem.Copy(p, unsafe.Pointer(&b[0]), uintptr(len(b)))
			if s.Publish() {
				in = 1
			} else {
				err = ErrShutdown
			}
		}
	}
	o.over(t, err, ErrFull)
	o.putDone(t, s, ms, in)
	return err
}

// getSome gets up to n messages in one call.
func (o *simSPSC) getSome(t *sim.Thread, s *SPSC, how, n int) error {
	b := make([]byte, n*o.c.Room)
	o.begin(t, s, false, how == spscWaits)
	o.flight[t] = n
	k, err := 0, error(nil)
	if how == spscRuns {
		k, err = s.GetRun(unsafe.Pointer(&b[0]), n)
	} else {
		p, ok := s.Next()
		if !ok && how == spscWaits {
			if p = s.NextAgain(); p == nil {
				p, err = s.AwaitNext(t)
			}
		} else if !ok {
			p, err = s.TryNext()
		}
		if err == nil {
			mem.Copy(unsafe.Pointer(&b[0]), p, uintptr(o.c.Room))
			s.Advance()
			k = 1
		}
	}
	delete(o.flight, t)
	o.over(t, err, ErrEmpty)
	var ms []*spscMessage
	for i := range k {
		ms = append(ms, o.parse(b[i*o.c.Room:][:o.c.Room]))
	}
	if k > 0 {
		o.gotDone(t, s, ms)
	}
	if err == io.EOF {
		o.eof(s)
	}
	return err
}

// some is one call of a random kind.
func (o *simSPSC) some() (how, n int) {
	how = o.w.Rand.IntN(3)
	if how == spscRuns {
		return how, 1 + o.w.Rand.IntN(3)
	}
	return how, 1
}

// side runs f, which uses a side. When the last of a process is over, it will give its
// sides up, but not before all sleep: that is told to all.
func (o *simSPSC) side(p *sim.Process, name string, f func(t *sim.Thread)) {
	o.roles[p]++
	p.Go(name, func(t *sim.Thread) {
		f(t)
		if o.roles[p]--; o.roles[p] == 0 && !p.Immortal {
			o.idle = append(o.idle, p)
		}
	})
}

// tries bounds how often one comes for a side that is another's.
const spscTurns = 5

func (o *simSPSC) producer(p *sim.Process, s *SPSC, calls int) {
	o.side(p, "producer", func(t *sim.Thread) {
		busy := 0
		for range calls {
			t.Context(o.w.Rand.IntN(3) == 0)
			how, n := o.some()
			switch err := o.putSome(t, s, how, n); err {
			case nil, ErrFull, sim.ErrCanceled:
			case ErrShutdown:
				return
			case ErrBusy:
				if busy++; busy == spscTurns {
					return
				}
				for range o.w.Rand.IntN(100) {
					t.Step()
				}
			default:
				o.w.Fail("Put: %v", err)
			}
		}
	})
}

func (o *simSPSC) consumer(p *sim.Process, s *SPSC, calls int) {
	o.side(p, "consumer", func(t *sim.Thread) { o.consume(t, s, calls) })
}

func (o *simSPSC) consume(t *sim.Thread, s *SPSC, calls int) {
	busy := 0
	for range calls {
		t.Context(o.w.Rand.IntN(3) == 0)
		how, n := o.some()
		switch err := o.getSome(t, s, how, n); err {
		case nil, ErrEmpty, sim.ErrCanceled:
		case io.EOF:
			return
		case ErrBusy:
			if busy++; busy == spscTurns {
				return
			}
			for range o.w.Rand.IntN(100) {
				t.Step()
			}
		default:
			o.w.Fail("Get: %v", err)
		}
	}
}

func simulateSPSC(w *sim.World) {
	o := newSimSPSC(w, SPSCConfig{Slots: 1 + w.Rand.IntN(4), Room: 16})
	o.stores = w.Rand.IntN(storesModes)
	populate := func(p *sim.Process) {
		s := o.attach(p)
		role := w.Rand.IntN(5)
		if role != 0 {
			o.producer(p, s, 1+w.Rand.IntN(8))
		}
		if role == 0 || role == 1 {
			o.consumer(p, s, 1+w.Rand.IntN(12))
		}
	}
	for i := range 2 + w.Rand.IntN(3) {
		populate(w.Process(i))
	}
	last := w.Process(5)
	last.Immortal = true
	s := o.attach(last)
	o.last = uint32(w.Rand.IntN(2))
	o.side(last, "last consumer", func(t *sim.Thread) {
		for o.last == 0 {
			t.Sleep(&o.last, 0)
		}
		o.consume(t, s, simMany)
	})
	if w.Rand.IntN(3) == 0 {
		p := w.Process(6)
		p.Go("early closer", func(t *sim.Thread) {
			for range w.Rand.IntN(300) {
				t.Step()
			}
			s := o.attach(p)
			s.Shutdown()
		})
	}
	w.OnRecovered(func(dead Self) {
		if w.Rand.IntN(2) == 0 && int(dead.Index) < 5 {
			populate(w.Process(int(dead.Index)))
		}
	})
}

func TestSimSPSC(t *testing.T) {
	for _, o := range []sim.Options{
		{},
		{StopEvery: 100, MaxStops: 4, CancelEvery: 150, SpuriousEvery: 300},
		{KillEvery: 100, MaxKills: 4},
		{KillEvery: 70, MaxKills: 4, StopEvery: 100, MaxStops: 3, CancelEvery: 200, SpuriousEvery: 300},
	} {
		t.Run(fmt.Sprintf("kills=%d,stops=%d", o.MaxKills, o.MaxStops), func(t *testing.T) {
			sim.Explore(t, 5000, o, simulateSPSC)
		})
	}
}
