package region

import (
	"errors"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
)

// What may be wrong with a region's bytes; package shm has the same under the
// same names.
var (
	ErrNotRegion = errors.New("not a region")
	ErrVersion   = errors.New("made for another layout or page size")
	ErrCorrupt   = engine.ErrCorrupt
	ErrMismatch  = object.ErrMismatch
)
