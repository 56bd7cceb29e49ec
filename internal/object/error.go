package object

import "example.com/tandem/internal/wait"

// Error is what every operation of Tandem returns: what was tried, on which
// region and object, and what came of it. Err wraps one of the sentinels of
// the packages, or one of fs, io, context or syscall; errors.Is sees it.
type Error struct {
	Op     string // "shm.Open", "mutex.Lock"
	Region string
	Object string // "" where the whole region is meant
	Err    error
}

func (e *Error) Error() string {
	s := e.Op
	if e.Region != "" {
		s += " " + e.Region
		if e.Object != "" {
			s += "/" + e.Object
		}
	} else if e.Object != "" {
		s += " " + e.Object
	}
	if e.Err == nil {
		return s
	}
	return s + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// ErrClosed is what every handle on a closed region returns.
var ErrClosed = wait.ErrClosed
