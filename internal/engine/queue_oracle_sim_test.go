//go:build tandem_sim

package engine_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// A message of the simulation and what came of it.
type simMessage struct {
	id       int
	size     int
	began    int // step at which its Put began
	put      int // step at which it returned; 0: it has not
	attempt  int // of the last delivery
	acking   bool
	final    bool // got, acknowledged or gone with its getter: never again
	holder   *sim.Process
	mustCome bool // its getter died with the slot still reading
	closed   bool // a Join that began after its Put has returned
	batch    int  // of which it is one, or 0
}

// A simQueue is the oracle. It is changed between scheduling points, so
// together with the access before.
type simQueue struct {
	*testing.T
	w        *sim.World
	c        QueueConfig
	a        mem.Area
	msgs     map[int]*simMessage
	next     int
	eof      bool
	stores   int  // how its processes store
	kills    bool // of this world: the order is not looked at
	getting  map[*sim.Thread]*Queue
	putting  map[*sim.Thread]int // bytes
	lending  map[*sim.Thread]int // bytes
	attached map[*sim.Thread]*Queue
	joining  map[*sim.Thread]*Queue
	reading  map[*sim.Thread][]simReading // not yet known to be got
	leased   map[*sim.Thread]simReading   // not yet known to be acknowledged or given back
	lastPut  map[*sim.Thread]int          // the latest beginning of a Put of what it took
	lastOf   map[*sim.Thread]map[int]int  // of a batch, the last that it took
	closing  bool
	rested   int    // the last step at which nothing was undone
	last     uint32 // 1: the last consumer may begin
}

type simReading struct {
	m *simMessage
	q *Queue
	s Slot
}

// always verifies what holds at any instant, and notes when nothing is certainly undone.
func (o *simQueue) always() error {
	if o.c.Blocks > 0 {
		if err := TiledQueue(o.a); err != nil {
			return err
		}
	}
	for _, m := range o.msgs {
		if m.put != 0 && !m.acking && (!m.final || m.holder != nil) {
			return nil
		}
	}
	o.rested = o.w.Steps()
	return nil
}

// lost reports that a dead getter may have had the message.
func (o *simQueue) lost(m *simMessage) bool {
	if m.mustCome {
		return false
	}
	for t, rs := range o.reading {
		for _, r := range rs {
			if r.m == m && !o.w.Alive(t.Process().Self) {
				return true
			}
		}
	}
	return false
}

// ended verifies an end of the queue.
func (o *simQueue) ended() {
	o.eof = true
	for _, m := range o.msgs {
		inHand := m.acking // a consumer has it, and has not noted that yet
		for _, rs := range o.reading {
			for _, r := range rs {
				inHand = inHand || r.m == m
			}
		}
		if m.put != 0 && !m.final && !inHand || m.mustCome {
			o.w.Fail("EOF with message %d undone: %+v", m.id, *m)
		}
	}
}

// died is called first thing in every recovery.
func (o *simQueue) died(dead Self) {
	for t, rs := range o.reading {
		if t.Process().Self == dead {
			o.reading[t] = slices.DeleteFunc(rs, func(r simReading) bool {
				r.m.mustCome = o.holds(r, IsReading)
				return r.m.mustCome
			})
		}
	}
	for t, r := range o.leased {
		if t.Process().Self == dead {
			r.m.acking = false
			if o.holds(r, IsLeased) {
				r.m.mustCome = true
			} else {
				r.m.final = true
			}
			delete(o.leased, t)
		}
	}
	for _, m := range o.msgs {
		if m.holder != nil && m.holder.Self == dead {
			m.holder = nil
		}
	}
}

// holds reports whether a claim stands that was seen last as r.
func (o *simQueue) holds(r simReading, phase uint64) bool {
	point := mem.Point
	mem.Point = nil
	defer func() { mem.Point = point }()
	if !r.q.SlotIs(r.s, phase) {
		return false
	}
	b, err := r.q.BytesOf(r.s)
	if err != nil || len(b) < 8 {
		o.w.Fail("a dead consumer's message is torn: %x, %v", b, err)
	}
	return int(binary.LittleEndian.Uint64(b)) == r.m.id
}

// stuck is called when all threads sleep. It finds who should not, and at
// last shuts the queue down.
func (o *simQueue) stuck() bool {
	for t, q := range o.getting {
		if o.w.Alive(t.Process().Self) && q.More() {
			o.w.Fail("%v sleeps, and a message is there", t)
			return true
		}
	}
	for t, n := range o.putting {
		if o.w.Alive(t.Process().Self) && o.attached[t].Fits(n) {
			o.w.Fail("%v sleeps, and %d bytes would fit", t, n)
			return true
		}
	}
	for t, n := range o.lending {
		if o.w.Alive(t.Process().Self) && o.attached[t].FitsWhole(n) {
			o.w.Fail("%v sleeps, and a loan of %d bytes would fit", t, n)
			return true
		}
	}
	for t, q := range o.joining {
		if o.w.Alive(t.Process().Self) && q.AtRest() {
			o.w.Fail("%v sleeps, and nothing is undone", t)
			return true
		}
	}
	for t, r := range o.leased {
		if p := t.Process(); o.w.Alive(p.Self) && r.m.holder != nil {
			p.Go("lease's end", func(*sim.Thread) { o.endLease(t, r) })
			return true
		}
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

func (o *simQueue) shutdown(index int) {
	if o.closing {
		return
	}
	o.closing = true
	p := o.w.Process(index)
	p.Immortal = true
	q := o.attach(p)
	p.Go("closer", func(*sim.Thread) { q.Shutdown() })
}

func (o *simQueue) end() error {
	if err := CheckQueue(o.a, true); err != nil {
		return err
	}
	for _, m := range o.msgs {
		if m.put != 0 && !m.final && !o.lost(m) || m.mustCome {
			return fmt.Errorf("message %d was lost: %+v", m.id, *m)
		}
	}
	if !o.eof {
		return errors.New("no end")
	}
	return o.beginnings()
}

// beginnings verifies that what came of a batch is its first messages, also where its
// producer died: B2.
func (o *simQueue) beginnings() error {
	for _, m := range o.msgs {
		if m.batch == 0 || m.attempt == 0 {
			continue
		}
		for id := m.batch; id < m.id; id++ {
			if e := o.msgs[id]; e == nil || e.attempt == 0 && !o.lost(e) {
				return fmt.Errorf("message %d came, and not message %d, which is before it in its batch", m.id, id)
			}
		}
	}
	return nil
}
