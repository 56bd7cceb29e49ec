package object

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/wait"
)

// A Source is a handle as shm.WaitAny sees it.
type Source struct {
	Core *Core         // nil: it is of no region
	Of   engine.Source // what is waited for
	Spin *wait.Spinner // the handle's own, or nil
	Err  error         // why there is nothing to wait for: no OpenX made the handle
}

// Any is one call that waits for several things; engine.Any has how. It is taken by
// NewAny, given its sources by Add, and ends with Wait.
type Any struct {
	op      string
	sources []Source
	of      engine.Any
	by      wait.Any
}

// anys are such calls that are over. The race detector is not to see who takes whose: it
// would order them.
var anys = sync.Pool{New: func() any {
	a := new(Any)
	a.of.Reset()
	return a
}}

//go:norace
func NewAny(op string) *Any {
	mem.RaceDisable()
	a := anys.Get().(*Any)
	mem.RaceEnable()
	a.op = op
	return a
}

// Add adds a source, behind those that there are.
//
//go:norace
func (a *Any) Add(s Source) { a.sources = append(a.sources, s) }

// Wait waits until one of the sources is ready, and returns the number of the lowest. It
// takes nothing. With an error it is -1.
//
//go:norace
func (a *Any) Wait(ctx context.Context) (int, error) {
	i, err := a.wait(ctx)
	if err != nil {
		i = -1
	}
	runtime.KeepAlive(a.sources) // the regions, too
	clear(a.sources)
	a.sources = a.sources[:0]
	a.of.Reset()
	mem.RaceDisable()
	anys.Put(a)
	mem.RaceEnable()
	return i, err
}

//go:norace
func (a *Any) wait(ctx context.Context) (int, error) {
	if err := ctx.Err(); err != nil {
		return -1, a.fails(err)
	}
	if len(a.sources) == 0 {
		return -1, a.fails(errNothing)
	}
	for i := range a.sources {
		switch s := &a.sources[i]; {
		case s.Err != nil:
			return -1, &Error{Op: a.op, Err: s.Err}
		case s.Core != nil && s.Core.Closed.Load():
			return -1, s.Core.Done(a.op, ErrClosed)
		}
	}
	for i := range a.sources {
		a.of.Add(a.sources[i].Of)
	}
	i, err := a.of.Look()
	if i < 0 && err == nil {
		i, err = a.sleep(ctx)
	}
	if i < 0 {
		return -1, a.failed(err)
	}
	if c := a.sources[i].Core; c != nil {
		if err := c.Seen(nil); err != nil { // it was ready in the zeroes, it may be
			return -1, c.Done(a.op, err)
		}
		c.Acquire()
	}
	return i, nil
}

// sleep is what follows a fruitless look.
//
//go:norace
func (a *Any) sleep(ctx context.Context) (int, error) {
	var spin *wait.Spinner
	for i := range a.sources {
		s := &a.sources[i]
		if s.Core == nil {
			a.by.On(nil, nil)
			continue
		}
		a.by.On(s.Core.List, &s.Core.ended)
		if len(a.sources) == 1 {
			spin = s.Spin
		}
	}
	a.by.Start(ctx, spin)
	i, err := a.of.Wait(&a.by)
	a.by.Done()
	return i, err
}

var errNothing = fmt.Errorf("nothing to wait for: %w", fs.ErrInvalid)

// failed makes the error of a wait in which nothing was ready.
func (a *Any) failed(err error) error {
	if i := a.of.Bad(); i >= 0 {
		return a.sources[i].Core.Done(a.op, err)
	}
	if errors.Is(err, ErrClosed) {
		for i := range a.sources {
			if c := a.sources[i].Core; c != nil && (c.ended.Load() || c.Closed.Load()) {
				return c.Done(a.op, ErrClosed)
			}
		}
	}
	return a.fails(err)
}

// fails makes that of no source in particular.
func (a *Any) fails(err error) error {
	if len(a.sources) == 1 && a.sources[0].Core != nil {
		return a.sources[0].Core.Done(a.op, err)
	}
	return &Error{Op: a.op, Err: err}
}

// Poll waits until one is ready.
func Poll(ctx context.Context, op string, s Source) error {
	a := NewAny(op)
	a.Add(s)
	_, err := a.Wait(ctx)
	return err
}
