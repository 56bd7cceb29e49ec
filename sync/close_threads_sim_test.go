//go:build tandem_sim

package sync

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
	"example.com/tandem/shm"
)

// Several threads of one process make the same change while it closes the region:
// there it is made if and only if one of them says so. Who comes late, into the
// zeroes, takes that neither for its own nor from another.

// A change is a call, on an object in a, and whether a shows it.
type change struct {
	kind engine.Kind
	size uint64
	init func(a mem.Area)
	open func(p *sim.Process, a mem.Area) (call func(*sim.Thread) error)
	made func(a mem.Area) bool
}

var changes = map[string]change{
	"Set": {engine.KindEvent, engine.EventSize, engine.InitEvent,
		func(p *sim.Process, a mem.Area) func(*sim.Thread) error {
			e := &Event{handle: simHandle(p, engine.KindEvent, a), ev: *check(engine.AttachEvent(a, p.Env()))}
			return func(*sim.Thread) error { return e.Set() }
		},
		func(a mem.Area) bool { return check(engine.AttachEvent(a, engine.Env{})).IsSet() }},
	"Abort": {engine.KindBarrier, engine.BarrierSize(2), func(a mem.Area) { engine.InitBarrier(a, 2) },
		func(p *sim.Process, a mem.Area) func(*sim.Thread) error {
			b := &Barrier{handle: simHandle(p, engine.KindBarrier, a), eng: *check(engine.AttachBarrier(a, p.Env()))}
			return func(*sim.Thread) error { return b.Abort() }
		},
		func(a mem.Area) bool { return check(engine.AttachBarrier(a, engine.Env{})).Broken() }},
	"Reset": {engine.KindBarrier, engine.BarrierSize(2), func(a mem.Area) {
		engine.InitBarrier(a, 2)
		check(engine.AttachBarrier(a, engine.Env{Wake: func(*uint32, int) int { return 0 }})).Abort()
	},
		func(p *sim.Process, a mem.Area) func(*sim.Thread) error {
			b := &Barrier{handle: simHandle(p, engine.KindBarrier, a), eng: *check(engine.AttachBarrier(a, p.Env()))}
			return func(*sim.Thread) error { return b.Reset() }
		},
		func(a mem.Area) bool { return !check(engine.AttachBarrier(a, engine.Env{})).Broken() }},
	"Do": {engine.KindOnce, engine.OnceSize, engine.InitOnce,
		func(p *sim.Process, a mem.Area) func(*sim.Thread) error {
			o := &Once{handle: simHandle(p, engine.KindOnce, a), once: *check(engine.AttachOnce(a, p.Env()))}
			return func(t *sim.Thread) error {
				return o.Do(sim.Context, func(context.Context) error { t.Step(); return nil })
			}
		},
		func(a mem.Area) bool { return check(engine.AttachOnce(a, engine.Env{})).Done() }},
}

func TestSimCloseChanges(t *testing.T) {
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			sim.Explore(t, 4000, sim.Options{CloseEvery: 20, MaxCloses: 1, CloseFor: 6}, func(w *sim.World) {
				a := mem.Heap(c.size)
				c.init(a)
				simRecover(w, []engine.Kind{c.kind}, []mem.Area{a})
				p := w.Process(0)
				call := c.open(p, a)
				said := 0
				for range 3 {
					p.Go("caller", func(t *sim.Thread) {
						if err := call(t); err == nil {
							said++
						} else if !errors.Is(err, shm.ErrClosed) {
							w.Fail("%v", err)
						}
					})
				}
				w.AtEnd(func() error {
					if made := c.made(a); made != (said > 0) {
						return fmt.Errorf("made: %v; %d calls said that it is", made, said)
					}
					return nil
				})
			})
		})
	}
}
