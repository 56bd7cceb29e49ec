//go:build tandem_sim

package engine_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// A simStream is the oracle of one connection.
type simStream struct {
	w       *sim.World
	a       mem.Area
	wrote   [2]uint64 // by way: bytes that Writes said they wrote
	read    [2]uint64
	over    [2]bool // its reader was told that it is over, at finalW
	finalW  [2]uint64
	reset   [2]bool // its writer was told that all was not read, with finalR
	finalR  [2]uint64
	inside  map[*sim.Thread]func(v StreamView) string
	refused bool
	yes     bool // an Accept said so
	closing bool
	ends    [2]*simEnd
}

// A simEnd is one process's end, with the private locks that package ring has.
type simEnd struct {
	o             *simStream
	s             *Stream
	p             *sim.Process
	side          int
	reads, writes uint32 // 1: locked
	half          bool   // it ended its writing alone
	threads       []*sim.Thread
}

const simStreamBuffer = 64

func newSimStream(w *sim.World) *simStream {
	o := &simStream{w: w, a: mem.Heap(StreamConfig{Buffer: simStreamBuffer}.Size()), inside: map[*sim.Thread]func(StreamView) string{}}
	w.Share(o.a)
	w.OnDeath(func(t *sim.Thread, dead Self) {
		if err := RecoverStream(o.a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	w.Always(o.always)
	w.OnStuck(o.stuck)
	w.AtEnd(func() error {
		if v := ViewStream(o.a); v.End[1] == 0 && v.End[0]&StreamGone != 0 {
			return errors.New("the dialer has gone, and nobody has refused")
		}
		return CheckStream(o.a)
	})
	return o
}

func (o *simStream) end(p *sim.Process, side int) *simEnd {
	point := mem.Point
	mem.Point = nil
	defer func() { mem.Point = point }()
	s, err := AttachStream(o.a, p.Env(), side == 0)
	if err != nil {
		o.w.Fail("attach: %v", err)
	}
	e := &simEnd{o: o, s: s, p: p, side: side}
	o.ends[side] = e
	return e
}

func (o *simStream) always() error {
	v := ViewStream(o.a)
	for way := range 2 {
		if o.over[way] && v.W[way] != o.finalW[way] {
			return fmt.Errorf("bytes were written after the end of way %d", way)
		}
		if o.reset[way] && v.R[way] != o.finalR[way] {
			return fmt.Errorf("bytes of way %d were read after its reset", way)
		}
	}
	return nil
}

// stuck finds who sleeps and should not, and at last closes both ends.
func (o *simStream) stuck() bool {
	v := ViewStream(o.a)
	for t, why := range o.inside {
		if o.w.Alive(t.Process().Self) && !t.Closed() {
			if s := why(v); s != "" {
				o.w.Fail("%v sleeps, and %s", t, s)
				return true
			}
		}
	}
	if o.closing {
		return false
	}
	o.closing = true
	o.w.Settled()
	some := false
	for _, e := range o.ends {
		if e != nil && o.w.Alive(e.p.Self) {
			e.p.Go("closer", func(t *sim.Thread) { e.close(t, EndAll) })
			some = true
		}
	}
	return some
}

func (e *simEnd) lock(t *sim.Thread, l *uint32) {
	for *l != 0 {
		if t.Sleep(l, 1) != nil {
			t.Spin() // all others go first
		}
	}
	*l = 1
}

func (e *simEnd) unlock(l *uint32) {
	*l = 0
	e.o.w.Wake(l, -1)
}

// close is what package ring does, too.
func (e *simEnd) close(t *sim.Thread, what uint64) {
	e.half = e.half || what == EndWriting
	e.s.Stop(what)
	for _, x := range e.threads { // they are woken, as by package wait
		if e.o.inside[x] != nil {
			x.Context(true)
			x.Cancel()
		}
	}
	if what&EndReading != 0 {
		e.lock(t, &e.reads)
		defer e.unlock(&e.reads)
	}
	if what&EndWriting != 0 {
		e.lock(t, &e.writes)
		defer e.unlock(&e.writes)
	}
	e.s.End(what)
}

// flags are the other end's.
func (e *simEnd) flags(v StreamView) uint64 { return v.End[1-e.side] }

func (e *simEnd) writer(t *sim.Thread, calls int) {
	for range calls {
		t.Context(e.o.w.Rand.IntN(3) == 0)
		if !e.write(t, 1+e.o.w.Rand.IntN(90)) {
			return
		}
	}
}

// write is one Write. It reports false where no other is to come.
func (e *simEnd) write(t *sim.Thread, n int) bool {
	e.lock(t, &e.writes)
	defer e.unlock(&e.writes)
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(e.o.wrote[e.side] + uint64(i))
	}
	e.o.inside[t] = func(v StreamView) string {
		switch {
		case v.W[e.side]-v.R[e.side] < simStreamBuffer:
			return "there is room"
		case e.flags(v)&(StreamRC|StreamGone) != 0:
			return "nobody reads"
		}
		return ""
	}
	k, err := e.s.Write(t, b)
	delete(e.o.inside, t)
	v := ViewStream(e.o.a)
	e.o.wrote[e.side] += uint64(k)
	if t.Closed() {
		return false
	}
	if v.W[e.side] != e.o.wrote[e.side] {
		e.o.w.Fail("%v wrote %d in all, and W is %d", t, e.o.wrote[e.side], v.W[e.side])
	}
	if err == nil && k != n {
		e.o.w.Fail("%v wrote %d of %d", t, k, n)
	}
	switch {
	case err == nil, errors.Is(err, sim.ErrCanceled):
	case err == ErrUnread:
		if e.flags(v)&(StreamRC|StreamGone) == 0 {
			e.o.w.Fail("%v: nobody reads, and the other end is %#x", t, e.flags(v))
		}
		return false
	case err == ErrOver:
		return false
	default:
		e.o.w.Fail("%v: Write: %v", t, err)
	}
	return true
}

func (e *simEnd) reader(t *sim.Thread, calls int) {
	for range calls {
		t.Context(e.o.w.Rand.IntN(3) == 0)
		if !e.read(t, 1+e.o.w.Rand.IntN(90)) {
			return
		}
	}
}

// read is one Read. It reports false where no other is to come.
func (e *simEnd) read(t *sim.Thread, most int) bool {
	way := 1 - e.side
	e.lock(t, &e.reads)
	defer e.unlock(&e.reads)
	b := make([]byte, most)
	e.o.inside[t] = func(v StreamView) string {
		switch {
		case v.W[way] != v.R[way]:
			return "bytes are there"
		case e.flags(v)&(StreamWC|StreamGone) != 0:
			return "nobody writes"
		}
		return ""
	}
	n, err := e.s.Read(t, b)
	delete(e.o.inside, t)
	if t.Closed() {
		return false
	}
	v := ViewStream(e.o.a)
	for i := range n {
		if b[i] != byte(e.o.read[way]+uint64(i)) {
			e.o.w.Fail("%v: byte %d of what came after %d is wrong", t, i, e.o.read[way])
		}
	}
	e.o.read[way] += uint64(n)
	unread := v.W[e.side] - v.R[e.side]
	switch {
	case err == nil, errors.Is(err, sim.ErrCanceled):
	case err == ErrOver:
		return false
	case err == io.EOF, err == ErrReset:
		switch {
		case e.flags(v)&(StreamWC|StreamGone) == 0:
			e.o.w.Fail("%v: %v, and the other end is %#x", t, err, e.flags(v))
		case v.W[way] != e.o.read[way]:
			e.o.w.Fail("%v: %v with %d bytes read of %d", t, err, e.o.read[way], v.W[way])
		case err == ErrReset && unread == 0:
			e.o.w.Fail("%v: a reset, and all was read", t)
		case err == io.EOF && unread != 0 && e.flags(v)&StreamGone != 0 && !e.o.ends[1-e.side].half:
			e.o.w.Fail("%v: io.EOF, and %d bytes will not be read", t, unread)
		}
		e.o.over[way], e.o.finalW[way] = true, v.W[way]
		if err == ErrReset {
			e.o.reset[e.side], e.o.finalR[e.side] = true, v.R[e.side]
		}
		return false
	default:
		e.o.w.Fail("%v: Read: %v", t, err)
	}
	return true
}

func (e *simEnd) populate() {
	r := e.o.w.Rand
	for _, f := range []func(t *sim.Thread){
		func(t *sim.Thread) { e.writer(t, r.IntN(4)) },
		func(t *sim.Thread) { e.reader(t, 1+r.IntN(6)) },
	} {
		e.threads = append(e.threads, e.p.Go("user", f))
	}
	if r.IntN(3) > 0 {
		what := []uint64{EndReading, EndWriting, EndAll}[r.IntN(3)]
		e.p.Go("closer", func(t *sim.Thread) {
			for range r.IntN(400) {
				t.Step()
			}
			e.close(t, what)
		})
	}
}

func simulateStream(w *sim.World) {
	o := newSimStream(w)
	d, a := w.Process(0), w.Process(1)
	StreamConfig{Buffer: simStreamBuffer}.Init(o.a, d.Self, 7)
	dialer := o.end(d, 0)
	dials := d.Go("dialer", func(t *sim.Thread) {
		t.Context(w.Rand.IntN(2) == 0)
		o.inside[t] = func(v StreamView) string {
			if v.End[1] != 0 {
				return "it is answered"
			}
			return ""
		}
		answered := func() bool { yes, _ := dialer.s.Answered(); return yes }
		if !answered() {
			dialer.s.Answer().Await(t, answered)
		}
		delete(o.inside, t)
		if ok, _ := dialer.s.Answered(); !ok {
			won, err := dialer.s.Refuse()
			if err != nil {
				return
			}
			if won {
				o.refused = true
				if o.yes {
					w.Fail("refused, and accepted")
				}
				return
			}
		}
		if _, yes := dialer.s.Answered(); yes && !t.Closed() {
			dialer.populate()
		} else if !t.Closed() && !o.refused {
			w.Fail("answered, and neither yes nor no")
		}
	})
	dialer.threads = append(dialer.threads, dials)
	if w.Rand.IntN(6) > 0 {
		o.acceptor(a)
	}
	w.OnRecovered(func(dead Self) {
		if dead.Index != 0 && ViewStream(o.a).End[1] == 0 { // the next one of the listener
			o.acceptor(w.Process(3 + int(dead.Index)))
		}
	})
	keeper := w.Process(2) // who recovers
	keeper.Immortal = true
	keeper.Go("keeper", func(*sim.Thread) {})
}

// acceptor accepts, if it still can.
func (o *simStream) acceptor(p *sim.Process) {
	w, e := o.w, o.end(p, 1)
	p.Go("acceptor", func(t *sim.Thread) {
		for range w.Rand.IntN(60) {
			t.Step()
		}
		if e.s.Dialled() != 7 && !t.Closed() {
			w.Fail("dialled under %d", e.s.Dialled())
		}
		switch ok, err := e.s.Accept(); {
		case err != nil:
		case ok:
			o.yes = true
			if o.refused {
				w.Fail("accepted, and refused")
			}
			e.populate()
		default:
			if x := ViewStream(o.a).End[1]; x&^StreamGone != StreamRefused {
				w.Fail("an Accept in vain, and it is %#x", x)
			}
		}
	})
}

func TestSimStream(t *testing.T) {
	for name, o := range map[string]sim.Options{
		"alive":  {StopEvery: 150, MaxStops: 3, SpuriousEvery: 200},
		"cancel": {CancelEvery: 80, SpuriousEvery: 300},
		"killed": {KillEvery: 150, MaxKills: 2, SpuriousEvery: 300},
		"closed": {CloseEvery: 150, MaxCloses: 2, CloseFor: 30, KillEvery: 400, MaxKills: 1},
	} {
		t.Run(name, func(t *testing.T) { sim.Explore(t, 5000, o, simulateStream) })
	}
}
