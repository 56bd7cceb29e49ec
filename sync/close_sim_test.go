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

// Close at every access of every call, under the scheduler: what the calls of
// a process that closed the region returned is what the others find in it.
// These are the handles themselves, over memory that is the region to all and
// becomes zeroes to one after the other.

var simClosing = sim.Options{CloseEvery: 60, MaxCloses: 3, KillEvery: 400, MaxKills: 1, StopEvery: 500, MaxStops: 1, CancelEvery: 200, SpuriousEvery: 300}

// simCtx is one that may end: the scheduler ends it.
var simCtx, _ = context.WithCancel(context.Background())

// A tally is what the calls of one process returned.
type tally struct {
	took, gave int
	closed     bool // and was not killed
	found      bool // its recovery found it inside
}

func simHandle(p *sim.Process, k engine.Kind, a mem.Area) handle {
	h := handle{core: p.Core(k, a), own: new(shared)}
	return h
}

func check[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

type robust interface {
	Lock(context.Context) error
	TryLock() (bool, error)
	Recover(context.Context) (bool, error)
	MarkConsistent() error
	Unlock() error
}

// simLocks are how to make each kind's memory, and its handle.
var simLocks = map[string]struct {
	kind engine.Kind
	size uint64
	open func(p *sim.Process, a mem.Area) robust
	// owner is who is inside, by the words: whose death is told.
	owner func(a mem.Area) (engine.Self, bool)
}{
	"mutex": {engine.KindMutex, engine.MutexSize, func(p *sim.Process, a mem.Area) robust {
		h := simHandle(p, engine.KindMutex, a)
		return &Mutex{handle: h, mu: *check(engine.AttachMutex(a, p.Env()))}
	}, func(a mem.Area) (engine.Self, bool) { return check(engine.AttachMutex(a, engine.Env{})).Owner() }},
	"rwmutex": {engine.KindRWMutex, engine.RWMutexSize(8), func(p *sim.Process, a mem.Area) robust {
		h := simHandle(p, engine.KindRWMutex, a)
		return &RWMutex{handle: h, rw: *check(engine.AttachRWMutex(a, p.Env()))}
	}, func(a mem.Area) (engine.Self, bool) { return check(engine.AttachRWMutex(a, engine.Env{})).Owner() }},
	"rmutex": {engine.KindRMutex, engine.RMutexSize, func(p *sim.Process, a mem.Area) robust {
		h := simHandle(p, engine.KindRMutex, a)
		return newHolder(h, *check(engine.AttachRMutex(a, p.Env())))
	}, func(a mem.Area) (engine.Self, bool) { return check(engine.AttachRMutex(a, engine.Env{})).Owner() }},
}

func TestSimCloseLocks(t *testing.T) {
	for name, k := range simLocks {
		t.Run(name, func(t *testing.T) {
			sim.Explore(t, 15000, simClosing, func(w *sim.World) {
				a := mem.Heap(k.size)
				w.Share(a)
				ops, _ := engine.OpsOf(k.kind)
				tallies := map[engine.Self]*tally{}
				inside := map[engine.Self]bool{} // by what Lock and Unlock returned
				w.OnDeath(func(t *sim.Thread, dead engine.Self) {
					if who, held := k.owner(a); held && who == dead {
						tallies[dead].found = true
					}
					if err := ops.Recover(a, t.Env(), dead); err != nil {
						w.Fail("recovery: %v", err)
					}
				})
				for i := range 3 {
					p := w.Process(i)
					n := &tally{}
					tallies[p.Self] = n
					l := k.open(p, a)
					p.Go("locker", func(t *sim.Thread) {
						simLockLoop(t, w, l, n, inside)
						n.closed = t.Closed() // a thread that is killed does not come here
					})
				}
				w.AtEnd(func() error {
					for who, n := range tallies {
						if !n.closed {
							continue
						}
						if held := n.took - n.gave; held != 0 && held != 1 || (held == 1) != n.found {
							return fmt.Errorf("%v closed: its Locks returned nil %d times, its Unlocks %d; its recovery found it inside: %v", who, n.took, n.gave, n.found)
						}
					}
					return ops.Check(a)
				})
			})
		})
	}
}

// simLockLoop locks in every way and unlocks, until the region is closed.
func simLockLoop(t *sim.Thread, w *sim.World, l robust, n *tally, inside map[engine.Self]bool) {
	ctx, me := simCtx, t.Process().Self
	for round := range 6 {
		t.Context(round%3 == 1)
		var err error
		ok := true
		switch {
		case round%4 == 3:
			ok, err = l.TryLock()
		default:
			err = l.Lock(ctx)
			ok = err == nil
		}
		if errors.Is(err, ErrOwnerDied) {
			_, err = l.Recover(ctx)
			if ok = err == nil; ok {
				n.took++
				err = l.MarkConsistent()
				n.took--
			}
		}
		if ok {
			n.took++
			for who := range inside {
				if w.Alive(who) && w.Alive(me) { // or it was inside when the region went, and is not now
					w.Fail("%v and %v are both inside", who, me)
				}
			}
			inside[me] = true
		}
		if err == nil && ok && round == 4 {
			if _, re := l.(*Holder); re {
				if err = l.Lock(ctx); err == nil {
					err = l.Unlock()
				}
			}
		}
		if err == nil && ok {
			t.Step()
			delete(inside, me) // it may be another's before Unlock returns
			if err = l.Unlock(); err == nil {
				n.gave++
			}
		}
		switch {
		case err == nil, errors.Is(err, sim.ErrCanceled):
		case errors.Is(err, shm.ErrClosed):
			return
		default:
			w.Fail("%v", err)
		}
	}
}
