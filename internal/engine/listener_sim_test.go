//go:build tandem_sim

package engine_test

import (
	"errors"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// A simDial is one stream that was dialled, and what came of it.
type simDial struct {
	a                           mem.Area
	by                          Self
	open                        map[Self]bool // who has it open, whom alone recovery is for
	word                        uint64
	accepted, refused, connects bool
	queued                      bool
}

// A simListener is the oracle. Entries of the directory, which are never used again here,
// are the numbers of its dials.
type simListener struct {
	w        *sim.World
	a        mem.Area
	dials    []*simDial
	answered map[*sim.Thread]*simDial // who waits for an answer
	taking   map[*sim.Thread]uint64   // who waits for a stream, and under which word it listens
	closing  bool
	ends     []func()
}

func newSimListener(w *sim.World, backlog int) *simListener {
	c := ListenerConfig{Backlog: backlog, Rows: 12}
	o := &simListener{w: w, a: mem.Heap(c.Size()), answered: map[*sim.Thread]*simDial{}, taking: map[*sim.Thread]uint64{}}
	c.Init(o.a)
	w.OnDeath(func(t *sim.Thread, dead Self) {
		if err := RecoverListener(o.a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
		for _, d := range o.dials {
			if !d.open[dead] {
				continue
			}
			if err := RecoverStream(d.a, t.Env(), dead); err != nil {
				w.Fail("recovery: %v", err)
			}
		}
	})
	w.OnStuck(o.stuck)
	w.AtEnd(o.end)
	return o
}

func (o *simListener) attach(p *sim.Process) *Listener {
	point := mem.Point
	mem.Point = nil
	defer func() { mem.Point = point }()
	l, err := AttachListener(o.a, p.Env())
	if err != nil {
		o.w.Fail("attach: %v", err)
	}
	return l
}

func (o *simListener) stuck() bool {
	o.w.Settled()
	v := ViewListener(o.a)
	if who, ok := ListenerWho(v); ok && !o.w.Alive(who) {
		o.w.Fail("%v listens, and is dead", who)
		return true
	}
	for t, d := range o.answered {
		if !o.w.Alive(t.Process().Self) {
			continue
		}
		if ViewStream(d.a).End[1] != 0 {
			o.w.Fail("%v sleeps, and is answered", t)
			return true
		}
		if v != d.word {
			o.w.Fail("%v sleeps, and dialled under %#x, which is %#x", t, d.word, v)
			return true
		}
	}
	for t, word := range o.taking {
		if o.w.Alive(t.Process().Self) && word != v {
			o.w.Fail("%v would accept under %#x, and listener is %#x", t, word, v)
			return true
		}
	}
	if t := o.idle(v); t != nil {
		for d, what := range o.answered {
			if what.queued && o.w.Alive(d.Process().Self) {
				o.w.Fail("%v sleeps, %v would accept, and what was dialled is gone", d, t)
				return true
			}
		}
	}
	l, err := AttachListener(o.a, Env{})
	if err != nil {
		o.w.Fail("attach: %v", err)
	}
	for t, word := range o.taking {
		if o.w.Alive(t.Process().Self) && l.Backlog().Len() > 0 && word == v {
			o.w.Fail("%v sleeps, and somebody has dialled", t)
			return true
		}
	}
	if o.closing {
		return false
	}
	o.closing = true
	for _, f := range o.ends {
		f()
	}
	return len(o.ends) > 0
}

// idle is who sleeps in an Accept under the word.
func (o *simListener) idle(v uint64) *sim.Thread {
	for t, word := range o.taking {
		if o.w.Alive(t.Process().Self) && word == v {
			return t
		}
	}
	return nil
}

func (o *simListener) end() error {
	for i, d := range o.dials {
		x := ViewStream(d.a).End
		if d.accepted && d.refused {
			return errors.New("accepted, and refused")
		}
		if d.connects && x[1]&^(StreamRC|StreamWC|StreamGone) == 0 {
			o.w.Fail("dial %d is connected to nobody", i)
		}
		if x[1] == 0 && !o.w.Alive(d.by) {
			o.w.Fail("dial %d of %v, who is gone, was not refused", i, d.by)
		}
	}
	return CheckListener(o.a)
}

func (o *simListener) dialer(p *sim.Process, calls int) {
	l := o.attach(p)
	var me *sim.Thread
	over := false
	me = p.Go("dialer", func(t *sim.Thread) {
		for range calls {
			for range o.w.Rand.IntN(60) {
				t.Step()
			}
			if o.closing {
				break
			}
			t.Context(o.w.Rand.IntN(3) == 0)
			o.dial(t, l)
		}
		over = true
	})
	o.ends = append(o.ends, func() {
		if !over && o.w.Alive(p.Self) {
			me.Context(true)
			me.Cancel()
		}
	})
}

// dial is one Dial.
func (o *simListener) dial(t *sim.Thread, l *Listener) {
	p := t.Process()
	word, err := l.Listening()
	if err != nil {
		return
	}
	c := StreamConfig{Buffer: 64}
	d := &simDial{a: mem.Heap(c.Size()), by: p.Self, word: word, open: map[Self]bool{p.Self: true}}
	c.Init(d.a, p.Self, word)
	entry := uint32(len(o.dials))
	o.dials = append(o.dials, d)
	s, err := AttachStream(d.a, p.Env(), true)
	if err != nil {
		o.w.Fail("attach: %v", err)
	}
	o.answered[t] = d
	err = l.Queue(t, word, Dialled{Entry: entry, Gen: 1})
	if d.queued = err == nil; err == nil {
		err = l.AwaitAnswer(t, s, word)
	}
	delete(o.answered, t)
	if err != nil && err != ErrNobody && err != sim.ErrCanceled {
		o.w.Fail("Dial: %v", err)
	}
	if yes, _ := s.Answered(); !yes {
		if won, err := s.Refuse(); err != nil {
			o.w.Fail("Refuse: %v", err)
		} else if won {
			d.refused = true
			return
		}
	}
	if _, d.connects = s.Answered(); !d.connects {
		o.w.Fail("neither yes nor no")
	}
	s.End(EndAll)
}

func (o *simListener) listener(p *sim.Process, calls int) {
	l := o.attach(p)
	var word uint64
	over, shut, inside := false, false, uint32(0)
	me := p.Go("listener", func(t *sim.Thread) {
		for range o.w.Rand.IntN(100) {
			t.Step()
		}
		var err error
		for range 8 { // one of them may come upon the recovery of who listens
			if word, err = l.Listen(func(who Self) bool { return !o.w.Alive(who) }); err != ErrListens || o.closing {
				break
			}
			for range o.w.Rand.IntN(60) {
				t.Step()
			}
		}
		if err == ErrListens {
			over = true
			return
		}
		if err != nil {
			o.w.Fail("Listen: %v", err)
		}
		for range calls {
			if o.closing || shut {
				break
			}
			t.Context(shut || o.w.Rand.IntN(3) == 0)
			if !o.accept(t, l, word, &inside) {
				break
			}
		}
		l.Close(word)
		over = true
	})
	if o.w.Rand.IntN(2) == 0 { // Close in another goroutine
		p.Go("closer", func(t *sim.Thread) {
			for range o.w.Rand.IntN(300) {
				t.Step()
			}
			if word == 0 {
				return
			}
			shut = true
			for me.Context(true); inside != 0; t.Spin() { // C0
				me.Cancel()
			}
			l.Close(word)
		})
	}
	o.ends = append(o.ends, func() {
		if over || !o.w.Alive(p.Self) {
			return
		}
		p.Go("closer", func(t *sim.Thread) {
			me.Context(true)
			me.Cancel()
			l.Close(word)
		})
	})
}

// accept is one Accept under the word, which takes from the backlog while inside is 1. It reports false where no other is to come.
func (o *simListener) accept(t *sim.Thread, l *Listener, word uint64, inside *uint32) bool {
	p := t.Process()
	o.taking[t], *inside = word, 1
	d, err := l.Next(t)
	delete(o.taking, t)
	*inside = 0
	o.w.Wake(inside, -1)
	if err == sim.ErrCanceled && o.closing {
		return false
	}
	if err == sim.ErrCanceled {
		return true
	}
	if err != nil {
		o.w.Fail("Accept: %v", err)
	}
	x := o.dials[d.Entry]
	x.open[p.Self] = true
	s, err := AttachStream(x.a, p.Env(), false)
	if err != nil {
		o.w.Fail("attach: %v", err)
	}
	if s.Dialled() != word {
		return true
	}
	ok, err := s.Accept()
	if err != nil {
		o.w.Fail("Accept: %v", err)
	}
	if ok {
		if x.accepted = true; x.refused {
			o.w.Fail("accepted, and refused")
		}
		s.End(EndAll)
	}
	return true
}

func simulateListener(w *sim.World) {
	o := newSimListener(w, 1+w.Rand.IntN(2))
	o.listener(w.Process(0), w.Rand.IntN(6))
	for i := range 1 + w.Rand.IntN(2) {
		o.dialer(w.Process(1+i), 1+w.Rand.IntN(3))
	}
	if w.Rand.IntN(2) == 0 {
		o.listener(w.Process(4), 1+w.Rand.IntN(4))
	}
	next := 5
	w.OnRecovered(func(dead Self) {
		if next < 8 && w.Rand.IntN(2) == 0 {
			o.listener(w.Process(next), 1+w.Rand.IntN(4))
			next++
		}
	})
	keeper := w.Process(10) // who recovers
	keeper.Immortal = true
	keeper.Go("keeper", func(*sim.Thread) {})
}

func TestSimListener(t *testing.T) {
	for name, o := range map[string]sim.Options{
		"alive":  {StopEvery: 150, MaxStops: 3, SpuriousEvery: 200},
		"cancel": {CancelEvery: 80, SpuriousEvery: 300},
		"killed": {KillEvery: 100, MaxKills: 4, SpuriousEvery: 300, CancelEvery: 300},
	} {
		t.Run(name, func(t *testing.T) { sim.Explore(t, 3000, o, simulateListener) })
	}
}
