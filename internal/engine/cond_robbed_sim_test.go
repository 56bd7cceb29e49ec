//go:build tandem_sim

package engine_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

// A robbedWorld has a lock that is taken once from the call that holds it in a Wait,
// others that wait, and a notifier.
type robbedWorld struct {
	w      *sim.World
	l, c   mem.Area
	lines  map[*sim.Process]*engine.CondLine
	victim *robbedLock // from which the lock can be taken still
	others int         // who have come to wait, but for the one that is robbed
	given  int
	owed   int // of what was given, what others were there for
	told   int
}

func (o *robbedWorld) attach(t *sim.Thread) (*engine.Mutex, *engine.Cond) {
	p := t.Process()
	if o.lines[p] == nil {
		o.lines[p] = new(engine.CondLine)
	}
	m, err := engine.AttachMutex(o.l, t.Env())
	c, err2 := engine.AttachCond(o.c, t.Env(), o.lines[p])
	if err = errors.Join(err, err2); err != nil {
		o.w.Fail("attach: %v", err)
	}
	return m, c
}

// rob takes the lock from l's call, if that has it.
func (o *robbedWorld) rob(l *robbedLock) {
	word := o.l.W64(0)
	w := *word
	const holder, seq, one = 0xffffffff<<32 | 1<<11 - 1, 1<<28 - 1<<11, 1 << 11
	*word = w&^(holder|seq) | (w+one)&seq
	l.holds, l.robbed = false, true
	o.w.Wake(o.l.W32(0), -1)
}

// A robbedLock is a lock as a Wait has it.
type robbedLock struct {
	t             *sim.Thread
	m             *engine.Mutex
	holds, robbed bool
}

func (l *robbedLock) Unlock() error {
	if l.robbed { // whoever else of its process has it by now
		l.robbed = false
		return engine.ErrNotOwner
	}
	l.holds = false
	return l.m.Unlock()
}

func (l *robbedLock) Lock() (bool, error) { return l.m.Recover(l.t) }
func (l *robbedLock) Abandoned() bool     { return l.m.Abandoned() }
func (l *robbedLock) Over() bool          { return false }

// wait waits with the lock, which may be taken from it. After it the lock is free.
func (o *robbedWorld) wait(t *sim.Thread, victim bool) {
	m, c := o.attach(t)
	if err := lock(t, m); err != nil {
		o.w.Fail("lock: %v", err)
	}
	l := &robbedLock{t: t, m: m, holds: true}
	if victim {
		o.victim = l
	} else {
		o.others++
	}
	switch err := c.Wait(t, l); {
	case err == nil:
		o.told++
		if err := unlock(m); err != nil {
			o.w.Fail("Unlock: %v", err)
		}
	case !victim || err != engine.ErrNotOwner:
		o.w.Fail("%v: Wait: %v", t, err)
	}
}

func (o *robbedWorld) notify(t *sim.Thread, n int) {
	m, c := o.attach(t)
	if err := lock(t, m); err != nil {
		o.w.Fail("lock: %v", err)
	}
	waiting := o.others - o.given // at least
	given, err := c.NotifyHere(n)
	if err != nil {
		o.w.Fail("Notify: %v", err)
	}
	if given < min(n, waiting) {
		o.w.Fail("Notify(%d) notified %d, and %d wait", n, given, waiting)
	}
	o.given += given
	o.owed += max(0, min(given, waiting))
	if err := unlock(m); err != nil {
		o.w.Fail("Unlock: %v", err)
	}
}

// balance compares notifications with who was notified.
func (o *robbedWorld) balance() error {
	if o.told < o.owed || o.told > o.given {
		return fmt.Errorf("%d were notified, by %d notifications, of which others were there for %d", o.told, o.given, o.owed)
	}
	return nil
}

// The lock is taken from a call that is in Wait: it is told, and neither loses
// another's notification nor has a region that is whole said to be corrupt.
func TestSimCondRobbed(t *testing.T) {
	sim.Explore(t, 20000, sim.Options{}, func(w *sim.World) {
		o := &robbedWorld{w: w, l: mem.Heap(engine.MutexSize), c: mem.Heap(engine.CondSize(4)), lines: map[*sim.Process]*engine.CondLine{}}
		engine.InitMutex(o.l)
		engine.InitCond(o.c)
		one, two, notifier := w.Process(0), w.Process(1), w.Process(2)
		for _, p := range []*sim.Process{one, two} {
			p.Go("other", func(t *sim.Thread) { o.wait(t, false) })
		}
		one.Go("victim", func(t *sim.Thread) {
			for n := w.Rand.IntN(200); n > 0; n-- {
				t.Step()
			}
			o.wait(t, true)
		})
		notifier.Go("notifier", func(t *sim.Thread) {
			for range 2 {
				for n := w.Rand.IntN(100); n > 0; n-- {
					t.Step()
				}
				o.notify(t, 1)
			}
		})
		w.Always(func() error {
			if l := o.victim; l != nil && l.holds && w.Rand.IntN(12) == 0 {
				o.victim = nil
				o.rob(l)
				if w.Rand.IntN(2) == 0 {
					one.Stop(w.Rand.IntN(80))
				}
			}
			return nil
		})
		closed := false
		w.OnStuck(func() bool {
			if err := o.balance(); err != nil {
				w.Fail("all sleep: %v", err)
			}
			if closed {
				return false
			}
			closed = true
			w.Settled()
			notifier.Go("closer", func(t *sim.Thread) { o.notify(t, math.MaxInt) })
			return true
		})
		w.AtEnd(func() error {
			if l := condOps.Look(o.c); l.Len != 0 {
				return fmt.Errorf("at the end: %+v", l)
			}
			return errors.Join(o.balance(), condOps.Check(o.c))
		})
	})
}
