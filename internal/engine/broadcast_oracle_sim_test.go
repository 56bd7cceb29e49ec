//go:build tandem_sim

package engine_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sim"
)

// A saying is a message of the simulation.
type saying struct {
	id, size int
	done     bool   // its Publish returned nil
	failed   bool   // or an error
	at       uint64 // its position, when it has one
}

// A simBroadcast is the oracle: it looks at all slots whenever another thread runs, and
// when a Publish has returned, so that it sees each message come in.
type simBroadcast struct {
	*testing.T
	w          *sim.World
	c          BroadcastConfig
	a          mem.Area
	eye        *Broadcast
	msgs       map[int]*saying
	next       int
	order      map[uint64]*saying
	start      uint64
	front      uint64
	sealed     bool
	stores     int
	recovering map[Self]bool

	publishing map[*sim.Thread]*publishing
	subs       map[*Subscription]*sim.Process
	at         map[*Subscription]uint64 // when its last call returned
	waiting    map[*sim.Thread]*Subscription
	holding    map[*sim.Thread]*Subscription // not read any more, and not closed
	closing    bool
}

type publishing struct {
	b    *Broadcast
	m    *saying
	full bool // at some instant of the call there was no room
}

// unseen runs f without a step.
func unseen(f func()) {
	point, stores, where := mem.Point, mem.Stores, mem.Where
	mem.Point, mem.Stores, mem.Where = nil, nil, nil
	defer func() { mem.Point, mem.Stores, mem.Where = point, stores, where }()
	f()
}

func newSimBroadcast(t *testing.T, w *sim.World, c BroadcastConfig) *simBroadcast {
	o := &simBroadcast{T: t, w: w, c: c, msgs: map[int]*saying{}, order: map[uint64]*saying{}, recovering: map[Self]bool{},
		publishing: map[*sim.Thread]*publishing{}, subs: map[*Subscription]*sim.Process{}, at: map[*Subscription]uint64{},
		waiting: map[*sim.Thread]*Subscription{}, holding: map[*sim.Thread]*Subscription{}}
	o.a = mem.Heap(c.Size())
	w.Share(o.a)
	c.InitLap(o.a, 1<<31-1)
	eye, err := AttachBroadcast(o.a, Env{Wake: func(*uint32, int) int { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	o.eye = eye
	o.front = eye.Front()
	o.start = o.front
	w.OnDeath(func(t *sim.Thread, dead Self) {
		o.recovering[dead] = true
		if err := RecoverBroadcast(o.a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	w.OnRecovered(func(dead Self) {
		unseen(func() {
			if n := o.eye.RowsOf(dead); n != 0 {
				w.Fail("%d rows are %v's, which was recovered", n, dead)
			}
		})
	})
	w.Always(func() (err error) { unseen(func() { err = o.look() }); return err })
	w.OnStuck(func() (more bool) { w.Settled(); unseen(func() { more = o.stuck() }); return more })
	w.AtEnd(func() error {
		for s := range o.subs {
			if o.live(s) {
				s.Close()
			}
		}
		return CheckBroadcast(o.a, true)
	})
	return o
}

func (o *simBroadcast) live(s *Subscription) bool { return o.w.Alive(o.subs[s].Self) && !s.Closed() }

// look is at every slot. It verifies that messages come in one at a time, whole, at the
// front, not over one that a live Reliable subscriber has not had, and not after the end.
func (o *simBroadcast) look() error {
	f := o.eye.Front()
	if f < o.front || f > o.front && o.sealed {
		return fmt.Errorf("the front goes from %d to %d, end %v", o.front, f, o.sealed)
	}
	for p := f - uint64(o.c.Slots); p < f; p++ {
		last, msg, end := o.eye.At(p)
		if last != p {
			return fmt.Errorf("the front is %d, and slot %d has %d", f, p, last)
		}
		if o.sealed = o.sealed || end; end && p != f-uint64(o.c.Slots) {
			return fmt.Errorf("the end is at %d, and the front at %d", p+uint64(o.c.Slots), f)
		}
		if msg == nil {
			if p >= o.front {
				return fmt.Errorf("position %d was void before it was seen", p)
			}
			continue
		}
		m, err := o.parse(msg)
		if err != nil {
			return fmt.Errorf("position %d: %w", p, err)
		}
		switch {
		case p >= o.front && (m.at != 0 || m.done || m.failed):
			return fmt.Errorf("message %+v comes at %d", *m, p)
		case p >= o.front:
			m.at = p
			o.order[p] = m
		case p >= o.start && o.order[p] != m:
			return fmt.Errorf("position %d has message %d", p, m.id)
		}
	}
	o.front = f
	if o.c.Reliable {
		for s := range o.subs {
			for p := s.Position(); o.live(s) && p < f; p++ {
				if last, msg, _ := o.eye.At(p); last != p || msg == nil {
					return fmt.Errorf("a live subscriber at %d is overrun at %d", s.Position(), p)
				}
			}
		}
	}
	for _, p := range o.publishing {
		p.full = p.full || o.full(p)
	}
	return o.eye.Tiled()
}

// full reports that there is no room for what is being published, by what has returned.
func (o *simBroadcast) full(p *publishing) bool {
	if o.eye.FreeBlocks() < o.eye.BlocksFor(p.m.size) {
		return true
	}
	return o.c.Reliable && o.front >= uint64(o.c.Slots)+o.eye.Keeps(func(row uint32) (uint64, bool) {
		for s := range o.subs {
			if o.live(s) && s.Row() == row {
				return o.at[s], true
			}
		}
		return 0, false
	})
}

// saying is one more message.
func (o *simBroadcast) saying(size int) *saying {
	o.next++
	m := &saying{id: o.next, size: size}
	o.msgs[m.id] = m
	return m
}

func (o *simBroadcast) encode(m *saying) []byte {
	b := make([]byte, m.size)
	for i := range b {
		b[i] = byte(m.id + i)
	}
	binary.LittleEndian.PutUint64(b, uint64(m.id))
	return b
}

func (o *simBroadcast) parse(b []byte) (*saying, error) {
	if len(b) < 8 {
		return nil, fmt.Errorf("%d bytes", len(b))
	}
	m := o.msgs[int(binary.LittleEndian.Uint64(b))]
	if m == nil || string(o.encode(m)) != string(b) {
		return nil, fmt.Errorf("a torn message: %x", b)
	}
	return m, nil
}

func (o *simBroadcast) attach(p *sim.Process) (b *Broadcast) {
	unseen(func() {
		env := p.Env()
		switch o.stores {
		case storesFenced:
			env.Sync, env.Unfenced = nil, nil
		case storesMixed:
			p.Unreached = o.w.Rand.IntN(2) == 0
			env = p.Env()
		}
		var err error
		if b, err = AttachBroadcast(o.a, env); err != nil {
			o.w.Fail("attach: %v", err)
		}
	})
	return b
}

// left reports that the error is that of a process that closes the region.
func left(t *sim.Thread, err error) bool {
	return t.Closed() && (err == ErrGone || errors.Is(err, object.ErrClosed))
}

func (o *simBroadcast) publisher(b *Broadcast, n int, tries bool) func(*sim.Thread) {
	return func(t *sim.Thread) {
		for range n {
			size := o.c.MaxMessage
			if !o.c.Fixed {
				size = 8 + o.w.Rand.IntN(o.c.MaxMessage-7)
			}
			m := o.saying(size)
			t.Context(o.w.Rand.IntN(3) == 0)
			p := &publishing{b: b, m: m}
			o.publishing[t] = p
			unseen(func() { p.full = o.full(p) })
			var err error
			try := tries || o.w.Rand.IntN(4) == 0
			if try {
				err = b.TryPublish(o.encode(m))
			} else {
				err = b.Publish(t, o.encode(m))
			}
			delete(o.publishing, t)
			var saw error
			unseen(func() { saw = o.look() })
			if saw != nil {
				o.w.Fail("%v", saw)
			}
			if err != nil && m.at != 0 {
				o.w.Fail("message %d is at %d, and its Publish: %v", m.id, m.at, err)
			}
			m.done, m.failed = err == nil, err != nil
			switch {
			case err == nil:
				if m.at == 0 {
					o.w.Fail("message %d was published, and did not come into the ring", m.id)
				}
			case err == ErrShutdown && o.closing, left(t, err):
				return
			case err == ErrFull && try:
				if !p.full {
					o.w.Fail("full, and at no instant was it")
				}
			case err == sim.ErrCanceled:
			default:
				o.w.Fail("Publish: %v", err)
			}
		}
	}
}

// subscriber reads n messages, or all. Then it closes, or only does not read any more.
func (o *simBroadcast) subscriber(b *Broadcast, n int, tries bool) func(*sim.Thread) {
	return func(t *sim.Thread) {
		began := o.front
		s, err := b.Subscribe()
		if err != nil {
			if err != ErrNoRow && !left(t, err) {
				o.w.Fail("Subscribe: %v", err)
			}
			return
		}
		o.subs[s] = t.Process()
		from := s.Position()
		o.at[s] = from
		if from < began {
			o.w.Fail("a subscriber of %d begins at %d", began, from)
		}
		got, missed := uint64(0), uint64(0)
		for ; n > 0; n-- {
			t.Context(o.w.Rand.IntN(3) == 0)
			began := o.front
			var msg []byte
			try := tries || o.w.Rand.IntN(4) == 0
			if try {
				msg, err = s.GetNow()
			} else {
				o.waiting[t] = s
				msg, err = s.Get(t)
				delete(o.waiting, t)
			}
			missed += s.Missed()
			o.at[s] = s.Position()
			if err == nil {
				m, err := o.parse(msg)
				if err != nil || o.order[s.Position()-1] != m {
					o.w.Fail("a subscriber gets %+v, %v at %d", m, err, s.Position()-1)
				}
				got++
			}
			if s.Position()-from != got+missed {
				o.w.Fail("at %d, from %d: %d received, %d missed", s.Position(), from, got, missed)
			}
			switch {
			case err == nil:
			case err == io.EOF:
				var saw error
				unseen(func() { saw = o.look() })
				if saw != nil {
					o.w.Fail("%v", saw)
				}
				if s.Position() != o.front || !o.sealed {
					o.w.Fail("the end at %d, and the front is %d", s.Position(), o.front)
				}
				n = 1
			case err == ErrEmpty && try:
				if began > s.Position() {
					o.w.Fail("empty at %d, and the front was %d", s.Position(), began)
				}
			case err == sim.ErrCanceled:
			case left(t, err):
				return
			default:
				o.w.Fail("Next: %v", err)
			}
			if o.c.Reliable && missed > 0 {
				o.w.Fail("a Reliable subscriber has missed %d", missed)
			}
		}
		if o.w.Rand.IntN(2) == 0 {
			o.holding[t] = s
			return
		}
		s.Close()
	}
}

// stuck is called when all threads sleep. It finds who should not, then lets those go that
// keep the others waiting, and at last shuts down.
func (o *simBroadcast) stuck() bool {
	for t, s := range o.waiting {
		if o.w.Alive(t.Process().Self) && (s.Position() < o.front || o.sealed || o.eye.IsShut()) {
			o.w.Fail("%v sleeps at %d, and the front is %d", t, s.Position(), o.front)
			return true
		}
	}
	for t, p := range o.publishing {
		if !o.w.Alive(t.Process().Self) {
			continue
		}
		if want := o.eye.BlocksFor(p.m.size); o.sealed || o.eye.IsShut() || o.eye.Lets() && (p.b.HeldBlocks() >= want ||
			o.eye.FreeBlocks()+o.eye.RemovableBlocks() >= want) {
			o.w.Fail("%v sleeps, and has room", t)
			return true
		}
	}
	for t, s := range o.holding {
		delete(o.holding, t)
		if p := t.Process(); o.live(s) {
			p.Go("its end", func(*sim.Thread) { s.Close() })
			return true
		}
	}
	if o.eye.IsShut() {
		return false
	}
	o.closing = false // it was not, or the one who was to do it has died
	o.shutdown(8)
	return true
}

func (o *simBroadcast) shutdown(index int) {
	if o.closing {
		return
	}
	o.closing = true
	p := o.w.Process(index)
	p.Immortal = index != 7 || o.w.Rand.IntN(2) == 0
	b := o.attach(p)
	p.Go("closer", func(t *sim.Thread) {
		if err := b.Shutdown(); err != nil && !left(t, err) {
			o.w.Fail("Shutdown: %v", err)
		}
	})
}
