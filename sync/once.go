package sync

import (
	"context"
	"errors"
	"sync/atomic"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// A Once is something that the processes of a region do to success once: an
// index to build, a table to fill. A process that dies while it does it has not
// done it; the next caller begins again.
//
// In the terminology of the [Go memory model], the return of the fn that did it
// synchronizes before the return of nil from any call of [Once.Do], and the
// return of an fn that failed before the call of the next one.
//
// [Go memory model]: https://go.dev/ref/mem
type Once struct {
	handle
	once engine.Once
	done atomic.Pointer[atomic.Bool] // closed, if this handle has seen, in the region, that it is done: for good
}

// OpenOnce finds the once called name in r, or makes it, not done. It blocks, and
// fails, as every OpenX does: see package shm.
func OpenOnce(r *shm.Region, name string) (*Once, error) {
	o := new(Once)
	if err := o.open(r, name); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *Once) open(r *shm.Region, name string) error {
	o.done.Store(nil) // of what the handle was on before
	return open(&o.handle, &o.once, r, object.Spec{Op: "sync.OpenOnce", Kind: engine.KindOnce, Name: name,
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			return nil, engine.OnceSize, engine.InitOnce, nil
		}}, func(c *object.Core) (*engine.Once, error) { return engine.AttachOnce(c.Area, c.Env) })
}

// Do calls fn, with ctx, unless it has been done: by an fn, of any process,
// that returned nil. nil means that it has, and what was done in that fn is
// done for the caller. While another caller's fn runs, in any process, Do
// waits: it spins for moments, then sleeps. An error of fn's own is returned
// as it is, and it is not done then: the next caller's fn runs, also one's that
// waits already. All other errors are a *shm.Error: ctx's, if it ends while Do
// waits, or shm.ErrClosed. A context that has ended makes no attempt.
//
// An fn that panics, or ends its goroutine, has not done it, nor has one whose
// process died before fn returned nil. The next caller's fn, which finds what
// the dead one left half done, is called within milliseconds of the death; so
// fn begins by clearing that away. To close the region while fn runs is to die
// in it: Do returns shm.ErrClosed, joined with fn's own error, and it is not
// done. A process that is stopped in fn is waited for.
//
// An fn that calls Do of the same Once waits for itself, until its ctx ends.
//
//go:nosplit
func (o *Once) Do(ctx context.Context, fn func(context.Context) error) error {
	// It looks for no stack, which would be a tenth of it: do does.
	if closed := o.done.Load(); closed == nil || closed.Load() || !object.Endless(ctx) {
		return o.do(ctx, fn)
	}
	return nil
}

// do is Do after a first look that was not enough.
//
//go:noinline
func (o *Once) do(ctx context.Context, fn func(context.Context) error) error {
	if closed := o.done.Load(); closed != nil && !closed.Load() && ctx.Err() == nil {
		return nil
	}
	if o.core != nil && ctx.Err() == nil && o.once.Done() && !o.core.Closed.Load() {
		if !mem.RaceEnabled { // which is to be told each time
			o.done.Store(o.closed)
		}
		o.core.Acquire()
		o.core.KeepAlive()
		return nil
	}
	const op = "once.Do"
	if err := o.ready(ctx); err != nil {
		return o.core.Done(op, err)
	}
	run, err := o.begin(ctx)
	if !run || err != nil {
		return o.core.Acquired(op, o.core.Seen(err))
	}
	o.core.Acquire()
	if o.core.Closed.Load() { // it may have been the zeroes that said that it is not done
		o.core.Gate.Took(func() bool { return o.once.Finish(false) == nil })
		return o.core.Done(op, shm.ErrClosed)
	}
	failure, err := o.run(ctx, fn)
	switch closed := o.core.Closed.Load(); {
	case closed && (failure != nil || !o.core.Gate.Gave(o.once.Done)):
		return o.core.Err(op, errors.Join(shm.ErrClosed, failure))
	case closed:
		return o.core.Done(op, nil) // done before the zeroes came, if not ended
	case failure != nil:
		return failure
	}
	return o.core.Done(op, err)
}

func (o *Once) begin(ctx context.Context) (run bool, err error) {
	w := o.core.Waiter(ctx)
	run, err = o.once.Begin(w)
	w.Done()
	return run, err
}

// run calls fn and ends what begin began, whatever fn does.
func (o *Once) run(ctx context.Context, fn func(context.Context) error) (failure, err error) {
	success := false
	defer func() {
		o.core.Release()
		err = o.once.Finish(success)
	}()
	failure = fn(ctx)
	success = failure == nil
	return failure, nil
}

// MarshalBinary makes the handle an argument; see [Mutex.MarshalBinary].
func (o *Once) MarshalBinary() ([]byte, error) { return o.marshal("once.MarshalBinary") }

// UnmarshalBinary opens the once that another process's handle was on; see
// [Mutex.UnmarshalBinary].
func (o *Once) UnmarshalBinary(b []byte) error {
	return unmarshal("once.UnmarshalBinary", engine.KindOnce, b, o.open)
}
