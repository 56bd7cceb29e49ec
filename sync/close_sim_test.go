//go:build tandem_sim

package sync

import (
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// Close at every access of every call, under the scheduler: what the calls of
// a process that closed the region returned is what the others find in it.
// These are the handles themselves, over memory that is the region to all and
// becomes zeroes to one after the other.

func simHandle(p *sim.Process, k engine.Kind, a mem.Area) handle {
	return handleOn(p.Core(k, a), new(shared))
}

func check[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// simLocks are how to make each kind's memory, and its handle.
var simLocks = map[string]sim.LockKind{
	"mutex": {Kind: engine.KindMutex, Size: engine.MutexSize, Init: engine.InitMutex,
		Open: func(p *sim.Process, a mem.Area) sim.RobustLock {
			return &Mutex{handle: simHandle(p, engine.KindMutex, a), mu: *check(engine.AttachMutex(a, p.Env()))}
		},
		Owner: func(a mem.Area) (engine.Self, bool) { return check(engine.AttachMutex(a, engine.Env{})).Owner() }},
	"rwmutex": {Kind: engine.KindRWMutex, Size: engine.RWMutexSize(8), Init: func(mem.Area) {},
		Open: func(p *sim.Process, a mem.Area) sim.RobustLock {
			return &RWMutex{handle: simHandle(p, engine.KindRWMutex, a), rw: *check(engine.AttachRWMutex(a, p.Env()))}
		},
		Owner: func(a mem.Area) (engine.Self, bool) { return check(engine.AttachRWMutex(a, engine.Env{})).Owner() }},
	"rmutex": {Kind: engine.KindRMutex, Size: engine.RMutexSize, Init: engine.InitRMutex,
		Open: func(p *sim.Process, a mem.Area) sim.RobustLock {
			return newHolder(simHandle(p, engine.KindRMutex, a), *check(engine.AttachRMutex(a, p.Env())))
		},
		Owner:     func(a mem.Area) (engine.Self, bool) { return check(engine.AttachRMutex(a, engine.Env{})).Owner() },
		Another:   func(l sim.RobustLock) sim.RobustLock { return newHolder(l.(*Holder).handle, l.(*Holder).mu) },
		Reentrant: true},
}

func TestSimCloseLocks(t *testing.T) {
	for name, k := range simLocks {
		t.Run(name, func(t *testing.T) { sim.ExploreClosing(t, 8000, k) })
	}
}
