package damage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"example.com/tandem/shm"
	"example.com/tandem/sync"
)

// primitives opens what package sync has besides mutexes.
func (u *user) primitives(open func(name string, do func() error)) {
	for _, name := range []string{"nested", "loose"} {
		open(name, func() error { return u.rmutex(name) })
	}
	for _, name := range []string{"read", "written"} {
		open(name, func() error { return u.rwmutex(name) })
	}
	open("own", func() error {
		c, err := sync.OpenCond(u.r, "own", nil)
		if err != nil {
			return err
		}
		return u.cond("own", c, func() lock { return c.Holder() })
	})
	open("of", func() error {
		m, err := sync.OpenMutex(u.r, "of-lock")
		if err != nil {
			return err
		}
		c, err := sync.OpenCond(u.r, "of", m)
		if err != nil {
			return err
		}
		return u.cond("of", c, func() lock { return m })
	})
	open("permits", func() error {
		s, err := sync.OpenSemaphore(u.r, "permits", -1)
		if err == nil {
			u.semaphore("permits", s)
			u.again("permits", s, new(sync.Semaphore), nil)
		}
		return err
	})
	open("bounded", func() error {
		s, err := sync.OpenBoundedSemaphore(u.r, "bounded", -1)
		if err == nil {
			u.semaphore("bounded", s)
			u.again("bounded", s, new(sync.BoundedSemaphore), nil)
		}
		return err
	})
	for _, name := range []string{"set", "clear"} {
		open(name, func() error { return u.event(name) })
	}
	for _, name := range []string{"barrier", "broken"} {
		open(name, func() error { return u.barrier(name) })
	}
	for _, name := range []string{"done", "running"} {
		open(name, func() error { return u.once(name) })
	}
}

func (u *user) rmutex(name string) error {
	m, err := sync.OpenRMutex(u.r, name)
	if err != nil {
		return err
	}
	h := m.NewHolder()
	u.lock(name, h)
	u.add(name+" nested", func(ctx context.Context) error {
		return sync.With(ctx, h, func() error { return sync.With(ctx, h, func() error { return nil }) })
	})
	u.try(name+" another holder", func() error { _, err := m.NewHolder().TryLock(); return err })
	u.try(name+" Owner", func() error { m.Owner(); return wish(h.Depth()) })
	u.again(name, m, new(sync.RMutex), nil)
	return nil
}

func (u *user) rwmutex(name string) error {
	m, err := sync.OpenRWMutex(u.r, name)
	if err != nil {
		return err
	}
	u.lock(name, m)
	u.add(name+" RLock", func(ctx context.Context) error {
		err := m.RLock(ctx)
		if err == nil && u.rnd.IntN(3) > 0 {
			err = m.RUnlock()
		}
		return err
	})
	u.try(name+" TryRLock", func() error {
		ok, err := m.TryRLock()
		if ok {
			err = m.RUnlock()
		}
		return err
	})
	u.try(name+" RUnlock", m.RUnlock)
	u.try(name+" Owner", func() error { m.Owner(); return nil })
	u.add(name+" repaired", func(ctx context.Context) error {
		m.OnOwnerDied(func(context.Context) error { return nil })
		defer m.OnOwnerDied(nil)
		err := m.RLock(ctx)
		if err == nil {
			err = m.RUnlock()
		}
		return err
	})
	u.again(name, m, new(sync.RWMutex), nil)
	return nil
}

// cond's Wait takes its lock back for as long as that takes, and if somebody
// scribbles on the lock that is for ever: it is left to Close. mine is the lock, or a
// holder of it for one call.
func (u *user) cond(name string, c *sync.Cond, mine func() lock) error {
	locked := func(ctx context.Context, f func() error) error {
		l := mine() // which one that was left may still be in a call of
		if _, err := l.Recover(ctx); err != nil {
			return err
		}
		return errors.Join(f(), l.Unlock())
	}
	u.add(name+" Wait", func(ctx context.Context) error {
		return u.leave(func() error { return locked(ctx, func() error { return c.Wait(ctx) }) })
	})
	u.add(name+" WaitFor", func(ctx context.Context) error {
		n := 0
		return u.leave(func() error {
			return locked(ctx, func() error { return c.WaitFor(ctx, func() bool { n++; return n > 2 }) })
		})
	})
	u.add(name+" Notify", func(ctx context.Context) error {
		return locked(ctx, func() error { return c.Notify(1 + u.rnd.IntN(3)) })
	})
	u.add(name+" NotifyAll", func(ctx context.Context) error { return locked(ctx, c.NotifyAll) })
	u.try(name+" Notify, not locked", func() error { return c.Notify(1) })
	u.add(name+" Wait, not locked", c.Wait)
	u.again(name, c, new(sync.Cond), nil)
	return nil
}

// leave is f's error, or nil if f goes on for long: it ends when the region is
// closed.
func (u *user) leave(f func() error) error {
	done := make(chan error, 1)
	u.left.Go(func() { done <- f() })
	select {
	case err := <-done:
		return err
	case <-time.After(50 * patient):
		return nil
	}
}

type semaphore interface {
	Acquire(context.Context) error
	TryAcquire() (bool, error)
	Release(int) error
	Value() int
}

func (u *user) semaphore(name string, s semaphore) {
	u.add(name+" Acquire", s.Acquire)
	u.add(name+" Acquire and Release", func(ctx context.Context) error {
		err := s.Acquire(ctx)
		if err == nil {
			err = s.Release(1)
		}
		return err
	})
	u.try(name+" TryAcquire", func() error { _, err := s.TryAcquire(); return err })
	u.try(name+" Release", func() error { return s.Release(1 + u.rnd.IntN(3)) })
	u.try(name+" Value", func() error { return wish(s.Value()) })
	u.any(name, s.(shm.Waitable))
}

// any waits for one that is there twice.
func (u *user) any(name string, w shm.Waitable) {
	u.add(name+" WaitAny", func(ctx context.Context) error { _, err := shm.WaitAny(ctx, w, w); return err })
	if p, ok := w.(interface{ Poll(context.Context) error }); ok {
		u.add(name+" Poll", p.Poll)
	}
}

func (u *user) event(name string) error {
	e, err := sync.OpenEvent(u.r, name)
	if err != nil {
		return err
	}
	u.add(name+" Wait", e.Wait)
	u.try(name+" Set", e.Set)
	u.try(name+" Clear", e.Clear)
	u.try(name+" IsSet", func() error { return wish(e.IsSet()) })
	u.any(name, e)
	u.again(name, e, new(sync.Event), nil)
	return nil
}

func (u *user) barrier(name string) error {
	var failed bool
	b, err := sync.OpenBarrier(u.r, name, 0, &sync.BarrierOptions{Action: func() error {
		if failed = !failed; failed {
			return fs.ErrNotExist
		}
		return nil
	}})
	if err != nil {
		return err
	}
	u.add(name+" Wait", func(ctx context.Context) error {
		i, err := b.Wait(ctx)
		if err == nil && (i < 0 || i >= b.Parties()) {
			return fmt.Errorf("came as %d of %d", i, b.Parties())
		}
		return err
	})
	u.add(name+" Waits", func(ctx context.Context) error { // the parties of this process
		n := min(b.Parties(), 8)
		came := make(chan error, n)
		for range n {
			go func() { _, err := b.Wait(ctx); came <- err }()
		}
		var errs error
		for range n {
			errs = errors.Join(errs, <-came)
		}
		return errs
	})
	u.try(name+" Abort", b.Abort)
	u.try(name+" Reset", b.Reset)
	u.try(name+" Waiting", func() error { return wish(b.Waiting() + b.Parties()) })
	u.try(name+" Broken", func() error { return wish(b.Broken()) })
	u.again(name, b, new(sync.Barrier), nil)
	return nil
}

func (u *user) once(name string) error {
	o, err := sync.OpenOnce(u.r, name)
	if err != nil {
		return err
	}
	u.add(name+" Do", func(ctx context.Context) error { return o.Do(ctx, func(context.Context) error { return nil }) })
	u.add(name+" Do, which fails", func(ctx context.Context) error {
		return o.Do(ctx, func(context.Context) error {
			_, err := sync.OpenOnce(u.r.Existing(), "nobody")
			return err
		})
	})
	u.again(name, o, new(sync.Once), nil)
	return nil
}
