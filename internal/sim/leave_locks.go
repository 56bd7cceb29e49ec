//go:build tandem_sim

package sim

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
)

// Context is one that may end: the scheduler ends it, for a thread that says so
// by Thread.Context.
var Context, _ = context.WithCancel(context.Background())

// Closing is what happens to handles that are closed, and now and then killed.
var Closing = Options{CloseEvery: 60, MaxCloses: 3, KillEvery: 400, MaxKills: 1, StopEvery: 500, MaxStops: 1, CancelEvery: 200, SpuriousEvery: 300}

// Leaving is Closing without kills: what a killed process's last call would
// have returned is nobody's to know.
var Leaving = Options{CloseEvery: 50, MaxCloses: 3, StopEvery: 500, MaxStops: 1, SpuriousEvery: 300}

// A RobustLock is a handle on a lock that can be abandoned.
type RobustLock interface {
	Lock(context.Context) error
	TryLock() (bool, error)
	Recover(context.Context) (bool, error)
	MarkConsistent() error
	Unlock() error
}

// A LockKind is how to make one, and who is inside by its words.
type LockKind struct {
	Kind      engine.Kind
	Size      uint64
	Init      func(mem.Area)
	Open      func(p *Process, a mem.Area) RobustLock
	Owner     func(a mem.Area) (engine.Self, bool)
	Reentrant bool
	Another   func(RobustLock) RobustLock // for another thread of the process, if it needs one of its own
}

// A tally is what the calls of one process returned.
type tally struct {
	took, gave int
	closed     int  // threads that ended, of a process that has closed and was not killed
	found      bool // its recovery found it inside
}

// lockers is how many threads of a process lock and unlock.
const lockers = 2

// who is a thread of a process.
type who struct {
	engine.Self
	n int
}

// ExploreClosing has processes lock and unlock in every way while they close the
// region. A lock is abandoned by one that has closed it if and only if it was
// inside, as its calls said: a Lock had returned nil, and no Unlock since.
func ExploreClosing(tb testing.TB, runs int, k LockKind) {
	tb.Helper()
	Explore(tb, runs, Closing, func(w *World) {
		a := mem.Heap(k.Size)
		k.Init(a)
		w.Share(a)
		ops, _ := engine.OpsOf(k.Kind)
		tallies := map[engine.Self]*tally{}
		inside := map[who]bool{} // by what Lock and Unlock returned
		w.OnDeath(func(t *Thread, dead engine.Self) {
			if who, held := k.Owner(a); held && who == dead {
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
			first := k.Open(p, a)
			for j := range lockers {
				l := first
				if j > 0 && k.Another != nil {
					l = k.Another(first)
				}
				p.Go("locker", func(t *Thread) {
					k.use(t, l, n, inside, who{p.Self, j})
					if t.Closed() { // a thread that is killed does not come here
						n.closed++
					}
				})
			}
		}
		w.AtEnd(func() error {
			for who, n := range tallies {
				if n.closed != lockers {
					continue
				}
				if held := n.took - n.gave; held != 0 && held != 1 || (held == 1) != n.found {
					return fmt.Errorf("%v closed: its Locks returned nil %d times, its Unlocks %d; its recovery found it inside: %v", who, n.took, n.gave, n.found)
				}
			}
			return ops.Check(a)
		})
	})
}

// use locks in every way and unlocks, until the region is closed.
func (k LockKind) use(t *Thread, l RobustLock, n *tally, inside map[who]bool, me who) {
	w := t.w
	for round := range 6 {
		t.Context(round%3 == 1)
		var err error
		ok := true
		switch {
		case round%4 == 3:
			ok, err = l.TryLock()
		default:
			err = l.Lock(Context)
			ok = err == nil
		}
		if errors.Is(err, engine.ErrOwnerDied) {
			_, err = l.Recover(Context)
			if ok = err == nil; ok {
				if err = l.MarkConsistent(); err != nil {
					n.took++
					ok = false
				}
			}
		}
		if ok {
			n.took++
			for other := range inside {
				if w.Alive(other.Self) && w.Alive(me.Self) { // or it was inside when the region went, and is not now
					w.Fail("%v and %v are both inside", other, me)
				}
			}
			inside[me] = true
		}
		if ok && round == 4 && k.Reentrant {
			if err = l.Lock(Context); err == nil {
				err = l.Unlock()
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
		case err == nil, errors.Is(err, ErrCanceled):
		case errors.Is(err, object.ErrClosed):
			return
		default:
			w.Fail("%v", err)
		}
	}
}
