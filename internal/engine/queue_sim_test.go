//go:build tandem_sim

package engine_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// How the processes of a world store: see queue_store.go.
const (
	storesUnfenced = iota
	storesMixed
	storesFenced
	storesModes
)

// attach is one step, so that p does not die before it has threads.
func (o *simQueue) attach(p *sim.Process) *Queue {
	point := mem.Point
	mem.Point = nil
	defer func() { mem.Point = point }()
	env := p.Env()
	switch o.stores {
	case storesFenced:
		env.Sync, env.Unfenced = nil, nil
	case storesMixed: // some are not reached
		p.Unreached = o.w.Rand.IntN(2) == 0
		env = p.Env()
	}
	q, err := AttachQueue(o.a, env)
	if err != nil {
		o.w.Fail("attach: %v", err)
	}
	return q
}

// encode writes the message's number over its start, and parse verifies all.
func (o *simQueue) encode(m *simMessage) []byte {
	b := make([]byte, m.size)
	for i := range b {
		b[i] = byte(m.id + i)
	}
	binary.LittleEndian.PutUint64(b, uint64(m.id))
	return b
}

func (o *simQueue) parse(b []byte) *simMessage {
	if len(b) < 8 {
		o.w.Fail("%d bytes came", len(b))
	}
	m := o.msgs[int(binary.LittleEndian.Uint64(b))]
	if m == nil || string(o.encode(m)) != string(b) {
		o.w.Fail("a torn message: %x", b)
	}
	return m
}

func (o *simQueue) producer(q *Queue, n int) func(*sim.Thread) {
	return func(t *sim.Thread) {
		for range n {
			if o.c.Blocks == 0 && o.w.Rand.IntN(3) == 0 {
				if !o.putBatch(q, t) {
					return
				}
				continue
			}
			size := o.c.Room
			if o.c.Blocks > 0 {
				size = 8 + o.w.Rand.IntN(o.c.MaxMessage-7)
			}
			o.next++
			m := &simMessage{id: o.next, size: size, began: o.w.Steps()}
			o.msgs[m.id] = m
			t.Context(o.w.Rand.IntN(3) == 0)
			var err error
			if o.c.Blocks > 0 && o.w.Rand.IntN(3) == 0 {
				err = o.putLoan(q, t, m)
			} else if o.w.Rand.IntN(4) == 0 {
				err = q.TryPut(o.encode(m))
			} else {
				o.putting[t], o.attached[t] = size, q
				err = q.Put(t, o.encode(m))
				delete(o.putting, t)
			}
			switch err {
			case nil:
				m.put = o.w.Steps()
			case ErrShutdown:
				delete(o.msgs, m.id)
				return
			case sim.ErrCanceled:
				delete(o.msgs, m.id)
				if o.w.Rand.IntN(2) == 0 {
					return // and nothing of its makes good what it left undone
				}
			case ErrFull, errDropped:
				delete(o.msgs, m.id)
			default:
				o.w.Fail("Put: %v", err)
			}
		}
	}
}

// delivered enters a delivery.
func (o *simQueue) delivered(t *sim.Thread, m *simMessage, attempt int) {
	t.Note("takes %d, attempt %d", m.id, attempt)
	switch {
	case m.final:
		o.w.Fail("message %d came again after it was done", m.id)
	case m.closed:
		o.w.Fail("message %d came after a Join that waited for it", m.id)
	case attempt <= m.attempt:
		o.w.Fail("message %d came with attempt %d after %d", m.id, attempt, m.attempt)
	}
	if !o.kills && m.attempt == 0 && attempt != 1 {
		o.w.Fail("message %d came first with attempt %d", m.id, attempt)
	}
	if !o.kills && attempt == 1 {
		if m.put != 0 && m.put < o.lastPut[t] {
			o.w.Fail("message %d came after one whose Put began when that of this had returned", m.id)
		}
		o.lastPut[t] = max(o.lastPut[t], m.began)
		if m.batch != 0 {
			if o.lastOf[t] == nil {
				o.lastOf[t] = map[int]int{}
			}
			if m.id < o.lastOf[t][m.batch] {
				o.w.Fail("message %d came after message %d, which is behind it in its batch", m.id, o.lastOf[t][m.batch])
			}
			o.lastOf[t][m.batch] = m.id
		}
	}
	m.attempt, m.holder, m.mustCome = attempt, t.Process(), false
}

func (o *simQueue) take(q *Queue, t *sim.Thread, lease bool) (Slot, *simMessage, error) {
	t.Context(o.w.Rand.IntN(3) == 0)
	var s Slot
	var err error
	if o.w.Rand.IntN(4) == 0 {
		s, err = q.Take(nil, lease)
	} else {
		o.getting[t] = q
		s, err = q.Take(t, lease)
		delete(o.getting, t)
	}
	switch err {
	case nil:
	case io.EOF:
		o.ended()
		return s, nil, err
	case ErrEmpty, sim.ErrCanceled:
		return s, nil, err
	default:
		o.w.Fail("Take: %v", err)
	}
	b, err := q.BytesOf(s)
	if err != nil {
		o.w.Fail("read: %v", err)
	}
	return s, o.parse(b), nil
}

func (o *simQueue) getter(q *Queue, n int) func(*sim.Thread) {
	return func(t *sim.Thread) {
		for ; n > 0; n-- {
			if o.c.Blocks == 0 && o.w.Rand.IntN(3) == 0 && o.getRun(q, t) {
				continue
			}
			s, m, err := o.take(q, t, false)
			if err == io.EOF {
				return
			} else if err != nil {
				continue
			}
			attempt := q.Attempt(s)
			o.reading[t], m.mustCome = []simReading{{m, q, s}}, false
			q.Release(s)
			delete(o.reading, t)
			o.delivered(t, m, attempt)
			m.final = true
			for range o.w.Rand.IntN(3) {
				t.Step()
			}
			m.holder = nil // done, from before TaskDone
			if err := q.TaskDone(); err != nil {
				o.w.Fail("TaskDone: %v", err)
			}
		}
	}
}

func (o *simQueue) lessee(q *Queue, n int) func(*sim.Thread) {
	return func(t *sim.Thread) {
		for ; n > 0; n-- {
			s, m, err := o.take(q, t, true)
			if err == io.EOF {
				return
			} else if err != nil {
				continue
			}
			o.delivered(t, m, q.Attempt(s))
			o.leased[t] = simReading{m, q, s}
			if n == 1 && o.w.Rand.IntN(2) == 0 {
				return // it holds the lease until all have come to rest
			}
			steps := o.w.Rand.IntN(4)
			if o.w.Rand.IntN(4) == 0 {
				steps = o.w.Rand.IntN(300)
			}
			for range steps {
				t.Step()
			}
			o.endLease(t, simReading{m, q, s})
		}
	}
}

func (o *simQueue) endLease(t *sim.Thread, r simReading) {
	var err error
	r.m.holder = nil // done, from before Ack
	if o.w.Rand.IntN(4) == 0 {
		delete(o.leased, t)
		err = r.q.Nack(r.q.Index(r.s))
	} else {
		r.m.acking = true
		err = r.q.Ack(r.q.Index(r.s))
		r.m.acking, r.m.final = false, true
		delete(o.leased, t)
	}
	if err != nil {
		o.w.Fail("Ack, Nack: %v", err)
	}
}

func (o *simQueue) joiner(q *Queue) func(*sim.Thread) {
	return func(t *sim.Thread) {
		for range 3 {
			for range o.w.Rand.IntN(200) {
				t.Step()
			}
			var due []*simMessage
			for _, m := range o.msgs {
				if m.put != 0 {
					due = append(due, m)
				}
			}
			t.Context(o.w.Rand.IntN(3) == 0)
			o.joining[t] = q
			began := o.w.Steps()
			err := q.Join(t)
			delete(o.joining, t)
			if err == sim.ErrCanceled {
				continue
			} else if err != nil {
				o.w.Fail("Join: %v", err)
			}
			if o.always(); !o.kills && o.rested < began {
				o.w.Fail("Join returned, and something was undone all the time")
			}
			for _, m := range due {
				if m.holder != nil && o.w.Alive(m.holder.Self) {
					o.w.Fail("Join returned early: message %d is %v's", m.id, m.holder)
				}
				if !m.final && !m.acking && !o.lost(m) {
					o.w.Fail("Join returned early: message %d is not done", m.id)
				}
				m.closed = true
			}
		}
	}
}

const simMany = 1000

var simQueueConfigs = []QueueConfig{
	{Slots: 1, Room: 16, Rows: 8},
	{Slots: 2, Room: 16, Rows: 8},
	{Slots: 3, Room: 16, Rows: 8},
	{Slots: 8, Room: 16, Rows: 8},
	{Slots: 1, Room: 16, Rows: 8, Blocks: 3, BlockSize: 64, MaxMessage: 150},
	{Slots: 2, Room: 16, Rows: 8, Blocks: 4, BlockSize: 64, MaxMessage: 250},
	{Slots: 3, Room: 16, Rows: 8, Blocks: 7, BlockSize: 64, MaxMessage: 150},
	{Slots: 8, Room: 16, Rows: 8, Blocks: 7, BlockSize: 64, MaxMessage: 150},
}

// A simMix says how often a thread is what, and which queues it is about.
type simMix struct {
	producers, getters, lessees, joiners int
	configs                              []QueueConfig
}

// simulateQueue builds a world: processes 0 to 3 produce, get, lease and join
// as the seed says; 5 gets or leases, perhaps only when
// all have come to rest, and is never killed; 6 may shut down
// early, 7 does when all have come to rest.
func simulateQueue(t *testing.T, o sim.Options, mix simMix) func(*sim.World) {
	return func(w *sim.World) {
		q := &simQueue{T: t, w: w, c: mix.configs[w.Rand.IntN(len(mix.configs))], msgs: map[int]*simMessage{},
			kills: o.KillEvery > 0, getting: map[*sim.Thread]*Queue{}, putting: map[*sim.Thread]int{}, lending: map[*sim.Thread]int{}, attached: map[*sim.Thread]*Queue{},
			joining: map[*sim.Thread]*Queue{}, reading: map[*sim.Thread][]simReading{}, leased: map[*sim.Thread]simReading{}, lastPut: map[*sim.Thread]int{}, lastOf: map[*sim.Thread]map[int]int{}}
		q.a = mem.Heap(q.c.Size())
		q.c.InitLap(q.a, NearWrap)
		q.stores = w.Rand.IntN(storesModes)

		some := func() int {
			if w.Rand.IntN(3) == 0 {
				return simMany
			}
			return 1 + w.Rand.IntN(4)
		}
		populate := func(p *sim.Process, roles int) {
			e := q.attach(p)
			for range roles {
				r := w.Rand.IntN(mix.producers + mix.getters + mix.lessees + mix.joiners)
				switch {
				case r < mix.producers:
					p.Go("producer", q.producer(e, 1+w.Rand.IntN(8)))
				case r < mix.producers+mix.getters:
					p.Go("getter", q.getter(e, some()))
				case r < mix.producers+mix.getters+mix.lessees:
					p.Go("lessee", q.lessee(e, some()))
				default:
					p.Go("joiner", q.joiner(e))
				}
			}
		}
		for i := range 2 + w.Rand.IntN(3) {
			populate(w.Process(i), 1+w.Rand.IntN(3))
		}
		last := w.Process(5)
		last.Immortal = true
		e := q.attach(last)
		consume := q.lessee(e, simMany)
		if w.Rand.IntN(2) == 0 {
			consume = q.getter(e, simMany)
		}
		q.last = uint32(w.Rand.IntN(2))
		last.Go("last consumer", func(t *sim.Thread) {
			for q.last == 0 {
				t.Sleep(&q.last, 0)
			}
			consume(t)
		})
		if w.Rand.IntN(3) == 0 {
			p := w.Process(6)
			p.Immortal = true
			p.Go("early closer", func(t *sim.Thread) {
				for range w.Rand.IntN(600) {
					t.Step()
				}
				q.shutdown(7)
			})
		}
		w.OnDeath(func(t *sim.Thread, dead Self) {
			q.died(dead)
			if err := RecoverQueue(q.a, t.Env(), dead); err != nil {
				w.Fail("recovery: %v", err)
			}
		})
		w.OnRecovered(func(dead Self) {
			if w.Rand.IntN(2) == 0 {
				populate(w.Process(int(dead.Index)), 1)
			}
		})
		w.Each(FrontOf(q.a).Look)
		w.Always(q.always)
		w.OnStuck(q.stuck)
		w.AtEnd(q.end)
	}
}

func TestSimQueue(t *testing.T) {
	for _, o := range []sim.Options{
		{},
		{StopEvery: 100, MaxStops: 4, CancelEvery: 150, SpuriousEvery: 300},
		{KillEvery: 150, MaxKills: 3},
		{KillEvery: 100, MaxKills: 3, StopEvery: 100, MaxStops: 3, CancelEvery: 200, SpuriousEvery: 300},
	} {
		t.Run(fmt.Sprintf("kills=%d,stops=%d", o.MaxKills, o.MaxStops), func(t *testing.T) {
			sim.Explore(t, 4000, o, simulateQueue(t, o, simMix{3, 2, 1, 1, simQueueConfigs}))
		})
	}
}

// Many who join, so that one begins while another is being woken.
func TestSimQueueJoin(t *testing.T) {
	o := sim.Options{CancelEvery: 300}
	sim.Explore(t, 6000, o, simulateQueue(t, o, simMix{2, 2, 1, 3, simQueueConfigs[:2]}))
}

// Many who want blocks, and give up.
func TestSimQueueBlocks(t *testing.T) {
	o := sim.Options{CancelEvery: 80}
	sim.Explore(t, 6000, o, simulateQueue(t, o, simMix{5, 1, 1, 0, simQueueConfigs[4:]}))
}
