package sync

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/wait"
	"example.com/tandem/shm"
)

// A userLock is a Cond's lock.
type userLock struct {
	lock   handle
	mu     engine.Mutex
	re     engine.RMutex // mu's, if it is reentrant
	again  bool          // it is
	holder *Holder       // the one to give up; nil: whichever of this process has it
}

// The field that names a Cond's lock: "own", or the lock's kind and name.
const (
	fieldLock = "lock"
	ownLock   = "own"
)

// bring makes l the lock of the Cond called name in r, and returns its field.
func (g *userLock) bring(r *shm.Region, name string, l Lock) (field string, err error) {
	var core *object.Core
	switch l := l.(type) {
	case nil:
		return ownLock, nil
	case *Mutex:
		if l != nil {
			core = l.core
		}
	case *Holder:
		if g.holder = l; l != nil {
			core = l.core
		}
	default:
		return "", fmt.Errorf("a %T as its lock, want a *sync.Mutex, a *sync.Holder or nil: %w", l, fs.ErrInvalid)
	}
	if core == nil {
		return "", errNoHandle
	}
	if core.Kind == engine.KindCond && core.Name == name {
		return ownLock, nil
	}
	field = core.Kind.String() + " " + core.Name
	if err = g.find(r.Existing(), handle{}, field); err == nil && g.lock.core.Whole() != core.Whole() {
		err = g.foreign(core)
	}
	return field, err
}

// foreign says that the lock l is not the one that its name stands for here.
func (g *userLock) foreign(l *object.Core) error {
	return fmt.Errorf("its lock %s/%s is not the one in this region: %w", l.Region, l.Name, fs.ErrInvalid)
}

// find opens the lock that the field of the Cond c names, in r, a view in which
// objects are only found.
func (g *userLock) find(r *shm.Region, c handle, field string) error {
	kind, name, _ := strings.Cut(field, " ")
	switch {
	case field == ownLock:
		return g.ownOf(c)
	case kind == engine.KindMutex.String():
		m := new(Mutex)
		if err := m.open(r, name); err != nil {
			return err
		}
		g.lock, g.mu = m.handle, m.mu
		return nil
	case kind == engine.KindRMutex.String():
		m := new(RMutex)
		if err := m.open(r, name); err != nil {
			return err
		}
		g.lock, g.mu, g.re, g.again = m.handle, m.mu.Mutex, m.mu, true
		return nil
	case kind == engine.KindCond.String():
		other := new(Cond)
		if err := other.open(r, r, name, ownLock, userLock{}); err != nil {
			return err
		}
		return g.ownOf(other.handle)
	}
	return fmt.Errorf("lock %q: %w", field, shm.ErrCorrupt)
}

// ownOf is the lock that is a part of the Cond c.
func (g *userLock) ownOf(c handle) error {
	a, err := engine.CondOwn(c.core.Area)
	if err != nil {
		return err
	}
	re, err := engine.AttachRMutex(a, c.core.Env)
	if err != nil {
		return err
	}
	g.lock, g.mu, g.re, g.again = c, re.Mutex, *re, true
	return nil
}

var errHeldByAnother = fmt.Errorf("%w by the caller, but by another: %w", ErrNotLocked, ErrNotOwner)

// has reports whether the caller holds the lock, as far as one can see.
func (g *userLock) has() bool { return (!g.again || g.who() != nil) && g.mu.Mine() }

// held is an error unless has.
func (g *userLock) held() error {
	if !g.has() {
		if _, ok := g.mu.Owner(); ok {
			return errHeldByAnother
		}
		return ErrNotLocked
	}
	return nil
}

// who is the holder that has a reentrant lock: g.holder, if it is to be that.
//
//go:norace
func (g *userLock) who() *Holder {
	h := g.lock.own.latest()
	if h == nil || h.depth == 0 || g.holder != nil && h != g.holder {
		return nil
	}
	return h
}

// A grip is the hold that one Wait gives up and takes back, and how that Wait
// sleeps while it has given it up.
type grip struct {
	*userLock
	h     *Holder
	depth int

	core *object.Core // the Cond's
	ctx  context.Context
	back bool // it was given up and taken back

	fault any // what a method of ctx panicked with
	*wait.Waiter
}

func (c *Cond) grip(ctx context.Context) (*grip, error) {
	if err := c.held(); err != nil {
		return nil, err
	}
	g := &grip{userLock: &c.userLock, core: c.core, ctx: ctx}
	if c.again {
		if g.h = c.who(); g.h == nil {
			return nil, errHeldByAnother // not a moment ago
		}
	}
	return g, nil
}

func (g *grip) Unlock() error {
	g.back = false
	g.Waiter = g.core.Waiter(g.ctx) // before the looks that its sleeps follow
	if g.h != nil {
		g.depth = g.h.giveUp()
	}
	g.lock.core.Release()
	err := g.mu.Unlock()
	if err != nil {
		g.awake()
	}
	return err
}

// awake says that the call waits for nothing but the lock any more.
func (g *grip) awake() {
	if g.Waiter != nil {
		g.fault = g.Fault() // which has its turn when the lock is back
		g.Done()
		g.Waiter = nil
	}
}

func (g *grip) Lock() (suspect bool, err error) {
	g.awake()
	if g.Over() {
		return false, g.without()
	}
	w := g.lock.core.Whole().Waiter(context.Background()) // also if the handle is closed: it had the lock
	suspect, err = g.mu.Recover(w)
	w.Done()
	if err != nil && g.Over() {
		return false, g.without()
	}
	if err != nil {
		return false, err
	}
	if g.h != nil {
		g.h.took(g.depth)
	}
	g.lock.core.Acquire()
	if g.back = true; g.Over() {
		g.letGo()
		return false, shm.ErrClosed
	}
	return suspect, nil
}

func (g *grip) Abandoned() bool { return g.mu.Abandoned() }
func (g *grip) Over() bool      { return g.core.Gate.Closed() }

// letGo gives the lock back if the grip has it back, in a region that is being
// closed: nobody was inside since it was given up. (If the zeroes are there
// already it was held when they came, as by one who died at that moment.)
func (g *grip) letGo() {
	if g == nil || !g.back {
		return
	}
	g.back = false
	g.core.Gate.Took(func() bool {
		if g.h != nil {
			g.h.giveUp()
		}
		g.lock.core.Release()
		return g.mu.Unlock() == nil
	})
	g.without()
}

// without is how a Wait ends that does not have the lock back. The caller may
// unlock it all the same, as With does; see shared.excuse.
func (g *grip) without() error {
	if g.h == nil {
		g.lock.own.excused.Add(1)
	}
	return shm.ErrClosed
}
