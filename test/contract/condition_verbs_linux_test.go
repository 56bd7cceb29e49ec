package contract_test

import (
	"errors"
	"fmt"
	"strconv"

	"example.com/tandem/atomics"
	"example.com/tandem/sync"
)

// A claim is a Cond and a lock of its, to lock and unlock: each caller's own,
// if it is a holder.
type claim struct {
	c *sync.Cond
	l sync.Lock
}

// claimOn opens the Cond name with a lock of a kind, and makes a new claim.
func (e *env) claimOn(name, kind string) claim {
	switch kind {
	case "own":
		c := opened(sync.OpenCond(e.region, name, nil))
		return claim{c, c.Holder()}
	case "mutex":
		m := opened(sync.OpenMutex(e.region, name+".lock"))
		return claim{opened(sync.OpenCond(e.region, name, m)), m}
	case "holder":
		h := opened(sync.OpenRMutex(e.region, name+".lock")).NewHolder()
		return claim{opened(sync.OpenCond(e.region, name, h)), h}
	}
	panic(failure{fmt.Errorf("no lock of kind %q", kind)})
}

// claim is the actor's one claim on a Cond.
func (e *env) claim(args []string) claim {
	return e.handle(args[0]+" "+args[1], func() any { return e.claimOn(args[0], args[1]) }).(claim)
}

// level is a number that the Cond's lock guards.
func (e *env) level(name string) *atomics.Value[int64] {
	return e.handle("level of "+name, func() any { return opened(atomics.OpenValue(e.region, name+".level", int64(0))) }).(*atomics.Value[int64])
}

// The first two arguments of each verb are the Cond's name and its lock's kind.

var _ = verb("cond.lock", func(e *env, args []string) string { // [timeout]
	ctx, cancel := e.within(args, 2)
	defer cancel()
	return outcome(e.claim(args).l.Lock(ctx))
})

var _ = verb("cond.unlock", func(e *env, args []string) string { return outcome(e.claim(args).l.Unlock()) })

var _ = verb("cond.depth", func(e *env, args []string) string {
	return fmt.Sprint(e.claim(args).l.(*sync.Holder).Depth())
})

// cond.wait leaves the lock as it was: held, if it was.
var _ = verb("cond.wait", func(e *env, args []string) string { // [timeout]
	ctx, cancel := e.within(args, 2)
	defer cancel()
	return outcome(e.claim(args).c.Wait(ctx))
})

// cond.waiter locks, waits and unlocks, with a claim of its own.
var _ = verb("cond.waiter", func(e *env, args []string) string { // [timeout]
	c := e.claimOn(args[0], args[1])
	if err := c.l.Lock(e.ctx); err != nil {
		return outcome(err)
	}
	ctx, cancel := e.within(args, 2)
	defer cancel()
	err := c.c.Wait(ctx)
	if e := c.l.Unlock(); e != nil {
		err = errors.Join(err, fmt.Errorf("it did not hold the lock: %w", e))
	}
	return outcome(err)
})

// cond.waitfor is cond.waiter, for a level; it says how often pred was called.
var _ = verb("cond.waitfor", func(e *env, args []string) string { // level [timeout]
	c, level := e.claimOn(args[0], args[1]), e.level(args[0])
	want, err := strconv.ParseInt(args[2], 10, 64)
	if err == nil {
		err = c.l.Lock(e.ctx)
	}
	if err != nil {
		return outcome(err)
	}
	ctx, cancel := e.within(args, 3)
	defer cancel()
	calls := 0
	err = c.c.WaitFor(ctx, func() bool {
		calls++
		if ok, _ := e.claim(args).l.(*sync.Holder).TryLock(); ok {
			panic(failure{errors.New("pred is called without the lock")})
		}
		return level.Load() >= want
	})
	if e := c.l.Unlock(); e != nil {
		err = errors.Join(err, fmt.Errorf("it did not hold the lock: %w", e))
	}
	return fmt.Sprint(outcome(err), " ", calls)
})

// cond.raise sets the level and notifies all.
var _ = verb("cond.raise", func(e *env, args []string) string { // level
	c := e.claimOn(args[0], args[1])
	n, err := strconv.ParseInt(args[2], 10, 64)
	if err == nil {
		err = sync.With(e.ctx, c.l, func() error {
			e.level(args[0]).Store(n)
			return c.c.NotifyAll()
		})
	}
	return outcome(err)
})

// cond.notify is for who holds the lock, cond.tell locks and unlocks.
var _ = verb("cond.notify", func(e *env, args []string) string { // n
	n, err := strconv.Atoi(args[2])
	if err == nil {
		err = e.claim(args).c.Notify(n)
	}
	return outcome(err)
})

var _ = verb("cond.notifyall", func(e *env, args []string) string { return outcome(e.claim(args).c.NotifyAll()) })

var _ = verb("cond.tell", func(e *env, args []string) string { // n, or "all"
	c := e.claimOn(args[0], args[1])
	return outcome(sync.With(e.ctx, c.l, func() error {
		if args[2] == "all" {
			return c.c.NotifyAll()
		}
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return c.c.Notify(n)
	}))
})

var _ = verb("cond.repair", func(e *env, args []string) string { // of who holds the lock
	return outcome(e.claim(args).l.(interface{ MarkConsistent() error }).MarkConsistent())
})

// counts is how many wait on a Cond, and how many of them are notified.
func (w *world) counts(name string) (waiting, notified int) {
	w.t.Helper()
	s, err := w.region.Snapshot()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range s.Objects {
		if o.Name != name {
			continue
		}
		waiting = o.Len
		for _, h := range o.Holders {
			if h.What == "notified" {
				notified += h.N
			}
		}
	}
	return waiting, notified
}

// waitOn waits until n wait on a Cond and none of them is notified.
func (w *world) waitOn(name string, n int) {
	w.t.Helper()
	w.until(fmt.Sprintf("%d wait on %s", n, name), func() bool {
		waiting, notified := w.counts(name)
		return waiting == n && notified == 0
	})
}
