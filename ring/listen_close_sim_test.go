//go:build tandem_sim

package ring

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sim"
	"example.com/tandem/shm"
)

// simDirectory is where streams are made and found, at one instant each: shm's own is
// tried in package shm. An entry is used once.
type simDirectory struct {
	w       *sim.World
	streams []mem.Area
	used    int
	open    []map[engine.Self]int
	made    map[engine.Self]int // the last of each, by its dialer
}

// A simHome is a process's use of it.
type simHome struct {
	d *simDirectory
	p *sim.Process
}

func (h simHome) MakeUnnamed(s object.Spec) (*object.Core, error) {
	_, _, init, err := s.Create(16)
	switch {
	case err != nil:
		return nil, err
	case h.p.Core(s.Kind, mem.Area{}).Gate.Closed():
		return nil, shm.ErrClosed
	case h.d.used == len(h.d.streams):
		return nil, shm.ErrNoSpace
	}
	i := h.d.used
	h.d.used++
	h.d.made[h.p.Self] = i
	init(h.d.streams[i]) // it has no point
	return h.core(i), nil
}

func (h simHome) core(i int) *object.Core {
	h.d.open[i][h.p.Self]++
	c := h.p.Core(engine.KindStream, h.d.streams[i])
	c.Entry, c.Ref.Generation = uint32(i), 1
	return c
}

func (h simHome) OpenUnnamed(s object.Spec, entry uint32, gen uint64) (*object.Core, error) {
	if h.p.Core(s.Kind, mem.Area{}).Gate.Closed() {
		return nil, shm.ErrClosed // the reference may be of the zeroes
	}
	if int(entry) >= h.d.used || gen != 1 {
		h.d.w.Fail("entry %d, generation %d", entry, gen)
	}
	return h.core(int(entry)), nil
}

func (h simHome) CloseUnnamed(c *object.Core, owes bool) {
	if h.d.open[c.Entry][h.p.Self]--; h.d.open[c.Entry][h.p.Self] > 0 || c.Gate.Closed() {
		return
	}
	ops, _ := engine.OpsOf(engine.KindStream)
	if owes {
		if err := ops.Recover(c.Area, c.Env, h.p.Self); err != nil && !c.Gate.Closed() {
			h.d.w.Fail("recovery: %v", err)
		}
	}
	if !c.Gate.Closed() {
		delete(h.d.open[c.Entry], h.p.Self)
	}
}

func (h simHome) Named(c *object.Core, f func() error) (bool, error) {
	if c.Gate.Closed() {
		return false, shm.ErrClosed
	}
	return true, f()
}

func (h simHome) IsDead(who engine.Self) bool { return !h.d.w.Alive(who) }
func (h simHome) PIDOf(engine.Self) int       { return 1 }

// Close of the region at every access of a Listen, an Accept and a Dial: what one said is
// what the other's answer is, and nobody is left.
func TestSimCloseListener(t *testing.T) {
	for name, o := range map[string]sim.Options{
		"closed": {CloseEvery: 80, MaxCloses: 3, CloseFor: 15, StopEvery: 600, MaxStops: 1, SpuriousEvery: 300, CancelEvery: 400},
		"killed": {CloseEvery: 300, MaxCloses: 2, CloseFor: 15, KillEvery: 200, MaxKills: 2, SpuriousEvery: 300},
	} {
		t.Run(name, func(t *testing.T) { sim.Explore(t, 2500, o, simCloseListener) })
	}
}

func simCloseListener(w *sim.World) {
	lc, sc := engine.ListenerConfig{Backlog: 1 + w.Rand.IntN(2), Rows: 12}, engine.StreamConfig{Buffer: 64}
	a := mem.Heap(lc.Size())
	lc.Init(a)
	w.Share(a)
	d := &simDirectory{w: w, made: map[engine.Self]int{}}
	for range 8 {
		s := mem.Heap(sc.Size())
		w.Share(s)
		d.streams = append(d.streams, s)
		d.open = append(d.open, map[engine.Self]int{})
	}
	listener, _ := engine.OpsOf(engine.KindListener)
	stream, _ := engine.OpsOf(engine.KindStream)
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		if err := listener.Recover(a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
		for i, open := range d.open {
			if open[dead] == 0 {
				continue
			}
			if err := stream.Recover(d.streams[i], t.Env(), dead); err != nil {
				w.Fail("recovery: %v", err)
			}
		}
	})
	var connected, accepted, failed [8]bool
	core := func(p *sim.Process) *object.Core {
		c := p.Core(engine.KindListener, a)
		c.Fields, c.In = []object.Field{{Name: fieldBuffer, Value: "64"}, {Name: fieldBacklog, Value: "1"}}, simHome{d, p}
		return c
	}
	over := func(err error) bool { return errors.Is(err, shm.ErrClosed) }
	serve := func(p *sim.Process) {
		p.Go("server", func(t *sim.Thread) {
			c := core(p)
			l, _, err := (&ListenOptions{}).listen(c)
			if err != nil {
				if !errors.Is(err, syscall.EADDRINUSE) && !c.Gate.Closed() {
					w.Fail("Listen: %v", err)
				}
				return
			}
			for {
				conn, err := l.accept()
				if err != nil {
					if !errors.Is(err, net.ErrClosed) || !over(err) {
						w.Fail("Accept: %v", err)
					}
					return
				}
				if of := *d.streams[conn.end.core.Entry].W64(8); of != l.word {
					w.Fail("accepted under %#x what was dialled under %#x", l.word, of)
				}
				if accepted[conn.end.core.Entry] {
					w.Fail("accepted twice")
				}
				accepted[conn.end.core.Entry] = true
				conn.Close()
			}
		})
	}
	p := w.Process(0)
	serve(p)
	servers := []*sim.Process{p}
	for i := range 1 + w.Rand.IntN(2) {
		p := w.Process(1 + i)
		p.Go("dialer", func(t *sim.Thread) {
			for range 1 + w.Rand.IntN(3) {
				for range w.Rand.IntN(60) {
					t.Step()
				}
				t.Context(true)
				c := core(p)
				of, err := listensOn(c)
				if err != nil {
					if !c.Gate.Closed() {
						w.Fail("attach: %v", err)
					}
					return
				}
				d.made[p.Self] = -1
				conn, err := of.dial(sim.Context, c)
				if i := d.made[p.Self]; i >= 0 && err != nil {
					failed[i] = true
				}
				switch {
				case err == nil:
					connected[conn.end.core.Entry] = true
					conn.Close()
				case c.Gate.Closed():
					return
				case !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, sim.ErrCanceled) && !errors.Is(err, shm.ErrNoSpace):
					w.Fail("Dial: %v", err)
				}
			}
		})
	}
	w.OnRecovered(func(dead engine.Self) {
		if len(servers) < 3 {
			p := w.Process(3 + len(servers))
			servers = append(servers, p)
			serve(p)
		}
	})
	keeper := w.Process(9)
	keeper.Immortal = true
	keeper.Go("keeper", func(*sim.Thread) {})
	w.OnStuck(func() bool { // whoever listens has nothing to do
		some := false
		for _, p := range servers {
			if w.Alive(p.Self) {
				p.Close()
				some = true
			}
		}
		return some
	})
	w.AtEnd(func() error {
		for i := range d.used {
			yes := *d.streams[i].W64(136)&(1<<11-1) != 1<<11-1 && *d.streams[i].W64(136) != 0
			if (connected[i] || accepted[i]) && !yes {
				return errors.New("a connection that nobody has accepted")
			}
			if failed[i] && (accepted[i] || yes) {
				return errors.New("a Dial has failed that was accepted")
			}
			if err := stream.Check(d.streams[i]); err != nil {
				return err
			}
		}
		return listener.Check(a)
	})
}
