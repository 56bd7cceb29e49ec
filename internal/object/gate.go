package object

import (
	"runtime"
	"sync"
	"sync/atomic"
	"weak"

	"example.com/tandem/internal/mem"
)

// A Gate is where the calls of a process meet its Close of the region.
//
// Close first says that the region is closed, and some time later replaces the
// mapping by zeroes of the process's own. A call that is under way at that
// time has its effect in the one or in the other, wherever it is stopped in
// between, and learns of it only afterwards. What it returns must be true for
// the other processes, which see the region and not the zeroes:
//
//	G1  Close: closed is set: calls that begin after it return ErrClosed
//	G2  a call has had its effect
//	G3  it looks at closed, and returns its result if that is not set
//	G4  Close: the zeroes, with mu held; then gone is set
//	G5  else, with mu read-locked, it looks at gone
//
// Of G4 and G5 one comes first. If G5 does, the region is still there, and G2
// was in it. What gave something (Unlock, Put, Release) stands, and the call
// says so; what took something (Lock, Acquire) is given back, in the region,
// before the call says ErrClosed. If G4 does, G2 was in the region or in the
// zeroes, and which of them cannot be seen in the zeroes alone: several
// goroutines may be there, and what is found may be another's. So it is for the
// words themselves to say.
//
// A change that is one CAS. From anything but 0 it fails in the zeroes. From 0 it
// is made within Here, which makes nothing once the zeroes are there; it is the
// first change that there ever is of the word, so that costs nobody anything
// (engine.Env). Hence in the zeroes nothing is ever changed, from 0 or from
// anything else, and a change that succeeded was in the region. Set, Clear, Abort,
// Reset, Acquire, Release and Shutdown are so, and need no G3 after it. (So is a
// Recover, of a mutex, always within Here: a Wait that takes its lock back by one
// may say ErrClosed all the same.) What an Acquire took, and cannot give back by
// then, it had when the region was closed, which is what Close tells the others.
//
// A claim, and a change by its owner. After the claim one looks at a word that
// is never 0 in the region, or at closed: that it is not 0, or that closed is
// not set, says that the claim was in the region. So a call that goes on has
// what no other of the process has, and of each thing there is one call at most
// that has it at G4. What that one goes on to leave in the zeroes no other
// leaves there. Put and Get claim a slot, and pass it on by a store, which succeeds in
// the zeroes, too: Gave decides for each (InZeroes, ReleasedInZeroes in
// internal/engine/queue_store.go). Once claims the run, and an RWMutex its writing: what
// is found in the zeroes, of these, was done there, by the call that asks.
//
// A mutex. Its word is 0 whenever it is free, so goroutines do lock and unlock it in
// the zeroes. But each Lock that does sees G3, and goes to unlock what it finds
// there (Took). It may find what another has locked, or that another has unlocked
// what it had locked. Nobody can tell: they are of one process, and all of them end
// now. Let r be how many Locks less how many Unlocks had their effect in the
// region, which is 1 or 0, and says whether the lock is abandoned. In the zeroes
// there are as many Locks as Unlocks, for after each Lock somebody finds what it
// left. Each Unlock that has an effect is a call that says nil, or takes a nil away
// from a Lock. So the calls that say nil are r Locks more than Unlocks: somebody was
// inside, as they say, if and only if the lock is found held.
//
// Where a call says nothing that others could hold against it (what it saw, a
// reading, TaskDone, which the end of the process is as well) it says ErrClosed
// whenever the region is gone: Stands.
//
// What a call is in the middle of at G4, it has not done, as if the process
// had died there: Close recovers it as a death is recovered.
//
// Where the kernel refuses the zeroes nothing is recovered. gone is set, and what a
// call has had an effect on is the region all the same: what gave stands, and what took
// is given back (Undo).
type Gate struct {
	closed  atomic.Bool
	mu      sync.RWMutex
	gone    bool
	refused bool // G4 failed: what a call has changed is in the region

	flagsMu sync.Mutex
	flags   map[*atomic.Bool]struct{} // what else is set at G1
	leavers map[*leaver]struct{}      // what is called at G4
}

// A leaver looks at an object in the region at G4, when no call of this process changes
// it any more: where it is by then says its argument. A call that asks at G5 what it did
// may need what no word in the zeroes tells it.
type leaver struct {
	look func(in func(mem.Area) mem.Area)
	of   weak.Pointer[Core] // whole; look does not reach it
}

// OnLeave has look called at G4, as long as something reaches a handle on c's object: it may
// be gone else, and its memory another's; and until stop is called. What in returns may be the
// first pages of the object alone.
func (c *Core) OnLeave(look func(in func(mem.Area) mem.Area)) (stop func()) {
	w := c.Whole()
	g, l := w.Gate, &leaver{look, weak.Make(w)}
	g.flagsMu.Lock()
	defer g.flagsMu.Unlock()
	if g.leavers == nil {
		g.leavers = map[*leaver]struct{}{}
	}
	g.leavers[l] = struct{}{}
	cleanup := runtime.AddCleanup(w, g.unleave, l)
	return func() {
		cleanup.Stop()
		g.unleave(l)
	}
}

func (g *Gate) unleave(l *leaver) {
	g.flagsMu.Lock()
	defer g.flagsMu.Unlock()
	delete(g.leavers, l)
}

// Leave calls the leavers; it is for what Replace calls.
func (g *Gate) Leave(in func(mem.Area) mem.Area) {
	g.flagsMu.Lock()
	defer g.flagsMu.Unlock()
	for l := range g.leavers {
		if c := l.of.Value(); c != nil {
			l.look(in)
			runtime.KeepAlive(c)
		}
	}
}

// Closed reports G1. Flag is where it is read from.
func (g *Gate) Closed() bool       { return g.closed.Load() }
func (g *Gate) Flag() *atomic.Bool { return &g.closed }

// Shut is G1. The flags are not set at one instant, which is as if calls through
// one handle had looked a little later; but all are when closed is. For a call
// that acts upon that (a Wait which goes without its lock) may count on it that
// calls through other handles see it, too.
func (g *Gate) Shut() {
	g.flagsMu.Lock()
	defer g.flagsMu.Unlock()
	for f := range g.flags {
		f.Store(true)
	}
	g.closed.Store(true)
}

// newFlag is a flag of its own for a handle, that is set when closed is; until
// forget.
func (g *Gate) newFlag() *atomic.Bool {
	f := &new(struct { // on lines that nobody writes to
		_ [128]byte
		atomic.Bool
		_ [128]byte
	}).Bool
	g.flagsMu.Lock()
	defer g.flagsMu.Unlock()
	if g.flags == nil {
		g.flags = map[*atomic.Bool]struct{}{}
	}
	g.flags[f] = struct{}{}
	f.Store(g.closed.Load())
	return f
}

func (g *Gate) forget(f *atomic.Bool) {
	g.flagsMu.Lock()
	defer g.flagsMu.Unlock()
	delete(g.flags, f)
}

// Replace is G4: replace puts the zeroes in the region's place.
func (g *Gate) Replace(replace func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gone = true // also if it fails: nobody can tell how far it came
	err := replace()
	g.refused = err != nil
	return err
}

// Here runs f while the region is still there, and reports whether it is; else
// it runs nothing. f is short, and waits for nothing but a disk, at most.
func (g *Gate) Here(f func()) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.gone {
		return false
	}
	f()
	return true
}

// Undo is Here of a call that takes back what it has just done: where the zeroes were
// refused it did that in the region.
func (g *Gate) Undo(f func()) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.gone && !g.refused {
		return false
	}
	f()
	return true
}

// Took ends a call that has taken a lock, and has seen that the region was
// closed meanwhile. giveBack unlocks it, and reports whether it was there to be
// unlocked. Took reports whether the caller has it.
//
//go:noinline
func (g *Gate) Took(giveBack func() bool) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return !giveBack() && g.gone && !g.refused
}

// Gave ends a call that has changed what it had claimed in the region, and has
// seen that the region was closed meanwhile. inZeroes reports whether the change is
// to be seen; it is asked of the zeroes only, and must be of what nobody else of the
// process can have left there. Gave reports whether the change was made.
//
//go:noinline
func (g *Gate) Gave(inZeroes func() bool) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return !g.gone || g.refused || !inZeroes()
}

// Stands ends a call that has seen that the region was closed meanwhile, and of
// which the zeroes tell nothing: it reports whether the region is still there, so
// that whatever the call saw and did was in it.
func (g *Gate) Stands() bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return !g.gone
}
