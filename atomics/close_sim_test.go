//go:build tandem_sim

package atomics

import (
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// Close at every access of every call on a cell's lock, as in package sync.
func TestSimCloseLock(t *testing.T) {
	attach := func(a mem.Area, env engine.Env) *engine.Mutex {
		mu, err := engine.AttachMutex(a, env)
		if err != nil {
			panic(err)
		}
		return mu
	}
	sim.ExploreClosing(t, 8000, sim.LockKind{Kind: engine.KindMutex, Size: engine.MutexSize, Init: engine.InitMutex,
		Open: func(p *sim.Process, a mem.Area) sim.RobustLock {
			core := p.Core(engine.KindMutex, a)
			return &locker{core: core, mu: attach(a, core.Env), shared: sharedOf(core)}
		},
		Owner: func(a mem.Area) (engine.Self, bool) { return attach(a, engine.Env{}).Owner() }})
}
