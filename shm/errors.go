package shm

import (
	"errors"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/plain"
	"example.com/tandem/internal/region"
)

// What a caller can act on. Every error of this module is an *Error that wraps one of
// these, or one of package fs, io, context or syscall, but for a *proc.ExitError, several
// that sync.With and proc.WaitAll join, and those of a listener and of a connection, which
// are package net's; compare with errors.Is. The text around it has what
// was tried, and both values where two differ.
var (
	// ErrClosed is what every handle returns once this process has closed it, or the
	// region, and what a call that was blocked in it returns.
	ErrClosed = object.ErrClosed

	// ErrMismatch says that an object of this name is there with another kind,
	// type or configuration. Nothing was changed.
	ErrMismatch = object.ErrMismatch

	// ErrNotRegion says that what was opened is no region: no regular file, too
	// short, or without a region's first bytes.
	ErrNotRegion = region.ErrNotRegion

	// ErrVersion says that the region was made by a build with another layout,
	// or for another page size. Such programs cannot share it.
	ErrVersion = region.ErrVersion

	// ErrCorrupt says that the region's memory holds what no build of this
	// module writes. The call changed nothing further; the region is to be
	// removed, and Check says more.
	ErrCorrupt = engine.ErrCorrupt

	// ErrNoSpace says that the region or its file system is full; the text says
	// how much was needed and how much is free in both. So it does of what is larger
	// than any region's, and then says what is asked for.
	ErrNoSpace = errors.New("no space")

	// ErrTooManyParticipants says that as many processes are attached as the
	// region was made for (Options.Participants), and that none of their places
	// came free in the few seconds for which a dead one's recovery is waited for.
	ErrTooManyParticipants = errors.New("too many participants")

	// ErrNotPlain says that a type cannot lie in shared memory as it is, and
	// names the field.
	ErrNotPlain = plain.ErrNotPlain

	// ErrOwnerDied says that a holder died and nobody has repaired since. The
	// caller does not hold what it asked for; but a sync.Cond's Wait returns with the lock.
	ErrOwnerDied = engine.ErrOwnerDied

	// ErrNotOwner says that another process, or another Holder of this one, holds what was
	// to be given up.
	ErrNotOwner = engine.ErrNotOwner

	// ErrNotLocked says that nobody holds what was to be given up.
	ErrNotLocked = engine.ErrNotLocked
)

// errGone says that the region that was opened ended, or lost its name,
// between the look at the file and the taking of the life byte: start again.
var errGone = errors.New("the region has ended")
