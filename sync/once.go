package sync

import (
	"context"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// A Once has something done once in the region's life, by one of all the
// processes that want it done.
type Once struct {
	handle
	once engine.Once
}

// OpenOnce finds the Once called name in r, or makes it, with nothing done. It
// blocks only while another process changes the region's directory.
func OpenOnce(r *shm.Region, name string) (*Once, error) {
	o := new(Once)
	if err := o.open(r, name); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *Once) open(r *shm.Region, name string) error {
	const op = "sync.OpenOnce"
	err := o.handle.open(r, object.Spec{Op: op, Kind: engine.KindOnce, Name: name,
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			return nil, engine.OnceSize, engine.InitOnce, nil
		}})
	if err != nil {
		return err
	}
	once, err := engine.AttachOnce(o.core.Area, o.core.Env)
	if err != nil {
		return o.core.Err(op, err)
	}
	o.once = *once
	return nil
}

// Do runs fn, with ctx, unless it, or what stood for it in another call, has
// been run to success before; then it returns nil at once. While another runs
// it, in any process, Do waits. With nil fn has returned nil, here or there,
// and what it did before is done for the caller.
//
// If fn returns an error Do returns that, and the next caller runs its own fn;
// one that waits already is next. The same if fn panics, which goes on, and if
// the process that runs it dies or closes the region. fn may so have been run
// in part before: it makes whole what it finds. It is not to call Do on the
// same Once, which would wait for itself until its context ends.
//
// Other errors: ctx's, before fn was run, and shm.ErrClosed, also if the region
// was closed while fn ran; then fn counts as not run.
func (o *Once) Do(ctx context.Context, fn func(context.Context) error) error {
	const op = "once.Do"
	if o.core != nil && ctx.Err() == nil && o.once.Done() {
		return o.locked(op, nil)
	}
	return o.do(ctx, fn)
}

//go:noinline
func (o *Once) do(ctx context.Context, fn func(context.Context) error) error {
	const op = "once.Do"
	err := o.ready(ctx)
	if err != nil {
		return o.done(op, err)
	}
	w := o.core.Waiter(ctx)
	run, err := o.once.Begin(w)
	w.Done()
	if !run || o.core.Closed.Load() {
		return o.locked(op, err)
	}
	return o.locked(op, o.run(ctx, fn))
}

// run runs fn. This process has the mutex.
func (o *Once) run(ctx context.Context, fn func(context.Context) error) (err error) {
	o.acquire()
	defer func() {
		o.release()
		if e := o.once.End(); err == nil {
			err = e
		}
	}()
	if err := fn(ctx); err != nil {
		return err
	}
	o.release()
	return o.once.Commit()
}

// MarshalBinary makes the handle an argument.
func (o *Once) MarshalBinary() ([]byte, error) { return o.marshal("once.MarshalBinary") }

// UnmarshalBinary opens the Once that another process's handle was on.
func (o *Once) UnmarshalBinary(b []byte) error {
	return unmarshal("once.UnmarshalBinary", engine.KindOnce, b, o.open)
}
