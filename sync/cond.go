package sync

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"reflect"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
)

// A Cond is a condition variable: callers that need something to become true of
// what a lock guards wait on it, and a caller that makes that true notifies
// them. The lock is held in every call.
//
//	must(h.Lock(ctx))
//	err := c.WaitFor(ctx, func() bool { return queue.Len() > 0 })
//	…
//	must(h.Unlock())
//
// A notification wakes one waiter of that moment, and is not remembered. If its
// receiver dies before it has returned from Wait, the notification goes to
// another that waits then; a waiter that gives up, or is dead, or comes late,
// takes none from others. A process that is stopped keeps what it was given.
//
// If a process dies in one of its methods, waiting, it does not wait any more;
// if it dies holding the lock, the lock is abandoned, and one of the waiters is
// told within milliseconds: it gets [ErrOwnerDied] and the lock. The others
// wait on, unless it leaves the lock abandoned; then the next is told.
//
// In the terminology of the [Go memory model], a call of [Cond.Notify] or
// [Cond.NotifyAll] synchronizes before the return of any [Cond.Wait] that it
// ends; and a Wait unlocks and locks the lock, with what that orders.
//
// [Go memory model]: https://go.dev/ref/mem
type Cond struct {
	handle
	cond engine.Cond
	userLock
}

// OpenCond finds the condition variable called name in r, or makes it. l is
// its lock: a *Mutex, or a *Holder, which Wait gives up to its full depth and
// takes back; or nil: a reentrant lock of the Cond's own, see Holder. Another
// lock than it was made with is shm.ErrMismatch, and another kind of lock
// fs.ErrInvalid. It blocks, and fails, as every OpenX does: see package shm.
func OpenCond(r *shm.Region, name string, l Lock) (*Cond, error) {
	c := new(Cond)
	field, err := c.bring(r, name, l)
	if err != nil {
		c.leaveLock()
		return nil, &shm.Error{Op: opOpenCond, Region: r.Name(), Object: name, Err: err}
	}
	if err := c.open(r, r.Existing(), name, field, c.userLock); err != nil {
		c.leaveLock()
		return nil, err
	}
	if c.holder != nil && c.holder.core.Whole() != c.lock.core.Whole() {
		err := c.core.Err(opOpenCond, c.foreign(c.holder.core))
		c.leaveLock()
		c.Close()
		return nil, err
	}
	return c, nil
}

// leaveLock ends the handle on the lock of a Cond that is not to be.
func (c *Cond) leaveLock() {
	if l := c.lock.core; l != nil && l != c.core {
		l.Close()
	}
}

const opOpenCond = "sync.OpenCond"

// open opens it with the lock that field says, whatever it is if that is "". It
// looks for the lock in locks, a view of r in which objects are only found, unless
// that is lock.
func (c *Cond) open(r, locks *shm.Region, name, field string, lock userLock) error {
	fields := []object.Field{{Name: fieldLock, Value: field}}
	err := open(&c.handle, &c.cond, r, object.Spec{Op: opOpenCond, Kind: engine.KindCond, Name: name, Fields: fields,
		Create: func(participants int) ([]object.Field, uint64, func(mem.Area), error) {
			return fields, engine.CondSize(participants), engine.InitCond, nil
		}}, func(core *object.Core) (*engine.Cond, error) {
		own := sharedOf(core)
		e, err := engine.AttachCond(core.Area, core.Env, &own.line)
		if err == nil && lock.lock.core == nil {
			err = lock.find(locks, handleOn(core, own), core.Field(fieldLock))
		}
		return e, err
	})
	if err == nil {
		c.userLock = lock
	}
	return err
}

// Holder is a new holder of the lock of the Cond's own. nil if it was opened
// with another lock.
func (c *Cond) Holder() *Holder {
	if c.core == nil || c.core.Field(fieldLock) != ownLock {
		return nil
	}
	return newHolder(c.lock, c.re)
}

// Wait gives up the lock, waits until it is notified, and takes the lock back,
// for which it waits as long as that takes. The lock is held when it returns,
// whatever it returns; but for shm.ErrClosed where the region was closed (where only the
// handle was, it is held). Unlock it after shm.ErrClosed in any case, as With does: that
// frees nothing of another's.
//
// nil says that it was notified. Whether what it waits for is true it has to
// look at again: see WaitFor. ErrOwnerDied says that a holder died and nobody
// has repaired since: the lock is held, and suspect, as after Recover. It comes
// soon after the death, notified or not, to one after another until somebody
// has repaired: within milliseconds, or half a second if the dead process had
// the lock open and not the Cond. A caller that waits with a suspect lock is
// told at once. ErrNotLocked says that the caller does not hold the lock, and
// is joined by ErrNotOwner if another does; nothing has changed then. A context
// that ends ends the wait with its error, unless it was notified before; one
// that has ended already makes no attempt.
//
// A Cond of a lock of its own, and one that was an argument, gives up and
// takes back whichever holder of this process has the lock.
func (c *Cond) Wait(ctx context.Context) error {
	var g *grip
	err := c.ready(ctx)
	if err == nil {
		g, err = c.wait(ctx)
	}
	return c.left("cond.Wait", g, err)
}

// left ends a call that may have given up the lock and taken it back, by g.
// Notified, the caller has it even if the region was closed meanwhile, for what
// it was told nobody else will be. One that says ErrClosed gives it back.
func (c *Cond) left(op string, g *grip, err error) error {
	if err == engine.ErrOwnerDied && g != nil && g.back { // and notified
		return c.core.Err(op, err)
	}
	if c.core != nil && c.core.Closed.Load() && !c.core.Gate.Closed() && // the handle alone: the lock is as err says
		(errors.Is(err, ErrOwnerDied) || errors.Is(err, ErrNotLocked) || errors.Is(err, ErrNotOwner)) {
		err = errors.Join(shm.ErrClosed, err)
	}
	if err = c.ended(op, err); errors.Is(err, shm.ErrClosed) && c.core.Gate.Closed() {
		g.letGo()
	}
	return err
}

// wait is one Wait.
func (c *Cond) wait(ctx context.Context) (*grip, error) {
	g, err := c.grip(ctx)
	if err != nil {
		return nil, err
	}
	err = c.cond.Wait(g, g)
	if g.awake(); g.fault != nil {
		panic(g.fault)
	}
	return g, err
}

// WaitFor waits until pred returns true: it calls pred, with the lock held,
// before it waits at all, after each notification, and when ctx ends while it
// waits. ctx is one deadline for all of that. nil says that pred has returned true. Its
// errors, and what they say of the lock, are Wait's. If pred panics, or ends its
// goroutine, the lock is held, for the caller to unlock, as With does.
func (c *Cond) WaitFor(ctx context.Context, pred func() bool) error {
	err := c.readyNow()
	if err == nil {
		err = c.held()
	}
	var g *grip
	for err == nil && !pred() {
		if err = c.ready(ctx); err != nil {
			break
		}
		g, err = c.wait(ctx)
		if err != nil && (isOf(err, ctx.Err()) || err == context.DeadlineExceeded) && !c.core.Closed.Load() && pred() {
			err = nil
			break
		}
	}
	return c.left("cond.WaitFor", g, c.core.Seen(err))
}

// isOf reports that err is end, a context's error, whose type may be one that == panics of.
func isOf(err, end error) bool {
	if end != nil && !reflect.ValueOf(end).Comparable() {
		return reflect.TypeOf(err) == reflect.TypeOf(end)
	}
	return err == end
}

// Notify wakes n of the waiters, or all of them if they are fewer, by turns
// among the processes. They return from Wait when they get the lock. It does
// not block. fs.ErrInvalid if n is below 0; ErrNotLocked as Wait's.
func (c *Cond) Notify(n int) error { return c.notify("cond.Notify", n) }

// NotifyAll wakes all waiters. It does not block. [ErrNotLocked] as Wait's. A Close of the
// region, or a death, that comes upon it leaves some of them to the next one; then, and then
// only, some may have been woken by a call that says shm.ErrClosed, as by a Notify of several.
func (c *Cond) NotifyAll() error { return c.notify("cond.NotifyAll", math.MaxInt) }

func (c *Cond) notify(op string, n int) error {
	if mem.RaceEnabled || c.closed == nil || n < 0 || !c.has() || !c.cond.Idle() || c.closed.Load() {
		return c.notifySlow(op, n)
	}
	c.keep()
	return nil
}

//go:noinline
func (c *Cond) notifySlow(op string, n int) error {
	err := c.readyNow()
	if err == nil && n < 0 {
		err = fmt.Errorf("%d notifications: %w", n, fs.ErrInvalid)
	}
	if err == nil {
		err = c.held()
	}
	if err == nil {
		var told int
		var all bool
		here := func() bool { return c.core.Seen(nil) == nil }
		if told, all, err = c.cond.Notify(n, here); told < n && !all {
			err = c.core.Seen(err)
		}
	}
	return c.ended(op, err)
}

// ended ends a call.
func (c *Cond) ended(op string, err error) error {
	if c.core != nil {
		c.lock.core.KeepAlive()
	}
	return c.core.Done(op, err)
}

// MarshalBinary makes the handle an argument; see [Mutex.MarshalBinary].
func (c *Cond) MarshalBinary() ([]byte, error) {
	if _, err := c.marshal("cond.MarshalBinary"); err != nil {
		return nil, err
	}
	ref := c.core.Ref
	if c.lock.core.Whole() != c.core.Whole() {
		ref.Lock = c.lock.core.Ref.Generation
	}
	return ref.Marshal()
}

// UnmarshalBinary opens the condition variable that another process's handle
// was on, with its lock; see [Mutex.UnmarshalBinary].
func (c *Cond) UnmarshalBinary(b []byte) error {
	return object.Arrive("cond.UnmarshalBinary", engine.KindCond, b, shm.Arrived, func(r *shm.Region, ref object.Ref) error {
		lock := object.Ref{Generation: ref.Lock}.On(ref.Key())
		return object.At(lock, shm.Arrived, func(locks *shm.Region) error {
			return c.open(r, locks, ref.Object, "", userLock{}) // and not the lock of what the handle was on before
		})
	})
}
