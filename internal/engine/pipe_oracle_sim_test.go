//go:build tandem_sim

package engine_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync/atomic"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sim"
)

// A parcel is a message of the simulation, and what came of it.
type parcel struct {
	id, size int
	way      int
	sent     bool // its Send returned nil
	rejected bool // or an error
	got      bool
}

// A pipeCall is one that may sleep.
type pipeCall struct {
	h      *simHandle
	need   uint64 // of a Send; 0: it receives, or polls
	stands bool   // back, for one that is starving
	late   int64  // its clock, at least
}

// A simHandle is a handle of a process. It is closed by whoever is the last to use it,
// or by one that does not care.
type simHandle struct {
	*PipeEnd
	p      *sim.Process
	side   int
	closed atomic.Bool
	users  int
	shut   bool // Close was called
	over   bool // and has given up the end
}

// A simPipe is the oracle.
type simPipe struct {
	w     *sim.World
	c     PipeConfig
	a     mem.Area
	next  int
	all   map[int]*parcel
	at    [2]map[uint64]*parcel // by the position behind it
	taken [2]map[uint64]bool    // likewise
	flows [2]map[*sim.Thread]bool
	lost  [2]int // parcels that may be gone with a dead receiver
	died  map[Self]bool

	holds  [2]map[*sim.Process]int
	lastW  [2]uint64 // when its end was seen to be gone
	gone   [2]bool
	calls  map[*sim.Thread]*pipeCall
	all1   []*simHandle
	helped int
	clock  *sim.Process
	timers bool // the world has
}

const pipeFrom = 1<<32 - 64

func newSimPipe(w *sim.World, c PipeConfig) *simPipe {
	o := &simPipe{w: w, c: c, a: mem.Heap(c.Size()), all: map[int]*parcel{}, died: map[Self]bool{}, calls: map[*sim.Thread]*pipeCall{}}
	for i := range 2 {
		o.at[i], o.taken[i], o.flows[i], o.holds[i] = map[uint64]*parcel{}, map[uint64]bool{}, map[*sim.Thread]bool{}, map[*sim.Process]int{}
	}
	w.Share(o.a)
	c.InitAt(o.a, pipeFrom)
	w.OnDeath(func(t *sim.Thread, dead Self) {
		o.death(dead)
		if err := RecoverPipe(o.a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	w.Always(o.always)
	w.OnStuck(o.stuck)
	w.AtEnd(o.end)
	return o
}

// attach is one step.
func (o *simPipe) attach(p *sim.Process) (eng *Pipe) {
	unseen(func() {
		var err error
		if eng, err = AttachPipe(o.a, p.Env()); err != nil {
			o.w.Fail("attach: %v", err)
		}
	})
	return eng
}

func (o *simPipe) view() (v PipeView) {
	unseen(func() { v = ViewPipe(o.a) })
	return v
}

// held is by those who live and have not closed the region.
func (o *simPipe) held(side int) bool {
	for p, n := range o.holds[side] {
		if n > 0 && o.w.Alive(p.Self) && !closes(p) {
			return true
		}
	}
	return false
}

// closes reports that p is closing the region, or has.
func closes(p *sim.Process) bool { return p.Core(KindPipe, mem.Area{}).Gate.Closed() }

// always holds at any instant.
func (o *simPipe) always() error {
	v := o.view()
	for side := range v.State {
		if v.W[side]-v.R[side] > (uint64(o.c.Buffer)+63)&^63 {
			return fmt.Errorf("%d sent, %d received", v.W[side], v.R[side])
		}
		if v.State[side] != PipeGone {
			if o.gone[side] {
				return fmt.Errorf("end %d was gone, and is %d", side, v.State[side])
			}
			continue
		}
		if o.held(side) {
			return fmt.Errorf("end %d is gone, and somebody has it", side)
		}
		if !o.gone[side] {
			o.gone[side], o.lastW[side] = true, v.W[side]
		} else if o.lastW[side] != v.W[side] {
			return fmt.Errorf("a message came after the end: %d, was %d", v.W[side], o.lastW[side])
		}
	}
	return nil
}

// death is called first thing in every recovery.
func (o *simPipe) death(dead Self) {
	if o.died[dead] {
		return
	}
	o.died[dead] = true
	for way := range o.flows {
		for t := range o.flows[way] {
			if t.Process().Self == dead && !o.w.Alive(dead) {
				o.lost[way]++
			}
		}
	}
}

func (o *simPipe) parcel(way, size int) *parcel {
	o.next++
	m := &parcel{id: o.next, size: size, way: way}
	if size < 8 {
		m.size = 0
	}
	o.all[m.id] = m
	return m
}

func (o *simPipe) encode(m *parcel) []byte {
	b := make([]byte, m.size)
	for i := range b {
		b[i] = byte(m.id + i)
	}
	if m.size > 0 {
		binary.LittleEndian.PutUint64(b, uint64(m.id))
	}
	return b
}

// open makes a handle, or returns nil: the end is gone, or the process leaves.
func (o *simPipe) open(t *sim.Thread, eng *Pipe, side int) *simHandle {
	h := &simHandle{p: t.Process(), side: side}
	var err error
	h.PipeEnd, err = eng.Open(side, &h.closed)
	switch {
	case err == nil:
	case t.Closed(), err == ErrPeerGone && o.view().State[side] == PipeGone:
		return nil
	default:
		o.w.Fail("Open: %v", err)
	}
	o.holds[side][h.p]++
	o.all1 = append(o.all1, h)
	return h
}

// close is Close with C1 and C2.
func (o *simPipe) close(h *simHandle) {
	if h.shut {
		return
	}
	h.shut = true
	h.closed.Store(true)
	for t, c := range o.calls {
		if c.h == h {
			t.Cancel()
		}
	}
	o.holds[h.side][h.p]--
	h.PipeEnd.Close()
	h.over = o.holds[h.side][h.p] == 0
}

// ends reports whether err ends what a thread does, and fails if it is none that there is.
func (o *simPipe) ends(t *sim.Thread, h *simHandle, err error) bool {
	switch {
	case t.Closed():
		return true
	case err == ErrLeft || err == sim.ErrCanceled && h.closed.Load():
		if !h.closed.Load() {
			o.w.Fail("closed, and nobody closed it")
		}
		return true
	case err == sim.ErrCanceled:
		return false
	}
	o.w.Fail("%v: %v", t, err)
	return true
}

// send sends one parcel. It reports whether the sender goes on.
func (o *simPipe) send(t *sim.Thread, h *simHandle, size int, now bool) bool {
	m := o.parcel(h.side, size)
	t.Context(true)
	var (
		pos uint64
		err error
	)
	if now {
		pos, err = h.SendNow(o.encode(m))
	} else {
		o.calls[t] = &pipeCall{h: h, need: Framed(m.size)}
		pos, err = h.Send(pipeSleeper{t, o, h}, o.encode(m))
		delete(o.calls, t)
	}
	if err == nil && t.Closed() {
		gate := t.Process().Core(KindPipe, o.a).Gate
		if !gate.Gave(func() bool { return h.SentInZeroes(pos) }) {
			err = object.ErrClosed
		}
	}
	if m.got && err != nil {
		o.w.Fail("parcel %d was got, and not sent: %v", m.id, err)
	}
	if err == nil {
		m.sent = true
		if x := o.at[h.side][pos]; x != nil && x != m {
			o.w.Fail("parcel %d at %d, where parcel %d is", m.id, pos, x.id)
		}
		o.at[h.side][pos] = m
		return true
	}
	m.rejected = true
	switch err {
	case ErrPeerGone:
		if !o.gone[1-h.side] {
			o.w.Fail("the other end is gone, and is not")
		}
		return false
	case ErrFull:
		if !now {
			o.w.Fail("full, of a Send that waits")
		}
		return true
	}
	return !o.ends(t, h, err)
}

const (
	recvWaits = iota
	recvNow
	recvPolls
	recvModes
	recvFirmly // waits, and no context ends
)

// recv receives one parcel, or polls. It reports whether the receiver goes on.
func (o *simPipe) recv(t *sim.Thread, h *simHandle, how int) bool {
	way := 1 - h.side
	t.Context(how != recvFirmly)
	if how == recvPolls {
		o.calls[t] = &pipeCall{h: h}
		err := h.Poll(pipeSleeper{t, o, h})
		delete(o.calls, t)
		return err == nil || !o.ends(t, h, err)
	}
	o.flows[way][t] = true
	var (
		m   Received
		err error
	)
	if how == recvNow {
		m, err = h.RecvNow()
	} else {
		o.calls[t] = &pipeCall{h: h}
		m, err = h.Recv(pipeSleeper{t, o, h})
		delete(o.calls, t)
	}
	if err == nil {
		if h.over && !t.Closed() { // in zeroes nothing is waited for; what is taken there is not got
			o.w.Fail("received at an end that was given up before")
		}
		b := make([]byte, m.Len())
		m.Read(b)
		pos := m.Took()
		took := true
		if t.Closed() {
			gate := t.Process().Core(KindPipe, o.a).Gate
			took = gate.Gave(func() bool { return h.TookInZeroes(pos) })
		}
		delete(o.flows[way], t)
		if took {
			o.got(t, way, pos, b)
		}
		return true
	}
	delete(o.flows[way], t)
	switch {
	case err == io.EOF && !t.Closed():
		v := o.view()
		if !o.gone[way] || v.W[way] != v.R[way] {
			o.w.Fail("EOF: end %d is %d, %d sent, %d received", way, v.State[way], v.W[way], v.R[way])
		}
		return false
	case err == ErrEmpty && how == recvNow:
		return true
	}
	return !o.ends(t, h, err)
}

func (o *simPipe) got(t *sim.Thread, way int, pos uint64, b []byte) {
	t.Note("got %d bytes at %d", len(b), pos)
	if o.taken[way][pos] {
		o.w.Fail("what lies before %d was got twice", pos)
	}
	o.taken[way][pos] = true
	m := o.at[way][pos]
	if len(b) == 0 {
		if m != nil && m.size != 0 {
			o.w.Fail("an empty message, and parcel %d was sent", m.id)
		}
		return
	}
	if len(b) < 8 {
		o.w.Fail("a torn message: %x", b)
	}
	x := o.all[int(binary.LittleEndian.Uint64(b))]
	if x == nil || x.way != way || string(o.encode(x)) != string(b) || m != nil && m != x {
		o.w.Fail("a torn message: %x", b)
	}
	if x.got || x.rejected {
		o.w.Fail("parcel %d: got %v, rejected %v", x.id, x.got, x.rejected)
	}
	x.got = true
	o.at[way][pos] = x
}

func (o *simPipe) end() error {
	if err := CheckPipe(o.a); err != nil {
		return err
	}
	v := o.view()
	for side := range v.State {
		if v.Starving[side] {
			return fmt.Errorf("nobody sends from end %d any more, and somebody is starving", side)
		}
		if !o.held(side) && (v.State[side] == PipeOpen || v.Held[side]) || v.Sending[side] || v.Receiving[side] {
			return fmt.Errorf("end %d is left as %d, bits %v, sending %v, receiving %v", side, v.State[side], v.Held[side], v.Sending[side], v.Receiving[side])
		}
		lost := 0
		for pos, m := range o.at[side] {
			switch {
			case m.sent && pos > v.W[side]:
				return fmt.Errorf("parcel %d was sent at %d, and W is %d", m.id, pos, v.W[side])
			case m.sent && pos <= v.R[side] && !o.taken[side][pos]:
				lost++
			case o.taken[side][pos] && pos > v.R[side]:
				return fmt.Errorf("parcel %d was taken at %d, and R is %d", m.id, pos, v.R[side])
			}
		}
		if lost > o.lost[side] {
			return fmt.Errorf("%d parcels of end %d are lost, and at most %d with their receivers", lost, side, o.lost[side])
		}
	}
	return nil
}
