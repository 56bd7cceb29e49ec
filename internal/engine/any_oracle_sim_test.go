//go:build tandem_sim

package engine_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// An anyThing is one of the objects of the world.
type anyThing struct {
	kind  engine.Kind
	a     mem.Area
	users map[*sim.Process]any
	held  map[*sim.Process]*sim.Thread // of what one thread of a process may use at a time
}

const anyRows = 16

var (
	anyQueue     = engine.QueueConfig{Slots: 2, Room: 8, Rows: anyRows}
	anySPSC      = engine.SPSCConfig{Slots: 2, Room: 8}
	anyPipe      = engine.PipeConfig{Buffer: 256, Participants: anyRows}
	anyBroadcast = engine.BroadcastConfig{Slots: 2, MaxMessage: 8, Fixed: true, Blocks: 32, BlockSize: 64, Rows: anyRows, Subscribers: anyRows}
)

// A listener is a process's use of a broadcast.
type listener struct {
	*engine.Subscription
	b *engine.Broadcast
}

// A mailbox is a process's use of a pipe: it has the end where messages come, and now and
// then the other one. Where nobody has that any more the pipe is at its end.
type mailbox struct {
	engine.Source
	pipe    *engine.Pipe
	in, out *engine.PipeEnd
}

// send sends a message, if there is room, as soon as nobody is in the way.
func (m *mailbox) send(by engine.Sleeper) error {
	if m.out == nil {
		h, err := m.pipe.Open(engine.PipeLeft, new(atomic.Bool))
		switch {
		case err != nil:
			return err
		case m.out != nil: // another thread was faster
			h.Close()
		default:
			m.out = h
		}
	}
	h := m.out
	var err error
	if by != nil {
		_, err = h.Send(by, make([]byte, 8))
	} else {
		_, err = h.SendNow(make([]byte, 8))
	}
	return err
}

// leave closes the end where messages are sent.
func (m *mailbox) leave() {
	if h := m.out; h != nil {
		m.out = nil
		h.Close()
	}
}

// anyKeeper is somebody who lives on: it has what nobody is to have, or everybody.
var anyKeeper = engine.Env{Self: engine.Self{Index: anyRows - 2, Epoch: 1}}

func newAnyThing(k engine.Kind) *anyThing {
	x := &anyThing{kind: k, users: map[*sim.Process]any{}, held: map[*sim.Process]*sim.Thread{}}
	switch k {
	case engine.KindSemaphore:
		x.a = mem.Heap(engine.SemaphoreSize(anyRows))
		engine.InitSemaphore(x.a, 0)
	case engine.KindBoundedSemaphore:
		x.a = mem.Heap(engine.SemaphoreSize(anyRows))
		engine.InitSemaphore(x.a, 3)
		u := x.attach(anyKeeper).(*engine.Semaphore)
		for range 3 {
			u.TryAcquire()
		}
	case engine.KindPipe:
		x.a = mem.Heap(anyPipe.Size())
		anyPipe.Init(x.a)
		if _, err := x.attach(anyKeeper).(*engine.Pipe).Open(engine.PipeRight, new(atomic.Bool)); err != nil {
			panic(err)
		}
	case engine.KindQueue:
		x.a = mem.Heap(anyQueue.Size())
		anyQueue.Init(x.a)
	case engine.KindEvent:
		x.a = mem.Heap(engine.EventSize)
		engine.InitEvent(x.a)
	case engine.KindSPSC:
		x.a = mem.Heap(anySPSC.Size())
		anySPSC.Init(x.a)
	case engine.KindBroadcast:
		x.a = mem.Heap(anyBroadcast.Size())
		anyBroadcast.Init(x.a)
	}
	return x
}

// hold reports that t may use it, until it lets go.
func (x *anyThing) hold(t *sim.Thread) bool {
	if x.kind != engine.KindSPSC && x.kind != engine.KindBroadcast {
		return true
	}
	if by := x.held[t.Process()]; by != nil {
		return by == t
	}
	x.held[t.Process()] = t
	return true
}

// release lets another goroutine have it, which a program does by what is a fence, too.
func (x *anyThing) release(t *sim.Thread) {
	if x.held[t.Process()] == t {
		mem.Fence()
		delete(x.held, t.Process())
	}
}

// use is the process's use of it.
func (x *anyThing) use(t *sim.Thread) any {
	p := t.Process()
	if x.users[p] == nil {
		u := x.attach(t.Env())
		if pipe, ok := u.(*engine.Pipe); ok {
			in, err := pipe.Open(engine.PipeRight, new(atomic.Bool))
			if err != nil {
				panic(err)
			}
			u = &mailbox{Source: in.Source(), pipe: pipe, in: in}
		}
		if b, ok := u.(*engine.Broadcast); ok {
			s, err := b.Subscribe()
			if err != nil {
				panic(err)
			}
			u = listener{s, b}
		}
		if x.users[p] == nil { // another thread may have been faster
			x.users[p] = u
		} else if m, ok := u.(*mailbox); ok {
			m.in.Close()
		}
	}
	return x.users[p]
}

func (x *anyThing) attach(env engine.Env) (u any) {
	var err error
	switch x.kind {
	case engine.KindSemaphore, engine.KindBoundedSemaphore:
		u, err = engine.AttachSemaphore(x.a, env, x.kind == engine.KindBoundedSemaphore)
	case engine.KindPipe:
		u, err = engine.AttachPipe(x.a, env)
	case engine.KindQueue:
		u, err = engine.AttachQueue(x.a, env)
	case engine.KindEvent:
		u, err = engine.AttachEvent(x.a, env)
	case engine.KindSPSC:
		u, err = engine.AttachSPSC(x.a, env)
	case engine.KindBroadcast:
		u, err = engine.AttachBroadcast(x.a, env)
	}
	if err != nil {
		panic(err)
	}
	return u
}

// there reports that somebody who waits for it should not, when all is at rest.
func (x *anyThing) there(p *sim.Process, since uint64) bool {
	if u, ok := x.users[p].(listener); ok {
		return u.b.Front() > u.Position()
	}
	switch u := x.attach(engine.Env{}).(type) {
	case *engine.Semaphore:
		return u.Value() > 0
	case *engine.Queue:
		return u.Len() > 0 || u.IsShut()
	case *engine.Event:
		return *x.a.W64(0) != since || since&1 != 0
	case *engine.SPSC:
		return u.Len() > 0 || u.IsShut()
	case *engine.Pipe:
		v := engine.ViewPipe(x.a)
		return v.W[0] != v.R[0] || v.State[engine.PipeLeft] == engine.PipeGone
	}
	return false
}

// An anyOracle knows who waits for what.
type anyOracle struct {
	w      *sim.World
	things []*anyThing
	calls  map[*anyCall]bool
	procs  []*sim.Process
	over   bool
	closer *sim.Process
	ends   int
}

// An anyCall is one that waits, and since when for an event.
type anyCall struct {
	t     *sim.Thread
	of    []*anyThing
	since []uint64
}

// A sinceEvent tells the oracle what the call began with.
type sinceEvent struct {
	*engine.Event
	to *uint64
}

func (e sinceEvent) Since() uint64 {
	*e.to = e.Event.Since()
	return *e.to
}

// look fails where all sleep, none is stopped, and somebody should not.
func (o *anyOracle) look() error {
	for _, p := range o.procs {
		if p.Stopped() {
			return nil
		}
	}
	for c := range o.calls {
		if !o.w.Alive(c.t.Process().Self) {
			continue
		}
		for i, x := range c.of {
			if x.there(c.t.Process(), c.since[i]) {
				return fmt.Errorf("%v sleeps, and its %v, number %d of %d, is there", c.t, x.kind, i, len(c.of))
			}
		}
	}
	return nil
}

func (o *anyOracle) begin(t *sim.Thread, of ...*anyThing) *anyCall {
	c := &anyCall{t, of, make([]uint64, len(of))}
	o.calls[c] = true
	return c
}

// any waits for some things, which may be the same twice.
func (o *anyOracle) any(t *sim.Thread, of ...*anyThing) (*anyThing, error) {
	of = slices.DeleteFunc(slices.Clone(of), func(x *anyThing) bool { return !x.hold(t) })
	defer func() {
		for _, x := range of {
			x.release(t)
		}
	}()
	if len(of) == 0 {
		return nil, nil
	}
	c := o.begin(t, of...)
	defer delete(o.calls, c)
	var a engine.Any
	a.Reset()
	for i, x := range of {
		if e, ok := x.use(t).(*engine.Event); ok {
			a.Add(sinceEvent{e, &c.since[i]})
		} else {
			a.Add(x.use(t).(engine.Source))
		}
	}
	i, err := a.Look()
	if i < 0 && err == nil {
		i, err = a.Wait(t)
	}
	if err != nil && !errors.Is(err, sim.ErrCanceled) {
		o.w.Fail("any: %v", err)
	}
	if i < 0 {
		return nil, err
	}
	return of[i], err
}

// take takes one, and waits for it if by is not nil; what was taken may be given back.
func (o *anyOracle) take(t *sim.Thread, x *anyThing, by engine.Sleeper) {
	if !x.hold(t) {
		return
	}
	defer x.release(t)
	if by != nil {
		c := o.begin(t, x)
		defer delete(o.calls, c)
		if e, ok := x.use(t).(*engine.Event); ok {
			w, _ := e.Look()
			c.since[0] = w
			e.WaitSince(by, w)
			return
		}
	}
	switch u := x.use(t).(type) {
	case *engine.Semaphore:
		if by != nil {
			u.Acquire(by)
		} else {
			u.TryAcquire()
		}
	case *engine.Queue:
		s, err := u.Take(by, o.w.Rand.IntN(3) == 0)
		switch {
		case err == nil && u.Ack(u.Index(s)) == nil:
		case err == nil:
			u.Release(s)
		case err != engine.ErrEmpty && err != io.EOF && !errors.Is(err, sim.ErrCanceled):
			o.w.Fail("Take: %v", err)
		}
	case *engine.SPSC:
		_, err := u.TryNext()
		if err == engine.ErrEmpty && by != nil {
			_, err = u.AwaitNext(by)
		}
		if err == nil {
			u.Advance()
		}
	case *mailbox:
		m, err := u.in.RecvNow()
		if err == engine.ErrEmpty && by != nil {
			m, err = u.in.Recv(by)
		}
		if err == nil {
			m.Took()
		}
	case listener:
		if by != nil && u.Wait(by) != nil {
			return
		}
		u.GetNow()
	}
}

func (o *anyOracle) give(t *sim.Thread, x *anyThing) {
	if !x.hold(t) {
		return
	}
	defer x.release(t)
	switch u := x.use(t).(type) {
	case *engine.Semaphore:
		u.Release(1 + o.w.Rand.IntN(2))
	case *engine.Queue:
		u.TryPut(make([]byte, 8))
	case *engine.Event:
		u.Set()
		if o.w.Rand.IntN(3) != 0 && !o.over {
			u.Clear()
		}
	case *engine.SPSC:
		if p, err := u.TryRoom(); err == nil {
			*(*uint64)(p) = 1
			u.Publish()
		}
	case *mailbox:
		if o.w.Rand.IntN(6) != 0 {
			u.send(nil)
		} else {
			u.leave()
		}
	case listener:
		u.b.TryPublish(make([]byte, 8))
	}
}

// some are some of the things.
func (o *anyOracle) some() []*anyThing {
	of := make([]*anyThing, 1+o.w.Rand.IntN(4))
	for i := range of {
		of[i] = o.one()
	}
	return of
}

func (o *anyOracle) one() *anyThing { return o.things[o.w.Rand.IntN(len(o.things))] }

// end ends the run: whoever waits gets what he waits for. Of a pipe others may get it: then
// it comes again.
func (o *anyOracle) end() bool {
	if o.over && len(o.calls) == 0 || o.ends > 20 {
		return false
	}
	o.over = true
	if o.ends++; o.closer == nil {
		o.closer = o.process(anyRows - 1)
		o.closer.Immortal = true
	}
	p := o.closer
	p.Go("closer", func(t *sim.Thread) {
		for _, x := range o.things {
			switch u := x.use(t).(type) {
			case *engine.Semaphore:
				for n := min(200, u.Most()); n > 0 && u.Release(n) != nil; n-- {
				}
			case *mailbox:
				for range 4 {
					u.send(t)
				}
			case *engine.Queue:
				u.Shutdown()
			case *engine.Event:
				u.Set()
			case *engine.SPSC:
				u.Shutdown()
			case listener:
				u.b.Shutdown()
			}
		}
	})
	return true
}

func newAnyOracle(w *sim.World, kinds ...engine.Kind) *anyOracle {
	o := &anyOracle{w: w, calls: map[*anyCall]bool{}}
	for _, k := range kinds {
		o.things = append(o.things, newAnyThing(k))
	}
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		for _, x := range o.things {
			ops, _ := engine.OpsOf(x.kind)
			if err := ops.Recover(x.a, t.Env(), dead); err != nil {
				w.Fail("recovery: %v", err)
			}
		}
	})
	w.OnIdle(o.look)
	w.OnStuck(o.end)
	return o
}

func (o *anyOracle) process(index int) *sim.Process {
	p := o.w.Process(index)
	o.procs = append(o.procs, p)
	return p
}
