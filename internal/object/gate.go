package object

import (
	"sync"
	"sync/atomic"
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
// zeroes. They are not used by anybody else, and begin empty, so what was done
// in them is found in them: then nothing has happened, and the call says
// ErrClosed. If nothing is found it has happened, before G4, and the call says
// so: a lock that it took was held when the region was closed, which is what
// Close tells the others.
//
// What a call is in the middle of at G4, it has not done, as if the process
// had died there: Close recovers it as a death is recovered.
type Gate struct {
	closed atomic.Bool
	mu     sync.RWMutex
	gone   bool

	flagsMu sync.Mutex
	flags   map[*atomic.Bool]struct{} // what else is set at G1
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
	return replace()
}

// Here runs f while the region is still there, and reports whether it is; else
// it runs nothing. f is short, and does not block.
func (g *Gate) Here(f func()) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.gone {
		return false
	}
	f()
	return true
}

// Took ends a call that has taken something, and has seen that the region was
// closed meanwhile. giveBack gives it back, and reports whether it was there to
// be given back. Took reports whether the caller has it.
//
//go:noinline
func (g *Gate) Took(giveBack func() bool) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return !giveBack() && g.gone
}

// Gave ends a call that has changed something, and has seen that the region
// was closed meanwhile. inZeroes reports whether the change is to be seen; it is
// asked of the zeroes only. Gave reports whether the change was made.
//
//go:noinline
func (g *Gate) Gave(inZeroes func() bool) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return !g.gone || !inZeroes()
}

// Stands ends a call that has seen that the region was closed meanwhile, and of
// which the zeroes tell nothing: it reports whether the region is still there, so
// that whatever the call saw and did was in it.
func (g *Gate) Stands() bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return !g.gone
}
