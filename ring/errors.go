package ring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"example.com/tandem/internal/engine"
	"example.com/tandem/shm"
)

// What a caller can act on. Every error of this package, but for those of listeners and
// connections, which are package net's, is a *shm.Error that wraps one of these, or one of package shm, fs, context or syscall; compare with
// errors.Is. io.EOF is the end of a queue that was shut down: nothing is left
// and nothing is leased; or of a pipe whose other end is gone. syscall.EPIPE is that of
// one who sends to it.
var (
	// ErrFull says that there is no room for the message now.
	ErrFull = engine.ErrFull

	// ErrEmpty says that there is no message to be had now.
	ErrEmpty = engine.ErrEmpty

	// ErrTooLarge says that the message is longer than the queue's MaxMessage, or
	// than a pipe's Buffer less 8, and will never fit.
	ErrTooLarge = engine.ErrTooLarge

	// ErrShutdown says that somebody called Shutdown: no message can be put.
	ErrShutdown = engine.ErrShutdown

	// ErrBusy says that another process, which is not dead, has this side of an
	// [SPSC].
	ErrBusy = engine.ErrBusy

	// ErrOverDone says that TaskDone was called more often than this process
	// got messages.
	ErrOverDone = engine.ErrOverDone

	// ErrDirection says that messages of a one-way pipe do not go this way.
	ErrDirection = engine.ErrWay

	// ErrCodec says that a message could not be encoded, and was not put; or
	// that one could not be decoded, and is gone. A panic of what encodes or
	// decodes says the same and goes on to the caller.
	ErrCodec = errors.New("message does not encode or decode")
)

var errNoHandle = fmt.Errorf("the handle was not made by OpenQueue: %w", fs.ErrInvalid)
var errNoSPSC = fmt.Errorf("the handle was not made by OpenSPSC: %w", fs.ErrInvalid)

// codecError is ErrCodec with what the codec said, on one line. What says
// something of a queue when a queue says it (that it has ended, or is closed), or of the
// caller's context, is not passed on: a decoder's io.EOF is a short message.
func codecError(err error) error {
	for _, meant := range []error{io.EOF, shm.ErrClosed, ErrFull, ErrEmpty, ErrShutdown, syscall.EPIPE, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, meant) {
			return fmt.Errorf("%w: %v", ErrCodec, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrCodec, err)
}
