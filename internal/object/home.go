package object

import (
	"errors"

	"example.com/tandem/internal/engine"
)

// A Home is the region that an object is in, Core.In, to those who make more in it: objects
// that have no name, and which are found by {entry, generation} alone.
type Home interface {
	// MakeUnnamed makes the object that s describes. Its Name is what snapshots call it.
	// It blocks as OpenObject does.
	MakeUnnamed(s Spec) (*Core, error)

	// OpenUnnamed is a handle on an object that was made so, and is still there.
	// ErrStale if it is not: never another in its place.
	OpenUnnamed(s Spec, entry uint32, generation uint64) (*Core, error)

	// CloseUnnamed closes a handle; with the last one of the process it closes the
	// object, at once: no call of the handle is under way, and none begins. owes: the
	// process may have something in it yet, as one that dies has, and that is recovered.
	CloseUnnamed(c *Core, owes bool)

	// Named calls f if c's object has its name still, and returns its error: nobody takes
	// the name away meanwhile. It blocks as OpenObject does. f waits for nobody.
	Named(c *Core, f func() error) (named bool, err error)

	// IsDead reports of a participant whether it is proven dead, or gone. It makes the
	// proof if it has to, and then sees to the recovery.
	IsDead(who engine.Self) bool

	// PIDOf is the process of a participant that is there; else 0.
	PIDOf(who engine.Self) int
}

// ErrStale says that what was told of an object is not so any more.
var ErrStale = errors.New("the object is gone")
