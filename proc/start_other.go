//go:build !linux

package proc

import (
	"context"
	"errors"
)

func start(context.Context, *function, any, *Options) (*Process, error) {
	return nil, errors.ErrUnsupported
}

func (p *Process) announceInterrupt() error { return errors.ErrUnsupported }

// child is this process, if Start made it: never here.
var child *childProcess

type childProcess struct{}

func (*childProcess) run() {}
