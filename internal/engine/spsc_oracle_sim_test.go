//go:build tandem_sim

package engine_test

import (
	"encoding/binary"
	"fmt"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// A spscMessage is one of the simulation and what came of it.
type spscMessage struct {
	id       int
	put      bool // its Put returned nil
	rejected bool // it returned an error
	got      bool
}

// A spscTry is a call that may say that there is nothing, or no room.
type spscTry struct {
	s      *SPSC
	puts   bool
	was    bool // so, at an instant of the call
	blocks bool
	held   bool // at an instant of the call another who lives had the side
}

// A simSPSC is the oracle. It is changed between scheduling points, so together with
// the access before.
type simSPSC struct {
	w       *sim.World
	c       SPSCConfig
	a       mem.Area
	stores  int // how its processes store
	misses  bool
	next    int
	msgs    map[int]*spscMessage
	order   map[uint64]*spscMessage // by position
	due     uint64                  // the position of the next message to be got
	calls   map[*sim.Thread]*spscTry
	flight  map[*sim.Thread]int // messages that a Get is about to get
	died    map[Self]bool
	gone    map[uint64]bool      // by position
	roles   map[*sim.Process]int // threads that use a side
	idle    []*sim.Process       // that have sides, and no such threads any more
	ended   bool
	endedAt uint64
	closing bool
	last    uint32 // 1: the last consumer may begin
}

func newSimSPSC(w *sim.World, c SPSCConfig) *simSPSC {
	o := &simSPSC{w: w, c: c, a: mem.Heap(c.Size()), msgs: map[int]*spscMessage{}, order: map[uint64]*spscMessage{}, due: spscFrom,
		calls: map[*sim.Thread]*spscTry{}, flight: map[*sim.Thread]int{}, died: map[Self]bool{}, gone: map[uint64]bool{}, roles: map[*sim.Process]int{}}
	c.InitAt(o.a, spscFrom)
	w.OnDeath(func(t *sim.Thread, dead Self) {
		o.death(dead)
		if err := RecoverSPSC(o.a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	w.Always(o.always)
	w.OnStuck(o.stuck)
	w.AtEnd(o.end)
	return o
}

const spscFrom = 1<<32 - 2

// attach is one step, so that p does not die before it has threads.
func (o *simSPSC) attach(p *sim.Process) *SPSC {
	point := mem.Point
	mem.Point = nil
	defer func() { mem.Point = point }()
	env := p.Env()
	switch o.stores {
	case storesFenced:
		env.Sync, env.Unfenced = nil, nil
	case storesMixed:
		p.Unreached = o.w.Rand.IntN(2) == 0
		env = p.Env()
	}
	env.Misses = o.misses
	s, err := AttachSPSC(o.a, env)
	if err != nil {
		o.w.Fail("attach: %v", err)
	}
	s.Leaves = func(who Self) bool { return !o.w.Alive(who) }
	return s
}

func (o *simSPSC) message() *spscMessage {
	o.next++
	m := &spscMessage{id: o.next}
	o.msgs[m.id] = m
	return m
}

func (o *simSPSC) encode(m *spscMessage) []byte {
	b := make([]byte, o.c.Room)
	for i := range b {
		b[i] = byte(m.id + i)
	}
	binary.LittleEndian.PutUint64(b, uint64(m.id))
	return b
}

func (o *simSPSC) parse(b []byte) *spscMessage {
	m := o.msgs[int(binary.LittleEndian.Uint64(b))]
	if m == nil || string(o.encode(m)) != string(b) {
		o.w.Fail("a torn message: %x", b)
	}
	return m
}

// at notes that m is the message at pos.
func (o *simSPSC) at(pos uint64, m *spscMessage) {
	if x := o.order[pos]; x != nil && x != m {
		o.w.Fail("message %d at %d, where message %d is", m.id, pos, x.id)
	}
	o.order[pos] = m
}

// putDone enters what came of a Put of ms, of which in are in.
func (o *simSPSC) putDone(t *sim.Thread, s *SPSC, ms []*spscMessage, in int) {
	pos, mine := s.PutAt()
	for i, m := range ms {
		if i >= in {
			m.rejected = true
			if m.got {
				o.w.Fail("message %d was got, and not put", m.id)
			}
			continue
		}
		if v := ViewSPSC(o.a); !mine || v.Producer != SPSCName(t.Process().Self) {
			o.w.Fail("%v puts, and %#x has the side", t, v.Producer)
		}
		// Of a run that was cut the later ones were stored, too.
		at := pos - uint64(len(ms)) + uint64(i)
		m.put = true
		o.at(at, m)
		if o.ended && at >= o.endedAt {
			o.w.Fail("message %d was put after the end", m.id)
		}
	}
}

// gotDone enters what a Get got.
func (o *simSPSC) gotDone(t *sim.Thread, s *SPSC, ms []*spscMessage) {
	if v := ViewSPSC(o.a); v.Consumer != SPSCName(t.Process().Self) {
		o.w.Fail("%v gets, and %#x has the side", t, v.Consumer)
	}
	pos, _ := s.GetAt()
	pos -= uint64(len(ms))
	for _, m := range ms {
		t.Note("got %d at %d", m.id, pos)
		switch {
		case pos != o.due:
			o.w.Fail("message %d at %d was got, and %d is due", m.id, pos, o.due)
		case m.rejected:
			o.w.Fail("message %d was got, and not put", m.id)
		case m.got:
			o.w.Fail("message %d was got twice", m.id)
		case o.ended && pos >= o.endedAt:
			o.w.Fail("message %d was got after the end", m.id)
		}
		m.got = true
		o.at(pos, m)
		pos++
		o.due = pos
	}
}

// eof enters an end.
func (o *simSPSC) eof(s *SPSC) {
	pos, _ := s.GetAt()
	if o.ended && o.endedAt != pos {
		o.w.Fail("the end is at %d, and was at %d", pos, o.endedAt)
	}
	o.ended, o.endedAt = true, pos
	for at, m := range o.order {
		if m.put && at >= pos {
			o.w.Fail("the end is at %d, and message %d lies at %d", pos, m.id, at)
		}
	}
}

// death is called first thing in every recovery.
func (o *simSPSC) death(dead Self) {
	if o.died[dead] {
		return
	}
	o.died[dead] = true
	v := ViewSPSC(o.a)
	if v.Consumer != SPSCName(dead) {
		return
	}
	most := 0
	for t, n := range o.flight {
		if t.Process().Self == dead {
			most = n
		}
	}
	if n := v.Head - o.due; n > uint64(most) {
		o.w.Fail("%v died with head at %d, %d was due, and it was getting %d", dead, v.Head, o.due, most)
	}
	for ; o.due < v.Head; o.due++ {
		o.gone[o.due] = true // with it
	}
}

// always notes what was so at an instant.
func (o *simSPSC) always() error {
	for _, c := range o.calls {
		c.look(o)
	}
	return nil
}

func (c *spscTry) look(o *simSPSC) {
	v := ViewSPSC(o.a)
	holder := v.Consumer
	if c.puts {
		pos, mine := c.s.PutAt()
		c.was = c.was || !mine || pos-v.Head >= uint64(o.c.Slots)
		holder = v.Producer
	} else {
		pos, mine := c.s.GetAt()
		c.was = c.was || !mine || v.Tail == pos
	}
	c.held = c.held || holder != 0 && o.w.Alive(spscHolder(holder))
}

func spscHolder(name uint64) Self { return Self{uint32(name>>32) - 1, uint32(name)} }

func (o *simSPSC) begin(t *sim.Thread, s *SPSC, puts, blocks bool) {
	c := &spscTry{s: s, puts: puts, blocks: blocks}
	c.look(o)
	o.calls[t] = c
}

// over ends a call that said err, where that is none if there is nothing, or no room.
func (o *simSPSC) over(t *sim.Thread, err, none error) {
	c := o.calls[t]
	c.look(o)
	delete(o.calls, t)
	if err == none && !c.was {
		o.w.Fail("%v: there was something all the time", t)
	}
	if err == ErrBusy && c.blocks && !c.held {
		o.w.Fail("%v: nobody who lives had the side", t)
	}
}

// stuck is called when all threads sleep. It finds who should not, and at last ends
// the stream.
func (o *simSPSC) stuck() bool {
	o.w.Settled()
	v := ViewSPSC(o.a)
	for t, c := range o.calls {
		if !o.w.Alive(t.Process().Self) {
			continue
		}
		pos, mine := c.s.GetAt()
		if c.puts {
			pos, mine = c.s.PutAt()
		}
		switch {
		case !mine:
			o.w.Fail("%v sleeps for a side, and all who died are recovered", t)
			return true
		case c.puts && (v.Shut || pos-v.Head < uint64(o.c.Slots)):
			o.w.Fail("%v sleeps, and there is room, or it is over", t)
			return true
		case !c.puts && (v.Shut || pos != v.Tail):
			o.w.Fail("%v sleeps, and a message is there, or it is over", t)
			return true
		}
	}
	if idle := o.idle; len(idle) > 0 {
		o.idle = nil
		for _, p := range idle {
			if o.w.Alive(p.Self) {
				p.Go("leaver", func(t *sim.Thread) {
					t.Membarrier()
					RecoverSPSC(o.a, t.Env(), p.Self)
				})
			}
		}
		return true
	}
	if o.last == 0 {
		o.last = 1
		o.w.Wake(&o.last, -1)
		return true
	}
	if o.closing {
		return false
	}
	o.shutdown(7)
	return true
}

func (o *simSPSC) shutdown(index int) {
	if o.closing {
		return
	}
	o.closing = true
	p := o.w.Process(index)
	s := o.attach(p)
	p.Immortal = true
	p.Go("closer", func(*sim.Thread) { s.Shutdown() })
}

func (o *simSPSC) end() error {
	if err := CheckSPSC(o.a); err != nil {
		return err
	}
	v := ViewSPSC(o.a)
	for _, name := range []uint64{v.Producer, v.Consumer} {
		if name != 0 && !o.w.Alive(spscHolder(name)) {
			return fmt.Errorf("a side is %#x's, who is dead", name)
		}
	}
	tail := v.Tail
	if v.End != 0 {
		tail = min(tail, v.End-1)
	}
	for at, m := range o.order {
		if m.put && !m.got && !o.gone[at] && (at < v.Head || at >= tail) {
			return fmt.Errorf("message %d was put at %d and is lost: head %d, tail %d, end %d", m.id, at, v.Head, v.Tail, v.End)
		}
	}
	if o.ended && v.Head != o.endedAt {
		return fmt.Errorf("the end was at %d, head is at %d", o.endedAt, v.Head)
	}
	return nil
}
