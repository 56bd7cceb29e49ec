//go:build tandem_sim

package sync

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
	"example.com/tandem/shm"
)

// simEnded reports whether a call ended the loop that it is in, and fails the run
// where it ended as it may not.
func simEnded(w *sim.World, err error) (over bool) {
	switch {
	case err == nil, errors.Is(err, sim.ErrCanceled):
		return false
	case errors.Is(err, shm.ErrClosed):
		return true
	}
	w.Fail("%v", err)
	return true
}

// simRecover has the scheduler recover objects, the first first.
func simRecover(w *sim.World, kinds []engine.Kind, areas []mem.Area) {
	for _, a := range areas {
		w.Share(a)
	}
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		for i, a := range areas {
			ops, _ := engine.OpsOf(kinds[i])
			if err := ops.Recover(a, t.Env(), dead); err != nil {
				w.Fail("recovery: %v", err)
			}
		}
	})
}

// simCond is a Cond in a, of the mutex in m.
func simCond(p *sim.Process, m, a mem.Area) (*Mutex, *Cond) {
	mu := &Mutex{handle: simHandle(p, engine.KindMutex, m), mu: *check(engine.AttachMutex(m, p.Env()))}
	c := &Cond{handle: simHandle(p, engine.KindCond, a)}
	c.cond = *check(engine.AttachCond(a, p.Env(), &c.own.line))
	c.lock, c.mu = mu.handle, mu.mu
	return mu, c
}

// Permits are there as the calls said, signals and guards.
func TestSimClosePermits(t *testing.T) {
	for _, bounded := range []bool{false, true} {
		kind, initial := engine.KindSemaphore, 0
		if bounded {
			kind, initial = engine.KindBoundedSemaphore, 2
		}
		t.Run(kind.String(), func(t *testing.T) {
			sim.Explore(t, 3000, sim.Leaving, func(w *sim.World) {
				a := mem.Heap(engine.SemaphoreSize(8))
				engine.InitSemaphore(a, initial)
				simRecover(w, []engine.Kind{kind}, []mem.Area{a})
				took, gave := 0, 0
				for i := range 4 {
					p := w.Process(i)
					s := &permits{handle: simHandle(p, kind, a), bounded: bounded}
					s.sem = *check(engine.AttachSemaphore(a, p.Env(), bounded))
					use := func(t *sim.Thread) {
						ctx := sim.Context
						for round := range 5 {
							var err error
							if bounded || i%2 == 0 {
								ok := true
								if round%3 == 2 {
									ok, err = s.TryAcquire()
								} else {
									t.Context(true)
									err = s.Acquire(ctx)
								}
								if ok && err == nil {
									took++
								} else if simEnded(w, err) {
									return
								}
								if !bounded || !ok || err != nil {
									continue
								}
							}
							n := 1
							if !bounded {
								n += round % 2
							}
							if err = s.Release(n); err == nil {
								gave += n
							}
							if simEnded(w, err) {
								return
							}
						}
					}
					p.Go("user", use)
					p.Go("another", use)
				}
				w.OnStuck(func() bool { // the signals are used up
					p := w.Process(int(7))
					s := &permits{handle: simHandle(p, kind, a), bounded: bounded}
					s.sem = *check(engine.AttachSemaphore(a, p.Env(), bounded))
					p.Immortal = true
					p.Go("more", func(*sim.Thread) {
						if !bounded && s.Release(20) == nil {
							gave += 20
						}
					})
					return !bounded
				})
				w.AtEnd(func() error {
					v := check(engine.AttachSemaphore(a, engine.Env{}, bounded)).Value()
					if bounded && v != initial {
						return fmt.Errorf("%d permits of %d at the end", v, initial)
					}
					if !bounded && v != gave-took {
						return fmt.Errorf("%d permits at the end; calls said that they gave %d and took %d", v, gave, took)
					}
					return nil
				})
			})
		})
	}
}

// An Event is what the last call that returned nil made it.
func TestSimCloseEvent(t *testing.T) {
	sim.Explore(t, 8000, sim.Leaving, func(w *sim.World) {
		a := mem.Heap(engine.EventSize)
		simRecover(w, []engine.Kind{engine.KindEvent}, []mem.Area{a})
		set := false
		for i := range 3 {
			p := w.Process(i)
			e := &Event{handle: simHandle(p, engine.KindEvent, a), ev: *check(engine.AttachEvent(a, p.Env()))}
			p.Go("user", func(t *sim.Thread) {
				if i > 0 {
					t.Context(true)
					simEnded(w, e.Wait(sim.Context))
					return
				}
				for range 4 {
					err := e.Set()
					if set = set || err == nil; simEnded(w, err) {
						return
					}
					err = e.Clear()
					if set = set && err != nil; simEnded(w, err) {
						return
					}
				}
			})
		}
		w.OnStuck(func() bool {
			p := w.Process(7)
			e := &Event{handle: simHandle(p, engine.KindEvent, a), ev: *check(engine.AttachEvent(a, p.Env()))}
			p.Immortal = true
			p.Go("setter", func(*sim.Thread) { set = e.Set() == nil })
			return true
		})
		w.AtEnd(func() error {
			if is := check(engine.AttachEvent(a, engine.Env{})).IsSet(); is != set {
				return fmt.Errorf("set at the end: %v, as the calls said: %v", is, set)
			}
			return nil
		})
	})
}

// It is done if and only if one Do that ran it returned nil.
func TestSimCloseOnce(t *testing.T) {
	sim.Explore(t, 8000, sim.Leaving, func(w *sim.World) {
		a := mem.Heap(engine.OnceSize)
		simRecover(w, []engine.Kind{engine.KindOnce}, []mem.Area{a})
		did := 0
		for i := range 3 {
			p := w.Process(i)
			o := &Once{handle: simHandle(p, engine.KindOnce, a), once: *check(engine.AttachOnce(a, p.Env()))}
			p.Go("user", func(t *sim.Thread) {
				ran := false
				err := o.Do(sim.Context, func(context.Context) error {
					if t.Closed() {
						w.Fail("a run begins in a region that is closed")
					}
					t.Step()
					ran = true
					return nil
				})
				if err == nil && ran {
					did++
				}
				if err == nil && !o.once.Done() && w.Alive(p.Self) {
					w.Fail("Do returned nil, and it is not done")
				}
				simEnded(w, err)
			})
		}
		w.AtEnd(func() error {
			if done := check(engine.AttachOnce(a, engine.Env{})).Done(); done != (did == 1) || did > 1 {
				return fmt.Errorf("done at the end: %v; %d Dos said that they did it", done, did)
			}
			return nil
		})
	})
}

// Tokens under a lock, with a Cond: whoever closes the region while it waits, or
// has been notified, or is about to return, takes nobody's notification with it.
func TestSimCloseCond(t *testing.T) {
	o := sim.Leaving
	o.CancelEvery = 300
	sim.Explore(t, 8000, o, func(w *sim.World) {
		m, a := mem.Heap(engine.MutexSize), mem.Heap(engine.CondSize(9))
		simRecover(w, []engine.Kind{engine.KindMutex, engine.KindCond}, []mem.Area{m, a})
		tokens, waiting, ended := 0, map[engine.Self]bool{}, false
		open := func(p *sim.Process) (*Mutex, *Cond) { return simCond(p, m, a) }
		ctx := sim.Context
		lock := func(mu *Mutex) error {
			err := mu.Lock(ctx)
			if errors.Is(err, ErrOwnerDied) {
				if _, err = mu.Recover(ctx); err == nil {
					err = mu.MarkConsistent()
				}
			}
			return err
		}
		consume := func(t *sim.Thread, mu *Mutex, c *Cond, me engine.Self) error {
			t.Context(false)
			if err := lock(mu); err != nil {
				return err
			}
			t.Context(true)
			waiting[me] = true
			err := c.WaitFor(ctx, func() bool { return tokens > 0 || ended })
			delete(waiting, me)
			if errors.Is(err, ErrOwnerDied) {
				err = mu.MarkConsistent()
			} else if err == nil && w.Alive(me) && !ended {
				tokens--
			} else if errors.Is(err, shm.ErrClosed) {
				return err
			}
			return errors.Join(err, mu.Unlock())
		}
		for i := range 3 {
			p := w.Process(i)
			mu, c := open(p)
			for range 1 + i%2 {
				p.Go("consumer", func(t *sim.Thread) {
					for range 2 {
						if simEnded(w, consume(t, mu, c, p.Self)) {
							return
						}
					}
				})
			}
		}
		give := func(mu *Mutex, c *Cond, n int) error {
			if err := lock(mu); err != nil {
				return err
			}
			tokens += n
			err := c.Notify(n)
			return errors.Join(err, mu.Unlock())
		}
		p := w.Process(3)
		p.Immortal = true
		mu, c := open(p)
		p.Go("producer", func(t *sim.Thread) {
			for range 3 {
				if simEnded(w, give(mu, c, 1)) {
					return
				}
			}
		})
		w.OnStuck(func() bool {
			if tokens > 0 {
				return false // with somebody asleep: a notification is lost
			}
			p.Go("last", func(t *sim.Thread) {
				if err := lock(mu); err != nil {
					w.Fail("%v", err)
				}
				ended = true
				if err := errors.Join(c.NotifyAll(), mu.Unlock()); err != nil {
					w.Fail("%v", err)
				}
			})
			return true
		})
		w.AtEnd(func() error {
			ops, _ := engine.OpsOf(engine.KindCond)
			return ops.Check(a)
		})
	})
}
