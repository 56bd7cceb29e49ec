package ring

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/wait"
	"example.com/tandem/shm"
)

// What a connection's errors are: package net's, so that who looks at those looks at
// these. io.EOF is bare.

// The operations, as package net names them.
const (
	opStreamRead  = "read"
	opStreamWrite = "write"
	opStreamClose = "close"
	opStreamSet   = "set"
)

var errStreamGone = fmt.Errorf("%w: %w", shm.ErrClosed, net.ErrClosed)

// fail makes the error of an operation.
//
//go:noinline
func (e *streamEnd) fail(op string, err error) error {
	switch err {
	case io.EOF:
		return err
	case engine.ErrUnread, syscall.EPIPE:
		err = os.NewSyscallError(op, syscall.EPIPE)
	case engine.ErrReset:
		err = os.NewSyscallError(op, syscall.ECONNRESET)
	case wait.ErrClosed:
		err = errStreamGone
	case engine.ErrGone:
		if err = errStreamGone; !e.core.Gate.Closed() {
			err = fmt.Errorf("a word is 0 that never is: %w", engine.ErrCorrupt)
		}
	}
	o := &net.OpError{Op: op, Net: e.local.Network(), Source: e.local, Addr: e.remote, Err: err}
	if op == opStreamSet {
		o.Source, o.Addr = nil, e.local
	}
	return o
}

var errNoDescriptor = fmt.Errorf("a stream is memory, and has no file descriptor: %w", errors.ErrUnsupported)

// SyscallConn refuses: there is no file descriptor.
func (c *streamConn) SyscallConn() (syscall.RawConn, error) {
	return nil, c.end.fail("syscall", errNoDescriptor)
}
