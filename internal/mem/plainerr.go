package mem

import "errors"

// ErrNotPlain is wrapped by what is said of a type that cannot lie in shared
// memory: it holds a pointer, or its size is not the same everywhere.
var ErrNotPlain = errors.New("type is not plain")
