package object

import (
	"context"
	"errors"
	"slices"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// How the calls of a handle begin and end, of whatever type: packages sync,
// atomics and ring have it from here.
//
//	err := c.Ready(ctx) // or c.Still(f), which gives something back
//	if err == nil {
//		…               // what the call is for
//	}
//	return c.Locked(op, err, l) // or Acquired, or Done
//
// Fast paths are written out where they are, and come here with what they could
// not do. A handle that no OpenX made has no Core: its package says so, and with
// that error what ends a call can be called all the same.

// Ready is what a call looks at before it begins.
func (c *Core) Ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.Free()
}

// Free is nil, or says that the handle or the region was closed: Ready of a call
// that does not block, and what an attempt that took nothing ends with.
func (c *Core) Free() error {
	if c.Closed.Load() {
		return ErrClosed
	}
	return nil
}

// Still is what f returns, which gives something back, or ends it: in a region
// that is just being closed it does so as long as it can. It is ErrClosed where
// the handle was closed or the region is gone, and f not called.
func (c *Core) Still(f func() error) error {
	if c.Closed.Load() && c.Ended() {
		return ErrClosed
	}
	return c.Here(f)
}

// Here is Still of what a closed handle goes on to give back.
func (c *Core) Here(f func() error) error {
	if !c.Closed.Load() {
		return f()
	}
	err := ErrClosed
	c.Gate.Here(func() { err = f() })
	return err
}

// Seen is the err of a call which says what it saw, and that may have been the
// zeroes.
func (c *Core) Seen(err error) error {
	if err == nil && c.Closed.Load() {
		return c.stands()
	}
	return err
}

//go:noinline
func (c *Core) stands() error {
	if !c.Gate.Stands() {
		return ErrClosed
	}
	return nil
}

// An Unlocker gives back what a call took. An error says that it is not there.
type Unlocker interface{ Unlock() error }

// Took is the err of a call that has taken l, if that is nil: l is given back if
// the region was closed meanwhile.
func (c *Core) Took(err error, l Unlocker) error {
	mem.Between()
	if err == nil && c.Closed.Load() && !c.Gate.Took(func() bool { return l.Unlock() == nil }) {
		err = ErrClosed
	}
	if err == nil {
		c.Acquire()
	}
	return err
}

// Locked ends a call that has taken l, if err is nil.
func (c *Core) Locked(op string, err error, l Unlocker) error { return c.Done(op, c.Took(err, l)) }

// Acquired ends a call after which the caller goes on with what others did
// before, if err is nil.
func (c *Core) Acquired(op string, err error) error {
	if err == nil {
		c.Acquire()
	}
	return c.Done(op, err)
}

// Done ends a call. What was wrong in a region that was closed meanwhile may
// have been the zeroes; that nothing was is for the call to know: Gate has what
// there is to do about it.
func (c *Core) Done(op string, err error) error {
	mem.Between()
	if err == nil {
		c.KeepAlive()
		return nil
	}
	return c.failed(op, err)
}

//go:noinline
func (c *Core) failed(op string, err error) error {
	if c == nil {
		return &Error{Op: op, Err: err}
	}
	if c.Closed.Load() && !errors.Is(err, ErrClosed) {
		err = ErrClosed
	}
	c.KeepAlive()
	return c.Err(op, err)
}

// Acquire and Release tell the race detector what the shared words order: what
// was done before a Release is done for a call that acquires after it. A
// Release that turns out to give nothing back takes no earlier one away.
func (c *Core) Acquire() {
	if mem.RaceEnabled {
		mem.RaceAcquire(unsafe.Pointer(&c.Whole().tag))
	}
}

func (c *Core) Release() {
	if mem.RaceEnabled {
		mem.RaceReleaseMerge(unsafe.Pointer(&c.Whole().tag))
	}
}

// Over is Acquire for a call that ends with an error which says that all is over for good,
// and what it says is of the Release that made it so.
func (c *Core) Over(err error, over ...error) {
	if mem.RaceEnabled && slices.Contains(over, err) {
		c.Acquire()
	}
}
