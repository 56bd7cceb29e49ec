package proc

import (
	"fmt"
	"io"
	"io/fs"
	"time"

	"example.com/tandem/shm"
)

// defaultGrace is the time between SIGTERM and SIGKILL when ctx has ended.
const defaultGrace = 10 * time.Second

// outputDelay bounds how long a process that has ended is kept from being
// Done by output: a process it started holds its pipe open, or the Writer
// does not take it.
var outputDelay = 10 * time.Second

// Options of a Start. The zero value, and nil, are the defaults.
type Options struct {
	// Name is the process's, in errors, in ps and top, and in the participant
	// records of the regions it attaches to. "": the registered name.
	Name string

	// Stdin is what the child reads; nil is /dev/null. A *os.File is handed
	// on as it is, anything else is copied through a pipe.
	Stdin io.Reader

	// Stdout and Stderr take what the child writes. nil is this process's own
	// (or /dev/null where that is closed), a *os.File is handed on as it is,
	// anything else is written to by a goroutine, which has ended when the
	// process is Done; if both are the same Writer, one goroutine at a time
	// calls it. When the process has ended, its output is waited for, for 10 s
	// at most: what others hold open, or a Writer does not take, is lost then,
	// and Wait says so by exec.ErrWaitDelay. A Writer that is blocked by then
	// is left in its call, and not called again.
	Stdout, Stderr io.Writer

	// Env is added to this process's environment, as "key=value".
	Env []string

	// Dir is the child's working directory. "": this process's. While it does
	// not answer (it is on a dead mount) Start waits, until its context ends.
	Dir string

	// Regions are handed to the child, which has them as proc.Regions(), in
	// this order. Regions of handles in the argument need not be listed. When
	// Start has returned an ephemeral region does not end before the child has
	// attached to it, or has ended, even if this process closes it or dies.
	Regions []*shm.Region

	// Grace is the time from SIGTERM to SIGKILL when the context ends.
	// 0: 10 s.
	Grace time.Duration

	// KeepOnExit lets the child outlive this process. Otherwise it is killed
	// when this process ends, however that ends. Its output outlives this
	// process only if it goes to files.
	KeepOnExit bool
}

func (o *Options) check() error {
	if o.Grace < 0 {
		return fmt.Errorf("Options.Grace %v: %w", o.Grace, fs.ErrInvalid)
	}
	for i, r := range o.Regions {
		if r == nil {
			return fmt.Errorf("Options.Regions[%d] is nil: %w", i, fs.ErrInvalid)
		}
	}
	return nil
}
