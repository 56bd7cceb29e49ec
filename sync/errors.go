package sync

import (
	"fmt"
	"io/fs"

	"example.com/tandem/internal/engine"
	"example.com/tandem/shm"
)

// What a caller can act on. Those of package shm are here under names that are at
// hand.
var (
	// ErrOwnerDied says that a holder died and nobody has repaired since. The
	// caller does not hold the lock, but after Cond.Wait, which returns with it.
	ErrOwnerDied = shm.ErrOwnerDied

	// ErrNotOwner says that another process, or another Holder of this one, holds the lock
	// that was to be unlocked. Nothing has changed.
	ErrNotOwner = shm.ErrNotOwner

	// ErrNotLocked says that nobody holds the lock that was to be unlocked.
	// Nothing has changed.
	ErrNotLocked = shm.ErrNotLocked

	// ErrOverRelease says that a Release would have made more permits than there
	// may be. Nothing has changed.
	ErrOverRelease = engine.ErrOverRelease

	// ErrBroken says that the round of a barrier will not come about: somebody who
	// was to be of it gave up, died or failed, or called Abort or Reset.
	ErrBroken = engine.ErrBroken
)

var errNoHandle = fmt.Errorf("the handle was not made by an OpenX of package sync: %w", fs.ErrInvalid)
