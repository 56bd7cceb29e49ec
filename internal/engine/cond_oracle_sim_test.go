//go:build tandem_sim

package engine_test

import (
	"errors"
	"fmt"
	"math"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
)

const (
	condRowsInSim = 16
	condCloser    = condRowsInSim - 1
)

// A condOracle is a second opinion on a Cond and its lock.
type condOracle struct {
	*mutexOracle
	c     mem.Area
	lines map[engine.Self]*engine.CondLine

	given    int // notifications, as far as Notify returned
	partial  int // what a Notify that did not return was to give at most
	taken    int // Waits that were notified
	joined   int // who waits now, if nobody dies
	waits    []*condWait
	waiting  int // Waits begun and not ended, those of the dead too
	closer   *sim.Process
	immortal bool // notifications are exact
	onJoin   func()
}

// A condWait is one Wait.
type condWait struct {
	given int // when it began
	taken bool
}

func newCondOracle(w *sim.World, timers bool) *condOracle {
	o := &condOracle{c: mem.Heap(engine.CondSize(condRowsInSim)), lines: map[engine.Self]*engine.CondLine{}}
	engine.InitCond(o.c)
	o.mutexOracle = &mutexOracle{w: w, a: mem.Heap(engine.MutexSize)}
	own := w.Rand.IntN(2) == 0
	if own {
		o.a, _ = engine.CondOwn(o.c)
	}
	w.Always(o.check)
	w.Always(func() error { return condOps.Check(o.c) })
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		err := error(nil)
		if !own { // locks come first
			err = mutexOps.Recover(o.a, t.Env(), dead)
		}
		if err = errors.Join(err, condOps.Recover(o.c, t.Env(), dead)); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	o.closer = w.Process(condCloser)
	o.closer.Immortal = true
	closing := false
	end := func() bool {
		if o.waiting == 0 || closing {
			return false
		}
		closing = true
		o.closer.Go("closer", func(t *sim.Thread) { o.notify(t, math.MaxInt); closing = false })
		return true
	}
	w.OnStuck(func() bool {
		if err := o.idle(); err != nil {
			w.Fail("all sleep: %v", err)
			return true
		}
		w.Settled()
		o.immortal = false // who dies from now on need not be made up for
		return end()
	})
	if timers { // nobody is ever stuck
		w.OnIdle(func() error { end(); return nil })
	}
	w.AtEnd(func() error {
		if l := condOps.Look(o.c); l.Len != 0 || len(l.Holders) != 0 {
			return fmt.Errorf("at the end: %+v", l)
		}
		return o.balance()
	})
	return o
}

// idle is what holds when all sleep: no notification is undelivered, nor news
// of a death with the lock.
func (o *condOracle) idle() error {
	if o.waiting == 0 {
		return nil
	}
	for i := range condRowsInSim {
		if r := mem.Load64(o.c.W64(uint64(512 + 128*i))); r&(1<<20-1) != 0 {
			return fmt.Errorf("row %d is %#x: somebody is notified and sleeps, or is dead and nobody was told", i, r)
		}
	}
	if log := mem.Load64(o.c.W64(256)); log != 0 {
		return fmt.Errorf("the log is %#x", log)
	}
	if l := mutexOps.Look(o.a); l.State == "abandoned" {
		return errors.New("the lock is abandoned, and who waits was not told")
	}
	return o.balance()
}

// balance compares promises with what was made of them.
func (o *condOracle) balance() error {
	if o.taken > o.given+o.partial {
		return fmt.Errorf("%d were notified, by %d notifications and %d perhaps", o.taken, o.given, o.partial)
	}
	if (o.immortal || o.w.Kills() == 0) && o.taken != o.given {
		return fmt.Errorf("%d were notified, by %d notifications", o.taken, o.given)
	}
	return nil
}

func (o *condOracle) attach(t *sim.Thread) *engine.Cond {
	who := t.Process().Self
	if o.lines[who] == nil {
		o.lines[who] = new(engine.CondLine)
	}
	c, err := engine.AttachCond(o.c, t.Env(), o.lines[who])
	if err != nil {
		o.w.Fail("attach: %v", err)
	}
	return c
}

// lock takes the lock, repaired if need be. It reports false if the context
// ended.
func (o *condOracle) lock(t *sim.Thread) (m *engine.Mutex, ok bool) {
	m, err := engine.AttachMutex(o.a, t.Env())
	if err != nil {
		o.w.Fail("attach: %v", err)
	}
	suspect, err := m.Recover(t)
	if errors.Is(err, sim.ErrCanceled) {
		return m, false
	}
	if err != nil {
		o.w.Fail("lock: %v", err)
	}
	o.took(t, suspect)
	o.repair(m, suspect)
	return m, true
}

func (o *condOracle) repair(m *engine.Mutex, suspect bool) {
	if suspect {
		if err := m.MarkConsistent(); err != nil {
			o.w.Fail("MarkConsistent: %v", err)
		}
		o.dirty = false
	}
}

func (o *condOracle) unlock(t *sim.Thread, m *engine.Mutex) {
	o.leaves(t)
	if err := m.Unlock(); err != nil {
		o.w.Fail("Unlock: %v", err)
	}
}

// A condSimLock is what a Wait sees of the lock.
type condSimLock struct {
	o       *condOracle
	t       *sim.Thread
	m       *engine.Mutex
	can     bool // the wait's context may end
	ended   bool // and has
	joined  func()
	unlocks int
}

func (l *condSimLock) Unlock() error {
	if l.unlocks++; l.unlocks == 1 {
		l.joined()
	}
	l.o.leaves(l.t)
	return l.m.Unlock()
}

func (l *condSimLock) Lock() (bool, error) {
	l.t.Context(false)
	suspect, err := l.m.Recover(l.t)
	l.t.Context(l.can)
	if err == nil {
		l.o.took(l.t, suspect)
	}
	return suspect, err
}

func (l *condSimLock) Abandoned() bool { return l.m.Abandoned() }
func (l *condSimLock) Over() bool      { return false }

// A condSimSleeper is the wait's own: a context that has ended stays so, though
// the lock is waited for with another one.
type condSimSleeper struct {
	*sim.Thread
	l *condSimLock
}

func (s condSimSleeper) Sleep(w *uint32, v uint32) (err error) {
	if s.l.ended {
		return sim.ErrCanceled
	}
	err = s.Thread.Sleep(w, v)
	s.l.ended = err != nil
	return err
}

// wait is one Wait, with the lock held before and after.
func (o *condOracle) wait(t *sim.Thread, c *engine.Cond, m *engine.Mutex, can bool) (told bool) {
	x := &condWait{}
	l := &condSimLock{o: o, t: t, m: m, can: can, joined: func() {
		if o.onJoin != nil {
			o.onJoin()
		}
		x.given = o.given + o.partial
		o.waits = append(o.waits, x)
		o.joined++
	}}
	o.waiting++
	ended := false
	defer func() { // of one that is killed, too
		if !ended && o.w.Alive(t.Process().Self) {
			o.w.Fail("%v: Wait does not return", t)
		}
		o.waiting--
	}()
	t.Context(can)
	err := c.Wait(condSimSleeper{t, l}, l)
	ended = true
	t.Context(false)
	o.joined--
	suspect := errors.Is(err, engine.ErrOwnerDied)
	if told = err == nil || err == engine.ErrOwnerDied; told {
		o.taken++
		x.taken = true
		o.notLate(t)
	} else if !suspect && !(can && errors.Is(err, sim.ErrCanceled)) {
		o.w.Fail("Wait: %v", err)
	}
	if suspect && o.w.Kills() == 0 {
		o.w.Fail("Wait: %v", err)
	}
	if o.holder != t {
		o.w.Fail("after Wait, %v holds the lock", o.holder)
	}
	o.repair(m, suspect)
	return told
}

// notLate: those who began to wait after some instant have taken no more than
// was given after it, as long as nobody's death passes anything on.
func (o *condOracle) notLate(t *sim.Thread) {
	if o.w.Kills() > 0 {
		return
	}
	late := 0
	for i := len(o.waits) - 1; i >= 0; i-- {
		if o.waits[i].taken {
			late++
		}
		if since := o.given + o.partial - o.waits[i].given; late > since {
			o.w.Fail("%v: %d who came late were notified, by %d notifications", t, late, since)
		}
	}
}

func (o *condOracle) notify(t *sim.Thread, n int) {
	m, ok := o.lock(t)
	if !ok {
		return
	}
	o.notifyLocked(t, n)
	o.unlock(t, m)
}

func (o *condOracle) notifyLocked(t *sim.Thread, n int) {
	c := o.attach(t)
	want := min(n, o.joined-(o.given-o.taken))
	before := o.partial
	o.partial += min(n, 100) // until it returns
	given, err := c.NotifyHere(n)
	o.partial = before
	if err != nil {
		o.w.Fail("Notify: %v", err)
	}
	o.given += given
	if o.w.Kills() == 0 && given != want {
		o.w.Fail("%v: Notify(%d) notified %d, of %d", t, n, given, want)
	}
	if given > n {
		o.w.Fail("%v: Notify(%d) notified %d", t, n, given)
	}
}
