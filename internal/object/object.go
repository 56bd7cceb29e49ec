// Package object is the contract between package shm, which keeps objects in
// regions, and the packages that give them types: sync, atomics and ring. Its
// types appear in one exported method of shm.Region, which is of use to
// nobody else since nobody else can name them.
package object

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/wait"
)

// A Field is one line of an object's configuration, kept with it as text and
// compared at every open: {"type", "struct { A int64 @0 }"}, {"capacity", "1024"}.
type Field struct{ Name, Value string }

// A Spec is what an OpenX asks the region for.
type Spec struct {
	Op     string // "ring.OpenQueue", for errors
	Kind   engine.Kind
	Name   string
	Fields []Field // a Value of "" takes what is there

	// Create completes the fields for an object that is not there yet and
	// gives its size in bytes and how to write its words, in a region of so
	// many participants. It is called only when one must be made, with the
	// region's directory unlocked; an error (fs.ErrNotExist where a needed
	// number was left out) ends the open. Init is called under the directory's
	// lock on zeroed memory: all of it, or the first Zeroed bytes, if that is not 0.
	Create func(participants int) (fields []Field, size uint64, init func(mem.Area), err error)

	Zeroed uint64

	// Over reports of an object of the kind and the name that it has had its day: then it
	// is removed, and one made in its place, in one section of the directory's lock, which
	// is held when Over is called. nil: what is there is taken.
	Over func(mem.Area) bool

	// Past says that such an object is of no use to anybody any more: where there is no room
	// beside it, it goes first.
	Past bool

	// Until ends the waits of an open for other processes, with its error: for one that
	// changes the directory, and for others' collectors. nil: nothing does.
	Until context.Context
}

// A Core is what this process has of an object: one that is whole, which all
// handles on the object have in common, and one for each handle (handle.go).
// When none is left the process's opener bit is cleared. Fields do not change.
type Core struct {
	Op     string
	Region string
	Name   string
	Kind   engine.Kind
	Fields []Field
	Area   mem.Area
	Env    engine.Env
	List   *wait.List // sleepers of this attachment

	Ref     Ref          // for MarshalBinary
	Gate    *Gate        // the attachment's
	Closed  *atomic.Bool // the handle's, or the Gate's: no call begins any more
	Mapping any          // keeps the memory mapped while the Core is reachable
	In      any          // package shm's: what the object is in; see Home
	Entry   uint32       // of the region's directory

	Unused  func()       // of a whole one: called when all its handles are closed
	handles atomic.Int32 // of a whole one: those that are not closed
	whole   *Core        // of a handle
	closing atomic.Bool  // Close was called
	ended   atomic.Bool  // Close has come so far that waits end
	pinned  atomic.Bool  // of a whole one: Pin was called

	// Shared is what the typed package keeps once for all its handles on the
	// object in this process (OnOwnerDied is not among it: that is the handle's).
	// Set through SharedOnce.
	shared atomic.Value
	tag    uint64 // of a whole one: the race detector's name for the object
}

// Field returns the value of a field as the region has it.
func (c *Core) Field(name string) string {
	for _, f := range c.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// SharedOnce returns what the first caller's make returned.
func (c *Core) SharedOnce(make func() any) any {
	c = c.Whole()
	if v := c.shared.Load(); v != nil {
		return v
	}
	c.shared.CompareAndSwap(nil, make())
	return c.shared.Load()
}

// Waiter returns a sleeper for one blocking call. Done must follow.
func (c *Core) Waiter(ctx context.Context) *wait.Waiter { return c.List.Waiter(ctx).For(&c.ended) }

// WaiterWith is Waiter with a handle's own Spinner.
func (c *Core) WaiterWith(ctx context.Context, s *wait.Spinner) *wait.Waiter {
	return c.List.WaiterWith(ctx, s).For(&c.ended)
}

// KeepAlive holds the mapping to here; every method that touches the area
// ends in it.
func (c *Core) KeepAlive() { runtime.KeepAlive(c) }

// Err wraps err with the operation, the region and the object. Never on a hot
// path: what a polling caller meets (full, empty) is built once per handle.
func (c *Core) Err(op string, err error) error {
	if err == nil {
		return nil
	}
	if err == ErrClosed && c.Ended() && !c.Gate.Closed() {
		err = wait.ErrEnded
	}
	if err == engine.ErrGone {
		err = ErrClosed
		if !c.Gate.Closed() {
			err = fmt.Errorf("a word is 0 that never is: %w", engine.ErrCorrupt)
		}
	}
	return &Error{Op: op, Region: c.Region, Object: c.Name, Err: err}
}
