package object

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"example.com/tandem/internal/wait"
)

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
		s += " " + readable(e.Region)
		if e.Object != "" {
			s += "/" + readable(e.Object)
		}
	} else if e.Object != "" {
		s += " " + readable(e.Object)
	}
	if e.Err == nil {
		return s
	}
	return s + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// readable is a name as it is, or quoted and cut where it was refused as one.
func readable(name string) string {
	if len(name) > maxReadable {
		return fmt.Sprintf("%.40q…", name)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsGraphic(r) }) {
		return fmt.Sprintf("%q", name)
	}
	return name
}

const maxReadable = 4096 // a path's

// ErrClosed is what every handle on a closed region returns.
var ErrClosed = wait.ErrClosed

// ErrMismatch is what two who mean different things by one name get.
var ErrMismatch = errors.New("the object is there with another configuration")
